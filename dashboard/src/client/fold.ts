/**
 * A run's model as the fold of its messages: pure, batch by batch.
 *
 * No outcome depends on the order between two writers (the server's messages and each client's may come in any
 * interleaving); a message that was folded before changes nothing, wherever it has an offset or a row.
 */

import { type Draft, draftOf, publish } from "./draft";
import { attemptOf } from "./fold.attempts";
import { more } from "./fold.clients";
import { foldState } from "./fold.state";
import { foldSteps, isOfMachine } from "./fold.steps";
import type { KnownMessage } from "./messages.generated";
import type {
  Alert,
  Client,
  ClientFailure,
  ClientRound,
  DataFacts,
  Epoch,
  LocalEpoch,
  Message,
  Phase,
  PhaseResult,
  RunModel,
  SplitCounts,
  Step,
} from "./model";
import { flag, integer, list, metricsOf, number, record, text, timeOf } from "./reading";
import { testCurvesOf } from "./testCurves";

/** The model after a batch of messages. The same object when nothing changed. */
export function fold(model: RunModel, batch: readonly Message[]): RunModel {
  if (batch.length === 0) return model;
  const draft = draftOf(model);
  for (const message of batch) foldOne(draft, message);
  foldSteps(draft, batch);
  return publish(draft);
}

const PHASES: ReadonlySet<string> = new Set(["train", "val", "test"]);

function foldOne(draft: Draft, message: Message): void {
  // Its figures become columns (`foldSteps`); of the training it says nothing.
  if (isOfMachine(message)) return;
  const offset = message.offset ?? 0;
  if (offset > 0) {
    if (offset <= draft.model.offset) return;
    draft.model.offset = offset;
  }
  draft.model.state = foldState(draft.model.state, message);
  draft.enter(attemptOf(draft.model.state, message.type, message.attempt, message.timestamp));
  const at = timeOf(message);
  const clientId = text(message.client_id);
  draft.model.lastHeard = Math.max(draft.model.lastHeard ?? at, at);
  if (clientId !== null && message.type !== "client_failed") heard(draft, clientId);
  if (clientId !== null && "withheld" in message) withheld(draft, message, clientId, at);
  if (message.type !== "step") {
    draft.events().push({ offset, at, type: message.type, clientId, message });
  }
  switch (message.type as KnownMessage["type"]) {
    case "run_queued":
      runQueued(draft, message);
      break;
    case "run_start":
      runStart(draft, message);
      break;
    case "run_edited":
      runEdited(draft, message);
      break;
    case "epoch_start":
      epochStart(draft, message, at);
      break;
    case "epoch_end":
      epochEnd(draft, message, at, offset);
      break;
    case "step":
      step(draft, message, clientId, at);
      break;
    case "round_start":
      roundStart(draft, message, clientId, at);
      break;
    case "local_epoch":
      localEpoch(draft, message, clientId, at, offset);
      break;
    case "round_end":
      roundEnd(draft, message, clientId, at);
      break;
    case "round_aggregated":
      roundAggregated(draft, message, at, offset);
      break;
    case "client_failed":
      clientFailed(draft, message, clientId, at, offset);
      break;
    case "test_curves":
      // A client's own test, where one is told, is not the run's.
      if (!draft.late && clientId === null) draft.model.testCurves = testCurvesOf(message);
      break;
    case "alert":
      draft.alerts().push(alertOf(message, clientId, at, offset));
      break;
    case "training_complete":
    case "training_error":
    case "training_cancelled":
      if (clientId !== null) clientEnded(draft, message, clientId, at, offset);
      else if (message.type === "training_complete" && !draft.late)
        draft.model.finalMetrics = finalMetricsOf(message);
      break;
    default:
      break;
  }
}

/* Beginnings. */

function runQueued(draft: Draft, message: Message): void {
  named(draft, message);
  draft.model.totalEpochs ??= integer(message.total_epochs);
  draft.model.totalRounds ??= integer(message.total_rounds);
}

