/** The board as a value: hospitals in rows, rounds in columns, and in each cell how the round's time was spent. */

import { type Look, lookOf } from "../charts/marks";
import type { Client, ClientFailure, ClientRound, Round, RunModel } from "../client/model";
import { count, rate } from "../client/numbers";
import { median } from "../run/time";
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
  cells: readonly Cell[];
}

export interface Board {
  rows: readonly Row[];
  columns: readonly Column[];
  open: number | null;
}

/** Fewer cases of a class than this are worth a warning beside the name. */
const RARE = 10;

export function boardOf(model: RunModel, now: number): Board {
  const last = model.rounds[model.rounds.length - 1]?.round ?? 0;
  const total = Math.max(model.totalRounds ?? 0, last, 1);
  const byNumber = new Map(model.rounds.map((round, i) => [round.round, { round, i }]));
  const pastSpans = model.rounds.flatMap((_, i) => {
    const span = spanOf(model, i);
    return span?.to == null ? [] : [span.to - span.from];
  });
  const usualRound = median(pastSpans.slice(-5));
  const columns = Array.from(
    { length: total },
    (_, c): Column => columnOf(model, byNumber.get(c + 1), c + 1, now),
  );
  const clients: (Client | null)[] = [...model.clients];
  while (clients.length < hospitalCount(model)) clients.push(null);
  const rows = clients.map((client, r): Row => {
    const cells = columns.map((column): Cell => {
      const found = byNumber.get(column.round);
      return cellOf(model, client, found, column, usualRound, now);
    });
    return { ...factsOf(model, client, r), cells };
  });
  return { rows, columns, open: columns.find((column) => column.state === "open")?.round ?? null };
}

function columnOf(
  model: RunModel,
  found: { round: Round; i: number } | undefined,
  number: number,
  now: number,
): Column {
  const of = hospitalCount(model);
  if (!found) return { round: number, state: "future", took: null, sent: 0, of };
  const span = spanOf(model, found.i);
  const open = isOpenRound(model, found.round);
  const cells = Object.values(found.round.clients);
  const took = span === null ? null : Math.max(0, (span.to ?? now) - span.from);
  return {
    round: number,
    state: open ? "open" : "past",
    took,
    sent: cells.filter((cell) => cell.sent !== null).length,
    of,
  };
}

function cellOf(
  model: RunModel,
  client: Client | null,
  found: { round: Round; i: number } | undefined,
  column: Column,
  usualRound: number | null,
  now: number,
): Cell {
  const record = (client && found?.round.clients[client.clientId]) ?? null;
  const base = { clientId: client?.clientId ?? "", round: column.round, state: column.state, record };
  if (!found || column.state === "future") return { ...base, parts: [], failed: null };
  const failed = record?.failed ?? null;
  const span = spanOf(model, found.i);
  if (!span) return { ...base, parts: [], failed };
  const whole =
    column.state === "open"
      ? Math.max(now - span.from, usualRound ?? 0, 1)
      : Math.max((span.to ?? now) - span.from, 1);
  const usual = client ? usualDuration(model, client.clientId, column.round) : null;
  const end = (span.to ?? now) - span.from;
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

function factsOf(model: RunModel, client: Client | null, index: number): Omit<Row, "cells"> {
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
  const small = [
    told.normal !== null && told.normal < RARE ? `only ${told.normal} normal` : null,
    told.pneumonia !== null && told.pneumonia < RARE ? `only ${told.pneumonia} pneumonia` : null,
  ].find((words) => words !== null);
  const normal = told.normal === null || small ? "" : `, ${count(told.normal)} normal`;
  return {
    key: id,
    client,
    name: id,
    look: lookOf(client.index),
    facts: images + normal,
    rare: small ?? null,
  };
}

function newestSamples(model: RunModel, clientId: string): number | null {
  for (let i = model.rounds.length - 1; i >= 0; i--) {
    const n = model.rounds[i]?.clients[clientId]?.fit?.num_samples;
    if (n != null) return n;
  }
  return null;
}

/** What a cell says as text: the local value of a metric, in as few characters as 30 px hold. */
export function cellValue(cell: Cell, metric: "auroc" | "loss", rare: boolean): string {
  if (cell.failed || !cell.record) return "";
  const { evaluation, fit, localEpochs } = cell.record;
  const newest = localEpochs[localEpochs.length - 1]?.metrics;
  if (metric === "auroc") {
    if (rare) return "n/a";
    const value = evaluation?.val_auroc ?? newest?.val_auroc;
    return value == null ? "" : rate(value, 2).replace(/^0/, "");
  }
  const value = fit?.train_loss ?? newest?.train_loss;
  return value == null ? "" : rate(value, 2).replace(/^0/, "");
}

/** Why a local AUROC is not shown: fewer than five cases of a class. */
export function tooFew(model: RunModel, clientId: string): string | null {
  const split = model.data.clients[clientId]?.val;
  if (!split) return null;
  if (split.normal !== null && split.normal < 5) return `not shown: ${split.normal} normal`;
  if (split.pneumonia !== null && split.pneumonia < 5) return `not shown: ${split.pneumonia} pneumonia`;
  return null;
}

/** How wide a column is: 30 px for 20 rounds, wider where there is room. */
export function columnWidth(available: number, rounds: number): number {
  return Math.min(140, Math.max(30, Math.floor(available / Math.max(1, rounds))));
}
