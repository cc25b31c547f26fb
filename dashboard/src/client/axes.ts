/**
 * Where the figures of a run lie on each x axis: images seen, epochs of data, rounds, seconds, bytes moved. The rules
 * are those of `hub/axes.py`, of which recorded runs hold the page to the same answers.
 */

import type { ClientRound, RunModel } from "./model";

export const AXES = ["images", "epochs", "rounds", "seconds", "bytes"] as const;
export type Axis = (typeof AXES)[number];

/** How far a run had come when it said a figure; `null` for what cannot be told. */
export type Reached = Readonly<Record<Axis, number | null>>;

/** One figure of the run as a whole: an epoch's validation, or a global model. */
export interface Station {
  /** The epoch, or the round. */
  readonly number: number;
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly reached: Reached;
}

/** The figures of a run as a whole, in order. */
export function stationsOf(model: RunModel): readonly Station[] {
  return model.federated ? roundStations(model) : epochStations(model);
}

function epochStations(model: RunModel): Station[] {
  const size = model.data.splits.train?.n ?? null;
  const begun = begunAt(model);
  return model.epochs.flatMap(({ epoch, val }) => {
    if (val === null) return [];
    const images = size === null ? null : epoch * size;
    const seconds = since(begun, val.at);
    return [
      {
        number: epoch,
        metrics: val.metrics,
        reached: { images, epochs: epoch, rounds: null, seconds, bytes: null },
      },
    ];
  });
}

function roundStations(model: RunModel): Station[] {
  const size = model.data.splits.train?.n ?? null;
  const begun = begunAt(model);
  let images: number | null = 0;
  let bytes: number | null = null;
  const found: Station[] = [];
  for (const round of model.rounds) {
    const cells = Object.values(round.clients);
    if (cells.length === 0) continue;
    images = sum(
      images,
      cells.filter((cell) => cell.sent !== null).map((cell) => imagesOf(model, cell)),
    );
    for (const cell of cells) bytes = more(more(bytes, cell.bytesDown), cell.bytesUp);
    if (round.aggregated === null) continue;
    found.push({
      number: round.round,
      metrics: round.aggregated.metrics,
      reached: {
        images,
        epochs: images === null || !size ? null : images / size,
        rounds: round.round,
        seconds: since(begun, round.aggregated.at),
        bytes,
      },
    });
  }
  return found;
}

/** The images a hospital has trained on in a round: what it said it has, in each local epoch. */
function imagesOf(model: RunModel, cell: ClientRound): number | null {
  const each = cell.fit?.num_samples ?? model.data.clients[cell.clientId]?.train?.n ?? null;
  const told = cell.localEpochs[cell.localEpochs.length - 1]?.localEpoch ?? 0;
  return each === null ? null : each * (told || model.localEpochs || 1);
}

/** When the run began, all attempts counted; milliseconds. */
function begunAt(model: RunModel): number | null {
  const starts = model.events.filter(({ type, clientId }) => type === "run_start" && clientId === null);
  return starts.length > 0 ? Math.min(...starts.map(({ at }) => at)) : model.started;
}

function since(begun: number | null, at: number): number | null {
  return begun === null ? null : Math.max(0, (at - begun) / 1000);
}

function more(before: number | null, added: number | null): number | null {
  return added === null ? before : (before ?? 0) + added;
}

function sum(before: number | null, added: readonly (number | null)[]): number | null {
  return added.reduce((total, each) => (total === null || each === null ? null : total + each), before);
}
