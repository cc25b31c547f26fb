/** Which alerts this browser has shown already: up to which offset of which log. */

import type { AlertLine, AlertPage } from "../client/api";
import { millis } from "../client/reading";

export interface Seen {
  readonly logId: string;
  readonly offset: number;
}

const KEY = "fpd.alerts-seen";
/** A browser that has never looked is told of the last day only. */
const DAY_MS = 86_400_000;

export function readSeen(storage: Pick<Storage, "getItem"> | null): Seen | null {
  try {
    const told = JSON.parse(storage?.getItem(KEY) ?? "null");
    return typeof told?.logId === "string" && typeof told?.offset === "number" ? told : null;
  } catch {
    return null;
  }
}

export function writeSeen(storage: Pick<Storage, "setItem"> | null, seen: Seen): void {
  storage?.setItem(KEY, JSON.stringify(seen));
}

/** Whether somebody should see to it: what a rule told of a failure was told by the failure itself already. */
export function needsAttention(line: AlertLine): boolean {
  return line.level !== "info" && !(line.rule !== null && line.level === "error");
}

/** How many of these need attention and were not shown here. */
export function unseen(page: AlertPage, seen: Seen | null, now: number): number {
  const isNew = (line: AlertLine): boolean =>
    seen?.logId === page.log_id ? line.offset > seen.offset : now - (millis(line.timestamp) ?? 0) < DAY_MS;
  return page.alerts.filter((line) => needsAttention(line) && isNew(line)).length;
}
