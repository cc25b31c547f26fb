/** Words for states: pure functions of a run and a clock, the same as the terminal's and the API's. */

import type { RunState } from "./state";

/** The state with its sentences, and its clients' words, made for this moment. */
export function described(state: RunState, _now: number): RunState {
  return state;
}
