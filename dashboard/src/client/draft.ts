/**
 * A model while a batch is folded into it. Each collection is copied at most once per batch, on its first change,
 * so a batch costs what it changes and models already given out stay as they were.
 */

import { betterBest } from "./best";
import type {
  Alert,
  AttemptModel,
  Client,
  ClientRound,
  Epoch,
  Round,
  RunEvent,
  RunModel,
  StepSeries,
} from "./model";
import { byName, millis } from "./reading";
import { withStatus } from "./withState";

const NOTHING = { epochs: [], rounds: [] };

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What one attempt has said of epochs and rounds, while a batch is folded into it. */
class Said {
  private epochs: Map<number, Epoch> | null = null;
  private rounds: Map<number, Round> | null = null;
  /** The cells of rounds that have changed in this batch: nobody else has seen these objects. */
  private readonly newCells = new Map<number, Record<string, ClientRound>>();

  constructor(private readonly before: Pick<AttemptModel, "epochs" | "rounds">) {}

  get changed(): boolean {
    return this.epochs !== null || this.rounds !== null;
  }

  epochsByNumber(): Map<number, Epoch> {
    this.epochs ??= new Map(this.before.epochs.map((each) => [each.epoch, each]));
    return this.epochs;
  }

  roundsByNumber(): Map<number, Round> {
    this.rounds ??= new Map(this.before.rounds.map((each) => [each.round, each]));
    return this.rounds;
  }

  setCell(cell: ClientRound, round: Round): void {
    let clients = this.newCells.get(cell.round);
    if (clients === undefined) {
      clients = { ...round.clients };
      this.newCells.set(cell.round, clients);
    }
    clients[cell.clientId] = { ...cell, duration: durationOf(cell) };
    if (round.clients !== clients) this.roundsByNumber().set(round.round, { ...round, clients });
  }

  finish(): Pick<AttemptModel, "epochs" | "rounds"> {
    const { epochs, rounds } = this;
    return {
      epochs: epochs ? [...epochs.values()].sort((a, b) => a.epoch - b.epoch) : this.before.epochs,
      rounds: rounds
        ? [...rounds.values()].sort((a, b) => a.round - b.round).map(summed)
        : this.before.rounds,
    };
  }
}

export class Draft {
  readonly model: Writable<RunModel>;
  /** The message that is folded is of an earlier attempt: history, which is put where it belongs and leads nowhere. */
  late = false;
  private readonly said = new Map<number, Said>();
  private now: Said;
  private newest: number;
  private clients: Map<string, Client> | null = null;
  private newEvents: RunEvent[] | null = null;
  private newAlerts: Alert[] | null = null;
  private newSteps: Record<string, StepSeries> | null = null;

  constructor(private readonly before: RunModel) {
    this.model = { ...before };
    this.newest = before.state.attempt;
    for (const each of before.attempts) this.said.set(each.attempt, new Said(each));
    this.now = this.of(this.newest, before.attempts.length === 0 ? before : undefined);
  }

  /** From here on a message of this attempt is folded. */
  enter(attempt: number): void {
    const { state } = this.model;
    if (state.attempt > this.newest) this.begin(state.attempt);
    this.late = attempt < state.attempt;
    this.now = this.of(attempt);
  }

  /** A new attempt: what the one before it said of the run as a whole is over. */
  private begin(attempt: number): void {
    this.newest = attempt;
    const { model } = this;
    model.finalMetrics = model.testCurves = model.step = null;
    model.epoch = model.round = 0;
    for (const [id, client] of this.clientsById()) {
      if (client.failed || client.finished)
        this.clientsById().set(id, { ...client, failed: null, finished: false });
    }
  }

  private of(attempt: number, before: Pick<AttemptModel, "epochs" | "rounds"> = NOTHING): Said {
    let said = this.said.get(attempt);
    if (said === undefined) {
      said = new Said(before);
      this.said.set(attempt, said);
    }
    return said;
  }

  events(): RunEvent[] {
    this.newEvents ??= [...this.before.events];
    return this.newEvents;
  }

  alerts(): Alert[] {
    this.newAlerts ??= [...this.before.alerts];
    return this.newAlerts;
  }

  steps(): Record<string, StepSeries> {
    this.newSteps ??= { ...this.before.steps };
    return this.newSteps;
  }

  epochsByNumber(): Map<number, Epoch> {
    return this.now.epochsByNumber();
  }

  clientsById(): Map<string, Client> {
    this.clients ??= new Map(this.before.clients.map((each) => [each.clientId, each]));
    return this.clients;
  }

  roundAt(round: number): Round {
    return this.roundsByNumber().get(round) ?? { round, started: null, aggregated: null, clients: {} };
  }

