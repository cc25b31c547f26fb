/** The board as a value: hospitals in rows, rounds in columns, and in each cell how the round's time was spent. */

import { type Look, lookOf } from "../charts/marks";
import type { Client, ClientFailure, ClientRound, Metrics, Round, RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { median } from "../run/time";
import { withheldWords } from "./cellDetail";
import { hospitalCount, isOpenRound, lateBy, spanOf, usualDuration } from "./rounds";

export type Part = { kind: "wait" | "train" | "late"; from: number; to: number };

export interface Cell {
  clientId: string;
  round: number;
  state: "future" | "past" | "open";
  /** How the time was spent, as shares of the column's width. */
  parts: readonly Part[];
  failed: ClientFailure | null;
  record: ClientRound | null;
}

export interface Column {
  round: number;
  state: "future" | "past" | "open";
  /** Milliseconds it took, or has been open. */
  took: number | null;
  sent: number;
  of: number;
}

export interface Row {
  key: string;
  client: Client | null;
  name: string;
  look: Look;
  /** "1,212 images, 330 normal" */
  facts: string;
  /** "only 9 normal": a class so small that its figures swing. */
  rare: string | null;
  /** What its site does not send, and why; `null` where it sends everything. */
  withheld: { count: number; words: string } | null;
}

export interface Board {
  rows: readonly Row[];
  columns: readonly Column[];
  open: number | null;
  /** One cell; made when it is asked for, and kept once its round is over. */
  cell: (row: number, column: number) => Cell;
}

/** Fewer cases of a class than this are worth a warning beside the name. */
const RARE = 10;

/** A round of the model with its place, and how long it lasted. */
interface Found {
  round: Round;
  index: number;
  span: { from: number; to: number | null } | null;
  column: Column;
}

/** What a past round came to, and its cells: a round object never changes, a changed round is another object. */
const past = new WeakMap<Round, { of: number; found: Found; cells: Map<string, Cell> }>();

export function boardOf(model: RunModel, now: number): Board {
  const of = hospitalCount(model);
  const byNumber = new Map(
    model.rounds.map((round, index) => [round.round, foundOf(model, round, index, of, now)]),
  );
  const last = model.rounds[model.rounds.length - 1]?.round ?? 0;
  const total = Math.max(model.totalRounds ?? 0, last, 1);
  const columns = Array.from({ length: total }, (_, i): Column => {
    return byNumber.get(i + 1)?.column ?? { round: i + 1, state: "future", took: null, sent: 0, of };
  });
  const usualRound = median(
    model.rounds.slice(-6).flatMap((round) => {
      const column = byNumber.get(round.round)?.column;
      return column?.state === "past" && column.took !== null ? [column.took] : [];
    }),
  );
  const withheld = withheldBy(model);
  const clients: (Client | null)[] = [...model.clients];
  while (clients.length < of) clients.push(null);
  return {
    rows: clients.map((client, i) => ({
      ...factsOf(model, client, i),
      withheld: withheld.get(client?.clientId ?? "") ?? null,
    })),
    columns,
    open: columns.find((column) => column.state === "open")?.round ?? null,
    cell: (row, column) => {
      const found = byNumber.get(column + 1);
      const client = clients[row] ?? null;
      const kept = found && client ? past.get(found.round)?.cells : undefined;
      const known = client && kept?.get(client.clientId);
      if (known) return known;
      const made = cellOf(model, client, found, column + 1, usualRound, now);
      if (client && kept && made.state === "past") kept.set(client.clientId, made);
      return made;
    },
  };
}

function foundOf(model: RunModel, round: Round, index: number, of: number, now: number): Found {
  const kept = past.get(round);
  if (kept && kept.of === of && !isOpenRound(model, round)) return kept.found;
  const span = spanOf(model, index);
  const open = isOpenRound(model, round);
  const column: Column = {
    round: round.round,
    state: open ? "open" : "past",
    took: span === null ? null : Math.max(0, (span.to ?? now) - span.from),
    sent: Object.values(round.clients).filter((cell) => cell.sent !== null).length,
    of,
  };
  const found: Found = { round, index, span, column };
  if (!open) past.set(round, { of, found, cells: new Map() });
  return found;
}

function cellOf(
  model: RunModel,
  client: Client | null,
  found: Found | undefined,
  round: number,
  usualRound: number | null,
  now: number,
): Cell {
  const state = found?.column.state ?? "future";
  const record = (client && found?.round.clients[client.clientId]) ?? null;
  const base = { clientId: client?.clientId ?? "", round, state, record };
  if (!found) return { ...base, parts: [], failed: null };
  const failed = record?.failed ?? null;
  const { span } = found;
  if (!span) return { ...base, parts: [], failed };
  const end = (span.to ?? now) - span.from;
  const whole = state === "open" ? Math.max(end, usualRound ?? 0, 1) : Math.max(end, 1);
  const usual = client ? usualDuration(model, client.clientId, round, found.index) : null;
  return { ...base, failed, parts: partsOf(record, span.from, end, whole, usual) };
}

/** Waiting before the start, training (what is beyond the usual apart), waiting for the others. */
export function partsOf(
  record: ClientRound | null,
  from: number,
  end: number,
  whole: number,
  usual: number | null,
): Part[] {
  const share = (milliseconds: number) => Math.min(1, Math.max(0, milliseconds / whole));
  const began = record === null ? null : (record.started ?? record.firstHeard) - from;
  if (record === null || began === null) return end > 0 ? [{ kind: "wait", from: 0, to: share(end) }] : [];
  const stopped = record.sent ?? record.failed?.at ?? null;
  const until = Math.min(end, stopped === null ? end : stopped - from);
  const parts: Part[] = [];
  const add = (kind: Part["kind"], a: number, b: number) => {
    if (share(b) > share(a)) parts.push({ kind, from: share(a), to: share(b) });
  };
  const over = lateBy(until - began, usual);
  add("wait", 0, began);
  add("train", began, until - over);
  add("late", until - over, until);
  add("wait", until, end);
  return parts;
}

function withheldBy(model: RunModel): Map<string, Row["withheld"]> {
  return new Map(
    model.state.clients.flatMap((client) => {
      const words = withheldWords(client.withheld.map((one) => [one.what, one.why]));
      return words === null ? [] : [[client.client_id, { count: client.withheld.length, words }] as const];
    }),
  );
}

function factsOf(model: RunModel, client: Client | null, index: number): Omit<Row, "withheld"> {
  const look = lookOf(index);
  if (!client) {
    return {
      key: `expected-${index}`,
      client,
      name: `hospital ${index + 1}`,
      look,
      facts: "not heard yet",
      rare: null,
    };
  }
  const id = client.clientId;
  const told = model.data.clients[id]?.train;
  if (!told) {
    const n = newestSamples(model, id);
    return {
      key: id,
      client,
      name: id,
      look: lookOf(client.index),
      facts: n === null ? "n not reported" : `${count(n)} images`,
      rare: null,
    };
  }
  const images = `${count(told.n)} images`;
  const small = few(told.normal, "normal") ?? few(told.pneumonia, "pneumonia");
  const normal = told.normal === null || small ? "" : `, ${count(told.normal)} normal`;
  return {
    key: id,
    client,
    name: id,
    look: lookOf(client.index),
    facts: images + normal,
    rare: small,
  };
}

function few(cases: number | null, what: string): string | null {
  if (cases === null || cases >= RARE) return null;
  return cases === 0 ? `no ${what}` : `only ${cases} ${what}`;
}

function newestSamples(model: RunModel, clientId: string): number | null {
  for (let i = model.rounds.length - 1; i >= 0; i--) {
    const n = model.rounds[i]?.clients[clientId]?.fit?.num_samples;
    if (n != null) return n;
  }
  return null;
}

/** What a cell says as text: the local value of a metric, in as few characters as 30 px hold. */
export function cellValue(cell: Cell, metric: "auroc" | "loss", few: boolean): string {
  if (cell.failed || !cell.record) return "";
  const { evaluation, fit, localEpochs } = cell.record;
  const newest = localEpochs[localEpochs.length - 1]?.metrics;
  if (metric === "auroc") {
    if (few) return "n/a";
    const value = evaluation?.val_auroc ?? newest?.val_auroc;
    return value == null ? "" : rate(value, 2).replace(/^0/, "");
  }
  const value = fit?.train_loss ?? newest?.train_loss;
  return value == null ? "" : rate(value, 2).replace(/^0/, "");
}

/** Fewer cases of a class than this, and a hospital's AUROC says nothing. */
const FEW = 5;

/** Why a local AUROC is not shown: fewer than five cases of a class. */
export function tooFew(model: RunModel, clientId: string): string | null {
  const told = model.data.clients[clientId]?.val;
  const newest = newestEvaluation(model, clientId);
  const normal = told?.normal ?? newest?.num_normal ?? null;
  const pneumonia = told?.pneumonia ?? newest?.num_pneumonia ?? null;
  if (normal !== null && normal < FEW) return `not shown: ${normal} normal`;
  if (pneumonia !== null && pneumonia < FEW) return `not shown: ${pneumonia} pneumonia`;
  return null;
}

function newestEvaluation(model: RunModel, clientId: string): Metrics | null {
  for (let i = model.rounds.length - 1; i >= 0; i--) {
    const evaluation = model.rounds[i]?.clients[clientId]?.evaluation;
    if (evaluation) return evaluation;
  }
  return null;
}

/** How wide a column is: 30 px for 20 rounds, wider where there is room. */
export function columnWidth(available: number, rounds: number): number {
  return Math.min(140, Math.max(30, Math.floor(available / Math.max(1, rounds))));
}