function runStart(draft: Draft, message: Message): void {
  const { model } = draft;
  named(draft, message);
  if (draft.late) return;
  model.attempt = model.state.attempt;
  // An attempt that goes on stands where it does so.
  model.epoch = Math.max(model.epoch, model.state.epoch);
  model.round = Math.max(model.round, model.state.round);
  model.config = record(message.config);
  model.software = Object.fromEntries(
    Object.entries(record(message.software)).map(([name, v]) => [name, String(v)]),
  );
  // An attempt that goes on need not tell again what it trains on.
  if (Object.keys(record(message.data)).length > 0) model.data = dataOf(message.data);
  model.totalEpochs = integer(message.total_epochs) ?? integer(model.config.epochs) ?? model.totalEpochs;
  model.totalRounds = integer(message.total_rounds) ?? integer(model.config.num_rounds) ?? model.totalRounds;
  model.expectedClients = integer(model.config.num_clients) ?? model.expectedClients;
  model.localEpochs = integer(model.config.local_epochs) ?? model.localEpochs;
  if (model.federated) model.totalEpochs = null;
}

function named(draft: Draft, message: Message): void {
  const { model } = draft;
  const name = text(message.experiment_name);
  if (name !== null) {
    if (model.name === model.experimentName) model.name = name;
    model.experimentName = name;
  }
  model.mode = text(message.mode) ?? model.mode;
  if (model.mode === "federated") model.federated = true;
}

function runEdited(draft: Draft, message: Message): void {
  const { model } = draft;
  if ("name" in message) model.name = text(message.name) || model.experimentName;
  if ("tags" in message) model.tags = list(message.tags).map(String);
  if ("notes" in message) model.notes = text(message.notes) ?? "";
}

function dataOf(value: unknown): DataFacts {
  const data = record(value);
  return {
    name: text(data.name),
    digest: text(data.digest),
    phantom: flag(data.phantom) ?? false,
    splits: splitsOf(data.splits),
    clients: Object.fromEntries(
      Object.entries(record(data.clients)).map(([id, each]) => [id, clientSplits(each)]),
    ),
    notes: list(data.notes).map(String),
  };
}

/** A hospital's counts by split, or its counts alone, which are of what it trains on. */
function clientSplits(value: unknown): DataFacts["splits"] {
  const each = record(value);
  if ("splits" in each) return splitsOf(each.splits);
  const counts = countsOf(each);
  return counts === null ? splitsOf(each) : { train: counts };
}

function splitsOf(value: unknown): DataFacts["splits"] {
  const found: Partial<Record<Phase, SplitCounts>> = {};
  for (const [name, counts] of Object.entries(record(value))) {
    const told = countsOf(counts);
    if (PHASES.has(name) && told !== null) found[name as Phase] = told;
  }
  return found;
}

function countsOf(value: unknown): SplitCounts | null {
  const counts = record(value);
  const n = integer(counts.n);
  return n === null ? null : { n, normal: integer(counts.normal), pneumonia: integer(counts.pneumonia) };
}

/* Epochs and steps. */

function epochAt(draft: Draft, epoch: number): Epoch {
  return draft.epochsByNumber().get(epoch) ?? { epoch, started: null, train: null, val: null, test: null };
}

function epochStart(draft: Draft, message: Message, at: number): void {
  const epoch = integer(message.epoch);
  planned(draft, message);
  if (epoch === null) return;
  draft.epochsByNumber().set(epoch, { ...epochAt(draft, epoch), started: at });
  reached(draft, "epoch", epoch);
}

function epochEnd(draft: Draft, message: Message, at: number, offset: number): void {
  const epoch = integer(message.epoch);
  const phase = text(message.phase);
  planned(draft, message);
  if (epoch === null || phase === null || !PHASES.has(phase)) return;
  const result: PhaseResult = { metrics: metricsOf(message.metrics), offset, at };
  draft.epochsByNumber().set(epoch, { ...epochAt(draft, epoch), [phase]: result });
  reached(draft, "epoch", epoch);
}

/** The total that a message tells, where it is of the present attempt. */
function planned(draft: Draft, message: Message): void {
  if (draft.late) return;
  draft.model.totalEpochs = integer(message.total_epochs) ?? draft.model.totalEpochs;
  draft.model.totalRounds = integer(message.total_rounds) ?? draft.model.totalRounds;
}

/** The present attempt has come to this number; an earlier one's says nothing of where the run stands. */
function reached(draft: Draft, unit: "epoch" | "round", number_: number): void {
  if (!draft.late) draft.model[unit] = Math.max(draft.model[unit], number_);
}

