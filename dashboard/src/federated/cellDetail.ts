/** What is known of one hospital in one round, in sentences. */

import type { RunModel } from "../client/model";
import { bytes, count, rate } from "../client/numbers";
import { durationWords } from "../run/time";
import type { Cell } from "./board";
import { hospitalCount, localEpochsOf, usualDuration } from "./rounds";

export function detailLines(model: RunModel, cell: Cell): { at: number | null; lines: string[] } {
  const { record, failed } = cell;
  if (!record) {
    return {
      at: null,
      lines: [cell.state === "open" ? "No message in this round yet." : "It took no part in this round."],
    };
  }
  const lines: string[] = [];
  if (failed) {
    lines.push(stoppedAt(model, cell));
    const images = record.fit?.num_samples ?? model.data.clients[cell.clientId]?.train?.n ?? null;
    const left = hospitalCount(model) - failuresIn(model, cell.round);
    lines.push(
      `The round goes on with ${left} hospital${left === 1 ? "" : "s"}${images === null ? "" : `; ${count(images)} images are missing from it`}.`,
    );
    return { at: failed.at, lines: [...lines, ...withheldLines(cell)] };
  }
  const usual = usualDuration(model, cell.clientId, cell.round);
  if (record.duration !== null) {
    lines.push(
      `Trained for ${durationWords(record.duration)}${usual === null ? "" : `, usually ${durationWords(usual)}`}.`,
    );
  }
  const epochs = record.localEpochs.length;
  if (epochs > 0) lines.push(`${epochs} of ${Math.max(epochs, localEpochsOf(model))} local epochs told.`);
  const loss = record.fit?.train_loss ?? record.localEpochs[epochs - 1]?.metrics.train_loss;
  if (loss != null) lines.push(`Train loss ${rate(loss)}${samples(record.fit?.num_samples)}.`);
  const { evaluation } = record;
  if (evaluation) {
    const values = (["val_auroc", "val_recall", "val_loss"] as const)
      .filter((name) => evaluation[name] != null)
      .map(
        (name) =>
          `${{ val_auroc: "AUROC", val_recall: "recall", val_loss: "loss" }[name]} ${rate(evaluation[name])}`,
      );
    if (values.length > 0)
      lines.push(`Its own validation: ${values.join(", ")}${samples(evaluation.num_samples)}.`);
  }
  if (record.bytesDown !== null || record.bytesUp !== null) {
    lines.push(`Received ${bytes(record.bytesDown)}, sent ${bytes(record.bytesUp)}.`);
  }
  return { at: record.sent ?? record.lastHeard, lines: [...lines, ...withheldLines(cell)] };
}

function withheldLines(cell: Cell): string[] {
  const words = withheldWords(Object.entries(cell.record?.withheld ?? {}));
  return words === null ? [] : [`Withheld by the hospital: ${words}.`];
}

/** What a site does not send, and why: `val_auroc (n 7 < 20)`; `null` where it sends everything. */
export function withheldWords(told: readonly (readonly [string, string])[]): string | null {
  const sorted = [...told].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? null : sorted.map(([what, why]) => `${what} (${why})`).join(", ");
}

function samples(n: number | null | undefined): string {
  return n == null ? ", n not reported" : `, n ${count(n)}`;
}

function stoppedAt(model: RunModel, cell: Cell): string {
  const { record } = cell;
  const step = record?.step;
  const done = record?.localEpochs[record.localEpochs.length - 1]?.localEpoch ?? 0;
  const parts = [
    step?.epoch
      ? `local epoch ${step.epoch}`
      : done > 0
        ? `local epoch ${Math.min(done + 1, localEpochsOf(model))}`
        : null,
    step ? `step ${step.step}${step.totalSteps ? ` of ${step.totalSteps}` : ""}` : null,
    step?.metrics.train_loss != null ? `loss ${rate(step.metrics.train_loss)}` : null,
  ].filter((part) => part !== null);
  return parts.length > 0 ? `Stopped in ${parts.join(", ")}.` : "It stopped before its first step.";
}

function failuresIn(model: RunModel, round: number): number {
  const found = model.rounds.find((each) => each.round === round);
  return Object.values(found?.clients ?? {}).filter((cell) => cell.failed !== null).length;
}
