/** The open round, hospital by hospital: its state in words, how far it is, and how long it has taken. */

import type { ClientRound, Round, RunModel } from "../client/model";
import type { ClientState, ClientStatus, RunState } from "../client/state";
import { durationWords } from "../run/time";
import { hospitalCount, isOpenRound, localEpochsOf, localProgress, usualDuration } from "./rounds";

/** As the status words have it, of the round that is open or was the last. */
export type HospitalState = Exclude<ClientStatus, "finished">;

export interface PanelRow {
  clientId: string | null;
  state: HospitalState;
  /** "Late by 48 s" */
  words: string;
  /** All of a failure, for hovering. */
  full: string | null;
  /** The same in a word, for the phone. */
  short: string;
  /** Local epochs done, a fraction inside one; of `whole`. */
  done: number;
  whole: number;
  progress: string;
  time: string;
  loss: number | null;
}

export interface Panel {
  title: string;
  round: number;
  open: boolean;
  rows: readonly PanelRow[];
}

/**
 * The open round, or the last one once it is closed.
 *
 * @param told The run's state with its words, made for this moment.
 */
export function panelOf(model: RunModel, told: RunState | null, now: number): Panel {
  const round = model.rounds.findLast((each) => each.round === model.round) ?? null;
  const open = round !== null && isOpenRound(model, round);
  const ids: (string | null)[] = model.clients.map((client) => client.clientId);
  while (ids.length < hospitalCount(model)) ids.push(null);
  const states = new Map((told?.clients ?? []).map((client) => [client.client_id, client]));
  return {
    title: titleOf(round, open, now),
    round: round?.round ?? 0,
    open,
    rows: ids.map((id) => rowOf(model, round, open, id, (id !== null && states.get(id)) || null, now)),
  };
}

function titleOf(round: Round | null, open: boolean, now: number): string {
  if (!round) return "Before round 1";
  const from = round.started;
  if (open) return `Round ${round.round}${from === null ? ", open" : `, open ${durationWords(now - from)}`}`;
  const to = round.aggregated?.at;
  return `Round ${round.round}${from !== null && to !== undefined ? `, took ${durationWords(to - from)}` : ""}`;
}

function rowOf(
  model: RunModel,
  round: Round | null,
  open: boolean,
  id: string | null,
  client: ClientState | null,
  now: number,
): PanelRow {
  const whole = localEpochsOf(model);
  const cell = (id !== null && round?.clients[id]) || undefined;
  const state = stateOf(cell, client, open);
  const words = open || !round ? (client?.words ?? "Waiting to start") : closedWords(cell);
  return {
    clientId: id,
    state,
    words: words === "" ? "Waiting to start" : words,
    full: cell?.failed?.error ?? null,
    short: shortWords(state, words),
    whole,
    done: localProgress(cell, whole),
    progress: progressOf(cell, whole),
    time: timeOf(model, cell, state, now),
    loss: lossOf(cell),
  };
}

function stateOf(cell: ClientRound | undefined, client: ClientState | null, open: boolean): HospitalState {
  if (open && client) return client.status === "finished" ? "sent" : client.status;
  if (cell?.failed) return "failed";
  return cell?.sent != null ? "sent" : "waiting";
}

/** What a hospital did in a round that is over. */
function closedWords(cell: ClientRound | undefined): string {
  if (!cell) return "Took no part";
  if (cell.failed) return `Failed: ${cell.failed.error}`;
  return cell.sent === null ? "Did not send" : "Sent";
}

function shortWords(state: HospitalState, words: string): string {
  if (state === "failed") return "Failed";
  if (state === "sent") return "Sent";
  if (state === "training") return "Training";
  if (state === "silent") return "Silent";
  if (state === "lost") return "Lost";
  return words;
}

function timeOf(model: RunModel, cell: ClientRound | undefined, state: HospitalState, now: number): string {
  if (!cell) return "no message yet";
  const began = cell.started ?? cell.firstHeard;
  if (cell.failed) return `after ${durationWords(cell.failed.at - began)}`;
  if (cell.sent !== null) return `sent after ${durationWords(cell.sent - began)}`;
  if (state === "waiting") return "";
  if (state === "silent" || state === "lost") return `for ${durationWords(now - cell.lastHeard)}`;
  const usual = usualDuration(model, cell.clientId, cell.round);
  return usual === null ? `for ${durationWords(now - began)}` : `usually ${durationWords(usual)}`;
}

function progressOf(cell: ClientRound | undefined, whole: number): string {
  const done = cell?.localEpochs[cell.localEpochs.length - 1]?.localEpoch ?? 0;
  if (cell?.sent != null) return `${whole} of ${whole} epoch${whole === 1 ? "" : "s"}`;
  const step = cell?.step;
  if (step && (step.epoch ?? 0) > done) {
    return `epoch ${step.epoch}, step ${step.step}${step.totalSteps ? `/${step.totalSteps}` : ""}`;
  }
  return `${done} of ${whole} epoch${whole === 1 ? "" : "s"}`;
}

/** The newest training loss of this round. */
function lossOf(cell: ClientRound | undefined): number | null {
  if (!cell) return null;
  const epoch = cell.localEpochs[cell.localEpochs.length - 1];
  const stepLoss = cell.step?.metrics.train_loss ?? cell.step?.metrics.loss ?? null;
  if (cell.fit?.train_loss != null) return cell.fit.train_loss;
  if (cell.step && stepLoss !== null && (!epoch || cell.step.at >= epoch.at)) return stepLoss;
  return epoch?.metrics.train_loss ?? null;
}
