/** What a site withholds, each thing once, with the newest reason, whatever the order (`hub/fold_withheld.py`). */

import type { Said } from "./model";
import { record, whole } from "./reading";
import type { WithheldState } from "./state";

const MOST = 50;
const LONGEST = 200;

export function withheldAfter(known: readonly WithheldState[], message: Said): readonly WithheldState[] {
  const told = new Map(known.map((one) => [one.what, one]));
  const at = whole(message.round) || whole(message.epoch) || 0;
  for (const [name, why] of Object.entries(record(message.withheld))) {
    if (typeof why !== "string") continue;
    const one = { what: cut(name), why: cut(why), at };
    const before = told.get(one.what);
    if (before === undefined || before.at < at || (before.at === at && before.why < one.why)) {
      told.set(one.what, one);
    }
  }
  return [...told.values()].sort((a, b) => (a.what < b.what ? -1 : 1)).slice(0, MOST);
}

function cut(text: string): string {
  return [...text].slice(0, LONGEST).join("");
}
