import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { browserStorage } from "../app/preferences";
import { type AlertPage, listAlerts, type Problem } from "../client/api";
import { readSeen, type Seen, unseen, writeSeen } from "./seen";

const ASK_EVERY_MS = 15_000;
/** More than this is said as "99+". */
const COUNTED = 100;

const readers = new Set<() => void>();
let seen: Seen | null = readSeen(browserStorage());

/** Everything up to here has been shown. */
export function markSeen(next: Seen): void {
  if (seen?.logId === next.logId && seen.offset >= next.offset) return;
  seen = next;
  writeSeen(browserStorage(), next);
  for (const reader of [...readers]) reader();
}

export function useSeen(): Seen | null {
  return useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => seen,
  );
}

/** How many alerts need attention that this browser has not shown yet. */
export function useUnseen(): number {
  const known = useSeen();
  const { data } = useQuery<AlertPage, Problem>({
    queryKey: ["alerts", "unseen"],
    queryFn: ({ signal }) => listAlerts({ level: ["warning", "error"], limit: COUNTED }, signal),
    refetchInterval: ASK_EVERY_MS,
    retry: false,
  });
  return data === undefined ? 0 : unseen(data, known, Date.now());
}