function step(draft: Draft, message: Message, clientId: string | null, at: number): void {
  const number_ = integer(message.step);
  if (number_ === null || draft.late) return;
  const phase = text(message.phase) ?? "train";
  const now: Step = {
    epoch: integer(message.epoch),
    round: integer(message.round),
    step: number_,
    totalSteps: integer(message.total_steps),
    phase: PHASES.has(phase) ? (phase as Phase) : "train",
    metrics: metricsOf(message.metrics),
    at,
  };
  if (clientId === null) {
    if (draft.model.step === null || at >= draft.model.step.at) draft.model.step = now;
    draft.model.epoch = Math.max(draft.model.epoch, now.epoch ?? 0);
    return;
  }
  if (now.round === null) return;
  const cell = cellAt(draft, clientId, now.round, at);
  // By where it is of: a hospital's clock may be set back in the middle of a round.
  const known = cell.step;
  const further = (now.epoch ?? 0) - (known?.epoch ?? 0) || now.step - (known?.step ?? 0);
  if (known === null || further >= 0) draft.setCell({ ...cell, step: now });
}

/* Rounds. */

function heard(draft: Draft, clientId: string): Client {
  const known = draft.clientsById().get(clientId);
  const client: Client = known ?? {
    clientId,
    index: draft.clientsById().size,
    failed: null,
    finished: false,
  };
  if (known === undefined) draft.clientsById().set(clientId, client);
  draft.model.federated = true;
  return client;
}

function cellAt(draft: Draft, clientId: string, round: number, at: number, own = true): ClientRound {
  const known = draft.roundAt(round).clients[clientId];
  reached(draft, "round", round);
  if (known?.heard) {
    if (!own || (at >= known.firstHeard && at <= known.lastHeard)) return known;
    const firstHeard = Math.min(known.firstHeard, at);
    return { ...known, firstHeard, lastHeard: Math.max(known.lastHeard, at) };
  }
  if (known !== undefined) return own ? { ...known, heard: true, firstHeard: at, lastHeard: at } : known;
  return {
    clientId,
    round,
    started: null,
    sent: null,
    heard: own,
    firstHeard: at,
    lastHeard: at,
    duration: null,
    localEpochs: [],
    step: null,
    fit: null,
    evaluation: null,
    bytesDown: null,
    bytesUp: null,
    failed: null,
    withheld: {},
  };
}

function roundStart(draft: Draft, message: Message, clientId: string | null, at: number): void {
  draft.model.federated = true;
  planned(draft, message);
  const number_ = integer(message.round);
  if (number_ === null) return;
  reached(draft, "round", number_);
  const round = draft.roundAt(number_);
  draft.setRound({ ...round, started: Math.min(round.started ?? at, at) });
  if (clientId !== null) {
    const cell = cellAt(draft, clientId, number_, at);
    draft.setCell({ ...cell, started: Math.max(cell.started ?? at, at) });
    if (!draft.late) recovered(draft, clientId, number_);
  }
}

/** A client that takes part in a later round has got over its failure. */
function recovered(draft: Draft, clientId: string, round: number): void {
  const client = draft.clientsById().get(clientId);
  if (client?.failed == null) return;
  const failedIn = draft.lastFailedRound(clientId);
  if (failedIn !== null && failedIn < round) draft.clientsById().set(clientId, { ...client, failed: null });
}

function localEpoch(
  draft: Draft,
  message: Message,
  clientId: string | null,
  at: number,
  offset: number,
): void {
  const round = integer(message.round);
  const number_ = integer(message.local_epoch);
  if (round === null || number_ === null || clientId === null) return;
  const cell = cellAt(draft, clientId, round, at);
  const entry: LocalEpoch = { localEpoch: number_, metrics: metricsOf(message.metrics), at, offset };
  const others = cell.localEpochs.filter((each) => each.localEpoch !== number_);
  draft.setCell({ ...cell, localEpochs: [...others, entry].sort((a, b) => a.localEpoch - b.localEpoch) });
}