  setRound(round: Round): void {
    this.roundsByNumber().set(round.round, round);
  }

  setCell(cell: ClientRound): void {
    this.now.setCell(cell, this.roundAt(cell.round));
  }

  lastFailedRound(clientId: string): number | null {
    let last: number | null = null;
    for (const each of this.roundsByNumber().values()) {
      if (each.clients[clientId]?.failed != null) last = Math.max(last ?? 0, each.round);
    }
    return last;
  }

  /** The newest round it has started. */
  lastStartedRound(clientId: string): number {
    let last = 0;
    for (const each of this.roundsByNumber().values()) {
      if (each.clients[clientId]?.started != null) last = Math.max(last, each.round);
    }
    return last;
  }

  private roundsByNumber(): Map<number, Round> {
    return this.now.roundsByNumber();
  }

  finish(): RunModel {
    const { model } = this;
    if (this.newEvents) model.events = this.newEvents;
    if (this.newAlerts) model.alerts = this.newAlerts;
    if (this.newSteps) model.steps = this.newSteps;
    const changed = this.changed();
    if (changed) this.putTogether();
    if (this.clients || model.data !== this.before.data) {
      const clients = this.clients ? [...this.clients.values()] : model.clients;
      model.clients = inOrder(clients, Object.keys(model.data.clients));
      model.expectedClients =
        Math.max(model.expectedClients ?? 0, model.clients.length) || model.expectedClients;
    }
    if (changed) model.best = betterBest(model);
    return withStatus(model);
  }

  private changed(): boolean {
    const { attempts } = this.model.state;
    if (attempts.length > 0 && attempts !== this.before.state.attempts) return true;
    return [...this.said.values()].some((each) => each.changed);
  }

  /** The one curve of all attempts: of each what is kept, and where two said the same number the newer one. */
  private putTogether(): void {
    const { model } = this;
    const told = model.state.attempts;
    if (told.length === 0) {
      Object.assign(model, this.of(model.state.attempt).finish());
      return;
    }
    model.attempts = told.map((each) => ({
      attempt: each.attempt,
      from: each.from ?? 0,
      reached: each.reached,
      kept: each.kept,
      started: millis(each.started),
      ended: millis(each.ended),
      how: each.how,
      ...this.of(each.attempt).finish(),
    }));
    const epochs = new Map<number, Epoch>();
    const rounds = new Map<number, Round>();
    for (const each of model.attempts) {
      const last = each.attempt === model.state.attempt ? Number.POSITIVE_INFINITY : each.kept;
      for (const epoch of each.epochs) if (epoch.epoch <= last) epochs.set(epoch.epoch, epoch);
      for (const round of each.rounds) if (round.round <= last) rounds.set(round.round, round);
    }
    model.epochs = same(
      model.epochs,
      [...epochs.values()].sort((a, b) => a.epoch - b.epoch),
    );
    model.rounds = same(
      model.rounds,
      [...rounds.values()].sort((a, b) => a.round - b.round),
    );
  }
}

/** The values before, where nothing in them has changed: whoever shows them need not do so again. */
function same<Each>(before: readonly Each[], after: readonly Each[]): readonly Each[] {
  return before.length === after.length && before.every((each, i) => each === after[i]) ? before : after;
}

function durationOf(cell: ClientRound): number | null {
  const stopped =
    cell.sent ?? (cell.failed === null ? null : cell.failed.own ? cell.failed.at : cell.lastHeard);
  return cell.started === null || stopped === null ? null : Math.max(0, stopped - cell.started);
}

/** As the run names them, then by name: neither by who was read first nor by anybody's clock. */
function inOrder(clients: readonly Client[], named: readonly string[]): Client[] {
  const places = new Map(named.map((name, place) => [name, place]));
  const place = (client: Client) => places.get(client.clientId) ?? named.length;
  const sorted = [...clients].sort((a, b) => place(a) - place(b) || byName(a.clientId, b.clientId));
  return sorted.map((client, index) => (client.index === index ? client : { ...client, index }));
}

/** The n of a global figure where nobody told it: the sum of what the round's hospitals evaluated on. */
function summed(round: Round): Round {
  const { aggregated } = round;
  if (aggregated === null || !aggregated.numSamplesSummed) return round;
  let sum = 0;
  for (const cell of Object.values(round.clients)) sum += cell.evaluation?.num_samples ?? 0;
  const numSamples = sum > 0 ? sum : null;
  return numSamples === aggregated.numSamples
    ? round
    : { ...round, aggregated: { ...aggregated, numSamples } };
}

export function draftOf(model: RunModel): Draft {
  return new Draft(model);
}

export function publish(draft: Draft): RunModel {
  return draft.finish();
}
