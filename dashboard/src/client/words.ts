/**
 * Words for states: pure functions of a run's state and a clock (`hub/words.py` in TypeScript, tested on the same
 * recordings), so that the page, the terminal and the API say the same sentence.
 *
 * `condition` says what the run does or waits for; here its hospitals get their words, and the time left is put behind
 * it.
 */

import { condition } from "./condition";
import { ended } from "./fold.state";
import { isSilent, lateBy } from "./lateness";
import { waitingFor } from "./roundWords";
import type { ClientState, ClientStatus, RunState } from "./state";
import { isDead, isHalted, isLost } from "./state";
import { timeLeft, timeLeftWords } from "./timeLeft";
import { bare, durationWords, expected, isFederated, joined, shortCause, shortened } from "./wording";

const ERROR_LETTERS = 28;

/**
 * The state with everything that needs a clock: its condition and sentences, and its clients' states in words.
 *
 * @param now milliseconds, by the server's clock, which also told when shipped messages came.
 */
export function described(state: RunState, now: number): RunState {
  const at = now / 1000;
  const described_: RunState = {
    ...state,
    clients: state.clients.map((client) => withStatus(state, client, at)),
    num_clients: expected(state) || null,
    n: nOf(state),
    eta: timeLeft(state, at),
  };
  const clients = described_.clients.map((client) => ({
    ...client,
    words: clientWords(described_, client, at),
  }));
  const whole: RunState = { ...described_, clients };
  const told = condition(whole, at);
  const left = told.hasTimeLeft ? timeLeftWords(whole, whole.eta) : "";
  const second = told.second ?? "";
  return {
    ...whole,
    condition: told.condition,
    sentence: told.first,
    detail_sentence: isFederated(whole) ? joined(second, left) : joined(left, second),
  };
}

function withStatus(state: RunState, client: ClientState, at: number): ClientState {
  const { round } = state;
  const sent = round > 0 && client.sent_round >= round;
  const failed =
    !sent &&
    ((round > 0 && client.failed_round >= round) || client.end?.status === "failed" || isDead(client));
  return { ...client, status: clientStatus(state, client, at, sent, failed), sent, failed };
}

function clientStatus(
  state: RunState,
  client: ClientState,
  at: number,
  sent: boolean,
  failed: boolean,
): ClientStatus {
  if (failed) return "failed";
  if (ended(state) || (client.end !== null && !sent)) return "finished";
  if (sent) return "sent";
  if (isLost(client)) return "lost";
  if (state.round > 0 && client.round < state.round) return "waiting";
  if (lateBy(state, client, at) > 0) return "late";
  return isHalted(client) || (client.paused === null && isSilent(client, at)) ? "silent" : "training";
}

function clientWords(state: RunState, client: ClientState, at: number): string {
  if (client.paused !== null && ["training", "late", "silent"].includes(client.status)) return "Paused";
  if (isHalted(client) && ["silent", "late", "waiting"].includes(client.status)) {
    return "Stopped by a signal";
  }
  switch (client.status) {
    case "failed": {
      if (client.died !== null && isDead(client)) {
        return `Died: ${shortened(shortCause(bare(client.died[1])), ERROR_LETTERS)}`;
      }
      return `Failed: ${shortened(bare(client.error), ERROR_LETTERS)}`;
    }
    case "finished":
      return "Finished";
    case "sent": {
      if (isDead(client) && !ended(state)) return "Sent, then died";
      const waiting = state.aggregated_round >= state.round ? 0 : waitingFor(state);
      return waiting ? `Sent, waiting for ${waiting}` : "Sent";
    }
    case "late":
      return `Late by ${durationWords(lateBy(state, client, at))}`;
    case "silent":
      return "Silent, may still run";
    case "lost":
      return "Lost: no word for a minute";
    case "training":
      return "Training, in time";
    case "waiting":
      return "Waiting to start";
  }
}

function nOf(state: RunState): number | null {
  if (state.n !== null || !isFederated(state)) return state.n;
  const told = state.clients.filter(
    (client) => client.num_samples !== null && client.sent_round >= (state.metrics_at || 0),
  );
  return told.length > 0 ? told.reduce((sum, client) => sum + (client.num_samples ?? 0), 0) : null;
}