function roundEnd(draft: Draft, message: Message, clientId: string | null, at: number): void {
  const round = integer(message.round);
  if (round === null || clientId === null) return;
  const cell = cellAt(draft, clientId, round, at);
  // Told again when a client that has sent its update has evaluated, too.
  const isAgain = cell.sent !== null && cell.fit !== null;
  const fit = metricsOf(message.fit_metrics);
  draft.setCell({
    ...cell,
    sent: isAgain ? cell.sent : at,
    fit: isAgain && Object.keys(fit).length === 0 ? cell.fit : fit,
    evaluation: metricsOf(message.eval_metrics),
    ...moved(cell, message),
  });
}

/** The bytes of a cell after a message that counts some. */
function moved(cell: ClientRound, message: Message): Pick<ClientRound, "bytesDown" | "bytesUp"> {
  return {
    bytesDown: more(cell.bytesDown, message.bytes_down),
    bytesUp: more(cell.bytesUp, message.bytes_up),
  };
}

function roundAggregated(draft: Draft, message: Message, at: number, offset: number): void {
  const number_ = integer(message.round);
  if (number_ === null) return;
  reached(draft, "round", number_);
  draft.model.federated = true;
  const metrics = metricsOf(message.metrics);
  const told = number(metrics.num_samples);
  const round = draft.roundAt(number_);
  draft.setRound({
    ...round,
    aggregated: {
      metrics,
      numClients: integer(message.num_clients),
      failedClients: list(message.failed_clients).map(String),
      // Where nobody told it, `publish` puts the sum of what the hospitals evaluated on.
      numSamples: told,
      numSamplesSummed: told === null,
      at,
      offset,
    },
  });
}

function clientFailed(
  draft: Draft,
  message: Message,
  clientId: string | null,
  at: number,
  offset: number,
): void {
  if (clientId === null) return;
  const client = draft.clientsById().get(clientId) ?? heard(draft, clientId);
  const failed: ClientFailure = {
    own: message.type === "training_error",
    error: text(message.error) ?? "no reason was given",
    detail: text(message.detail),
    at,
    offset,
  };
  const open = draft.model.round > 0 && !draft.late ? draft.model.round : null;
  const round = integer(message.round) ?? open;
  // A word that comes late of a failure that it has got over.
  const gotOver = draft.late || (round !== null && draft.lastStartedRound(clientId) > round);
  if (!gotOver) draft.clientsById().set(clientId, { ...client, failed: theFirst(client.failed, failed) });
  if (round === null) return;
  const cell = cellAt(draft, clientId, round, at, failed.own);
  draft.setCell({ ...cell, failed: theFirst(cell.failed, failed), ...moved(cell, message) });
}

/** Of two failures the hospital's own word, else what was told first. */
function theFirst(known: ClientFailure | null, failed: ClientFailure): ClientFailure {
  if (known === null || known.own !== failed.own) return known?.own ? known : failed;
  return failed.at < known.at ? failed : known;
}

function withheld(draft: Draft, message: Message, clientId: string, at: number): void {
  const round = integer(message.round);
  if (round === null) return;
  const cell = cellAt(draft, clientId, round, at, false);
  const told = { ...cell.withheld };
  for (const [what, why] of Object.entries(record(message.withheld))) {
    const words = text(why) ?? "";
    if ((told[what] ?? "") < words) told[what] = words;
  }
  draft.setCell({ ...cell, withheld: told });
}

/* Ends. How the run as a whole ended is the state's to say; a client's part is ended here. */

function clientEnded(draft: Draft, message: Message, clientId: string, at: number, offset: number): void {
  if (message.type === "training_error") clientFailed(draft, message, clientId, at, offset);
  else if (!draft.late) draft.clientsById().set(clientId, { ...heard(draft, clientId), finished: true });
}

function finalMetricsOf(message: Message): RunModel["finalMetrics"] {
  const told = record(message.final_metrics);
  return Object.fromEntries(
    Object.entries(told).map(([name, value]) => [
      name,
      typeof value === "number" || typeof value === "string" ? value : value === null ? null : String(value),
    ]),
  );
}

function alertOf(message: Message, clientId: string | null, at: number, offset: number): Alert {
  return {
    level: text(message.level) ?? "warning",
    title: text(message.title) ?? "Alert",
    text: text(message.text) ?? "",
    clientId,
    at,
    offset,
  };
}
