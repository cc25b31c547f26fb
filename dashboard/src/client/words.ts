/** Words for states: pure functions of a run and a clock, the same as the terminal's and the API's. */

import type { RunModel, Sentence } from "./model";

export function runSentence(model: RunModel, _now: number): Sentence {
  return { first: model.status, second: "" };
}
