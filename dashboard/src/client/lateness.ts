/**
 * Who is late and who is silent, each by its own usual pace (`hub/lateness.py`).
 *
 * A moment is compared with the present only where this side's clock told both: what another machine wrote counts
 * from when it came.
 */

import { ended } from "./fold.state";
import type { ClientState, Pace, RunState } from "./state";
import { seconds } from "./times";
import { median } from "./wording";

const SILENT_AT_LEAST_S = 30;
const SILENT_UNKNOWN_S = 300;
const USUAL_NEEDS_GAPS = 3;
const LATE_AT_LEAST_S = 10;
const LATE_NEEDS_ROUNDS = 2;
const OUTLASTS_TIMES = 2;

/** Seconds since anybody of the run was heard, where that is long enough to mean something. */
export function silentSeconds(state: RunState, at: number): number | null {
  const heard = seconds(state.heard);
  if (heard === null) return null;
  const silent = at - heard;
  return silent < silentAfter(usualPaces(state)) ? null : silent;
}

/** The same for a run of which something is expected; `now` in milliseconds. */
export function silentFor(state: RunState, now: number): number | null {
  if (ended(state) || state.status === "queued" || state.cancel_asked !== null || state.paused !== null)
    return null;
  // Whoever waits for hospitals to connect has nothing to say meanwhile.
  const { stage } = state;
  if (stage?.name === "waiting_for_clients" && (stage.connected?.length ?? 0) < (stage.expected ?? 0))
    return null;
  return silentSeconds(state, now / 1000);
}

/** Seconds between two messages of the run, of whoever speaks most often; `null` where too few came. */
export function usualGap(state: RunState): number | null {
  const usual = usualPaces(state);
  return usual.length === 0 ? null : Math.min(...usual.map((pace) => median(pace.gaps)));
}

/** Whether a client was not heard for so long that it means something. */
export function isSilent(client: ClientState, at: number): boolean {
  const heard = seconds(client.heard);
  const usual = client.pace.gaps.length >= USUAL_NEEDS_GAPS ? [client.pace] : [];
  return heard !== null && at - heard >= silentAfter(usual);
}

/** By how many seconds a client is past its own median, 0 where that is within what is usual. */
export function lateBy(state: RunState, client: ClientState, at: number): number {
  const elapsed = elapsedOf(state, client, at);
  const usual = usualRound(client);
  if (elapsed === null || usual === null) return 0;
  const by = elapsed - usual;
  return by > Math.max(LATE_AT_LEAST_S, 0.1 * usual) ? by : 0;
}

/** Seconds a client's rounds usually take; `null` before two have ended. */
export function usualRound(client: ClientState): number | null {
  return client.durations.length >= LATE_NEEDS_ROUNDS ? median(client.durations) : null;
}

/**
 * How long a client has been at it and how long the slowest of the others took, where that is far longer: for the
 * first rounds, in which nobody has a pace of its own yet. Both in seconds.
 */
export function outlasts(state: RunState, client: ClientState, at: number): readonly [number, number] | null {
  const elapsed = elapsedOf(state, client, at);
  const others = state.clients.flatMap((each) =>
    each.sent_round >= state.round ? each.durations.slice(-1) : [],
  );
  if (elapsed === null || usualRound(client) !== null || others.length === 0) return null;
  const slowest = Math.max(...others);
  return elapsed > Math.max(OUTLASTS_TIMES * slowest, slowest + LATE_AT_LEAST_S) ? [elapsed, slowest] : null;
}

function elapsedOf(state: RunState, client: ClientState, at: number): number | null {
  const began = seconds(client.began);
  if (client.round < state.round || client.sent_round >= client.round || began === null) return null;
  // Since it last went on, where it was asked to wait meanwhile.
  return at - Math.max(began, seconds(client.resumed) ?? 0, seconds(state.resumed) ?? 0);
}

function usualPaces(state: RunState): readonly Pace[] {
  return [state.pace, ...state.clients.map((client) => client.pace)].filter(
    (pace) => pace.gaps.length >= USUAL_NEEDS_GAPS,
  );
}

/**
 * After how many seconds a silence means something: ten usual gaps, and at least thirty seconds. Twice the longest
 * gap so far as well: who validates for a minute after each epoch is not silent then.
 */
function silentAfter(usual: readonly Pace[]): number {
  if (usual.length === 0) return SILENT_UNKNOWN_S;
  const tenUsual = 10 * Math.min(...usual.map((pace) => median(pace.gaps)));
  return Math.max(SILENT_AT_LEAST_S, tenUsual, 2 * Math.min(...usual.map((pace) => pace.longest)));
}
