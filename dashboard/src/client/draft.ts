/**
 * A model while a batch is folded into it. Each collection is copied at most once per batch, on its first change,
 * so a batch costs what it changes and models already given out stay as they were.
 */

import { betterBest } from "./best";
import type { Alert, Client, ClientRound, Epoch, Round, RunEvent, RunModel, StepSeries } from "./model";
import { byName } from "./reading";
import { withStatus } from "./withState";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export class Draft {
  readonly model: Writable<RunModel>;
  /** A new attempt has begun and has not said yet at which epoch or round. */
  redo = false;
  private epochs: Map<number, Epoch> | null = null;
  private rounds: Map<number, Round> | null = null;
  private clients: Map<string, Client> | null = null;
  /** The cells of rounds that have changed in this batch: nobody else has seen these objects. */
  private readonly newCells = new Map<number, Record<string, ClientRound>>();
  private newEvents: RunEvent[] | null = null;
  private newAlerts: Alert[] | null = null;
  private newSteps: Record<string, StepSeries> | null = null;

  constructor(private readonly before: RunModel) {
    this.model = { ...before };
    this.redo = before.attempt > 1 && before.status === "started";
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
    this.epochs ??= new Map(this.before.epochs.map((each) => [each.epoch, each]));
    return this.epochs;
  }

  forgetEpochsFrom(epoch: number): void {
    for (const each of [...this.epochsByNumber().keys()])
      if (each >= epoch) this.epochsByNumber().delete(each);
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
    const round = this.roundAt(cell.round);
    let clients = this.newCells.get(cell.round);
    if (clients === undefined) {
      clients = { ...round.clients };
      this.newCells.set(cell.round, clients);
    }
    clients[cell.clientId] = { ...cell, duration: durationOf(cell) };
    if (round.clients !== clients) this.setRound({ ...round, clients });
  }

  forgetRoundsFrom(round: number): void {
    for (const each of [...this.roundsByNumber().keys()])
      if (each >= round) {
        this.roundsByNumber().delete(each);
        this.newCells.delete(each);
      }
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
    this.rounds ??= new Map(this.before.rounds.map((each) => [each.round, each]));
    return this.rounds;
  }

  finish(): RunModel {
    const { model } = this;
    if (this.newEvents) model.events = this.newEvents;
    if (this.newAlerts) model.alerts = this.newAlerts;
    if (this.newSteps) model.steps = this.newSteps;
    if (this.epochs) model.epochs = [...this.epochs.values()].sort((a, b) => a.epoch - b.epoch);
    if (this.rounds) model.rounds = [...this.rounds.values()].sort((a, b) => a.round - b.round).map(summed);
    if (this.clients || model.data !== this.before.data) {
      const clients = this.clients ? [...this.clients.values()] : model.clients;
      model.clients = inOrder(clients, Object.keys(model.data.clients));
      model.expectedClients =
        Math.max(model.expectedClients ?? 0, model.clients.length) || model.expectedClients;
    }
    if (this.epochs || this.rounds) model.best = betterBest(model);
    return withStatus(model);
  }
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
