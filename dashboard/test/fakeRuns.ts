/**
 * Runs that never were, for looking at the page and for its tests: the messages a real training would write, with
 * times of their own. Numbers are made up; counts are PneumoniaMNIST's.
 */

import type { Message } from "../src/client/model";

/** A small generator of numbers that is the same on every machine (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Plan {
  readonly runId: string;
  readonly name: string;
  readonly seed: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly epochs?: number;
  readonly epochMs?: number;
  readonly rounds?: number;
  readonly roundMs?: number;
  readonly hospitals?: readonly string[];
  readonly localEpochs?: number;
  /** Where the last value of validation AUROC comes near to. */
  readonly reach: number;
  readonly testAuroc?: number;
  readonly phantom?: boolean;
  readonly partition?: string;
  readonly model?: string;
  /** What cuts it short: after so many epochs (or rounds). */
  readonly fails?: { readonly after: number; readonly error: string; readonly detail?: string };
  readonly stops?: { readonly after: number; readonly by: string; readonly reason: string };
  readonly falls?: number;
  /** A hospital that fails in a round. */
  readonly clientFails?: { readonly hospital: string; readonly round: number; readonly error: string };
  /** A hospital that takes so much longer from a round on. */
  readonly slow?: { readonly hospital: string; readonly from: number; readonly times: number };
}

const DATA = {
  name: "PneumoniaMNIST",
  digest: "b455d41a9c1e44b0a2d87f044",
  splits: {
    train: { n: 4708, normal: 1214, pneumonia: 3494 },
    val: { n: 524, normal: 135, pneumonia: 389 },
    test: { n: 624, normal: 234, pneumonia: 390 },
  },
};
const STEPS = 148;
const STEPS_TOLD = 74;

type Said = Omit<Message, "timestamp" | "run_id"> & { readonly at: number };

/** All messages of a run, in order of time; those in the future have not been said yet. */
export function messagesOf(plan: Plan): readonly Message[] {
  const said = plan.rounds === undefined ? centralised(plan) : federated(plan);
  return [...said]
    .sort((a, b) => a.at - b.at)
    .map(({ at, ...rest }) => ({ ...rest, run_id: plan.runId, timestamp: stamp(at) }) as Message);
}

function stamp(at: number): string {
  return new Date(at).toISOString().replace("Z", "000+00:00");
}

function beginning(plan: Plan): Said {
  const fed = plan.rounds !== undefined;
  return {
    type: "run_start",
    at: plan.start,
    experiment_name: plan.name,
    mode: fed ? "federated" : "centralized",
    attempt: 1,
    ...(fed ? { total_rounds: plan.rounds } : { total_epochs: plan.epochs }),
    config: {
      epochs: plan.epochs ?? 24,
      batch_size: 32,
      learning_rate: 0.0003,
      weight_decay: 0.05,
      image_size: 28,
      model: plan.model ?? "small_resnet",
      seed: plan.seed,
      threshold: 0.5,
      device: "auto",
      ...(fed
        ? {
            num_clients: plan.hospitals?.length,
            num_rounds: plan.rounds,
            local_epochs: plan.localEpochs ?? 3,
            partition: plan.partition ?? "patient",
            alpha: 0.3,
            strategy: "fedavg",
            engine: "local",
          }
        : {}),
    },
    data: { ...DATA, name: plan.phantom ? "phantoms" : DATA.name, phantom: plan.phantom ?? false },
    software: { python: "3.11.9", torch: "2.15.0", lightning: "2.6.0" },
  };
}

/** Rates of a model that has come `share` of the way. */
function rates(share: number, reach: number, random: () => number): Record<string, number> {
  const rise = 1 - Math.exp(-3.2 * share);
  const auroc = Math.min(0.9995, 0.72 + (reach - 0.72) * rise + (random() - 0.5) * 0.006);
  const recall = Math.round(389 * Math.min(0.995, 0.88 + 0.1 * rise + (random() - 0.5) * 0.02)) / 389;
  const specificity = Math.round(135 * Math.min(0.99, 0.7 + 0.26 * rise + (random() - 0.5) * 0.05)) / 135;
  return {
    val_loss: 0.45 * Math.exp(-3 * share) + 0.09 + random() * 0.01,
    val_auroc: auroc,
    val_recall: recall,
    val_specificity: specificity,
    val_accuracy: (recall * 389 + specificity * 135) / 524,
    val_precision: (recall * 389) / (recall * 389 + (1 - specificity) * 135),
    num_samples: 524,
  };
}

function* centralised(plan: Plan): Generator<Said> {
  const random = seeded(plan.seed * 7919 + plan.name.length);
  const epochs = plan.epochs ?? 10;
  const epochMs = plan.epochMs ?? 60_000;
  yield beginning(plan);
  if (plan.phantom !== true)
    yield {
      type: "alert",
      at: plan.start + 900,
      level: "warning",
      title: "Duplicates",
      text: "8 images occur in more than one split",
    };
  const last = plan.fails?.after ?? plan.stops?.after ?? epochs;
  let row = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const open = plan.start + 2_000 + (epoch - 1) * epochMs;
    yield { type: "epoch_start", at: open, epoch, total_epochs: epochs };
    const cut = epoch > last;
    const told = cut ? Math.floor(STEPS_TOLD * 0.41) : STEPS_TOLD;
    for (let i = 1; i <= told; i++) {
      const share = (epoch - 1 + i / STEPS_TOLD) / epochs;
      const loss =
        0.5 * Math.exp(-4 * share) + 0.07 + (random() - 0.5) * 0.03 * (1 + 3 * Math.exp(-6 * share));
      yield {
        type: "step",
        at: open + (i / STEPS_TOLD) * epochMs * 0.94,
        epoch,
        step: i * 2,
        total_steps: STEPS,
        phase: "train",
        row: ++row,
        metrics: { train_loss: loss },
      };
    }
    if (cut) return yield* endOf(plan, open + 0.45 * epochMs, epoch);
    const at = open + epochMs * 0.96;
    const share = epoch / epochs;
    yield {
      type: "epoch_end",
      at,
      epoch,
      total_epochs: epochs,
      phase: "train",
      metrics: { train_loss: 0.5 * Math.exp(-4 * share) + 0.07, learning_rate: 0.0003 },
    };
    const fallen = plan.falls !== undefined && epoch >= plan.falls ? 0.06 : 0;
    yield {
      type: "epoch_end",
      at: at + 800,
      epoch,
      total_epochs: epochs,
      phase: "val",
      metrics: rates(share, plan.reach - fallen, random),
    };
  }
  yield* finished(plan, plan.start + 2_000 + epochs * epochMs, epochs);
}

function* endOf(plan: Plan, at: number, _epoch: number): Generator<Said> {
  if (plan.fails)
    yield { type: "training_error", at, error: plan.fails.error, detail: plan.fails.detail ?? null };
  else if (plan.stops) yield { type: "training_cancelled", at, by: plan.stops.by, reason: plan.stops.reason };
}

function* finished(plan: Plan, at: number, epochs: number): Generator<Said> {
  const auroc = plan.testAuroc ?? 0.955;
  const final: Record<string, number> = {
    total_epochs: epochs,
    best_epoch: Math.max(1, epochs - 2),
    best_val_recall: 0.974,
    best_val_loss: 0.079,
    duration_seconds: (at - plan.start) / 1000,
    test_auroc: auroc,
    test_accuracy: 545 / 624,
    test_recall: 381 / 390,
    test_specificity: 164 / 234,
    test_loss: 0.31,
  };
  const n = 60;
  const k = (1 - auroc) / auroc;
  const fpr = Array.from({ length: n + 1 }, (_, i) => (i / n) ** 2);
  yield {
    type: "test_curves",
    at: at + 4_000,
    fpr,
    tpr: fpr.map((x) => x ** k),
    threshold: fpr.map((_, i) => 1 - i / n),
    confusion: { tp: 381, fn: 9, fp: 70, tn: 164 },
  };
  yield { type: "training_complete", at: at + 5_000, final_metrics: final };
}

function* federated(plan: Plan): Generator<Said> {
  const random = seeded(plan.seed * 104729 + plan.name.length);
  const rounds = plan.rounds ?? 3;
  const roundMs = plan.roundMs ?? 180_000;
  const hospitals = plan.hospitals ?? ["client_0", "client_1", "client_2"];
  const local = plan.localEpochs ?? 3;
  const last = plan.fails?.after ?? plan.stops?.after ?? rounds;
  const rows = new Map<string, number>();
  yield beginning(plan);
  for (let round = 1; round <= rounds; round++) {
    const open = plan.start + 3_000 + (round - 1) * roundMs;
    yield { type: "round_start", at: open, round, total_rounds: rounds };
    if (round > last) return yield* endOf(plan, open + roundMs * 0.6, round);
    let sum = 0;
    let sent = 0;
    const failed: string[] = [];
    for (const [i, client_id] of hospitals.entries()) {
      const times = plan.slow?.hospital === client_id && round >= plan.slow.from ? plan.slow.times : 1;
      const took = roundMs * (i === 3 ? 0.9 : 0.42 + 0.05 * i + random() * 0.04) * times;
      const begins = open + (i === hospitals.length - 1 && round > 1 ? roundMs * 0.45 : 500 + i * 300);
      const n = [1212, 402, 968, 731, 1104, 291][i % 6] ?? 500;
      const fails = plan.clientFails?.hospital === client_id && plan.clientFails.round === round;
      yield { type: "round_start", at: begins, round, total_rounds: rounds, client_id };
      const steps = 13 + i * 4;
      const until = fails ? local * 0.55 : local;
      for (let s = 1; s <= steps * until; s++) {
        const share = (round - 1 + s / (steps * local)) / rounds;
        const row = (rows.get(client_id) ?? 0) + 1;
        rows.set(client_id, row);
        const epoch = Math.ceil(s / steps);
        const at = begins + (s / (steps * local)) * took * 0.95;
        const loss = 0.45 * Math.exp(-4 * share) + 0.1 + 0.04 * (i % 3) * 0.5 + (random() - 0.5) * 0.03;
        yield {
          type: "step",
          at,
          round,
          epoch,
          step: ((s - 1) % steps) + 1,
          total_steps: steps,
          phase: "train",
          client_id,
          row,
          metrics: { train_loss: loss },
        };
        if (s % steps === 0)
          yield {
            type: "local_epoch",
            at: at + 1,
            round,
            local_epoch: epoch,
            client_id,
            metrics: { train_loss: loss, num_samples: n },
          };
      }
      if (fails) {
        failed.push(client_id);
        yield {
          type: "client_failed",
          at: begins + took * 0.6,
          round,
          client_id,
          error: plan.clientFails?.error ?? "",
        };
        continue;
      }
      const { num_samples: _, ...evaluation } = rates(round / rounds, plan.reach - 0.004 * i, random);
      yield {
        type: "round_end",
        at: begins + took,
        round,
        client_id,
        fit_metrics: { train_loss: 0.45 * Math.exp((-4 * round) / rounds) + 0.1, num_samples: n },
        eval_metrics: { ...evaluation, num_samples: Math.round(n / 9) },
      };
      sum += n;
      sent += 1;
    }
    const slowest = plan.slow && round >= plan.slow.from ? plan.slow.times : 1;
    const metrics = rates(round / rounds, plan.reach, random);
    yield {
      type: "round_aggregated",
      at: open + roundMs * Math.max(0.97, 0.55 * slowest),
      round,
      num_clients: sent,
      failed_clients: failed,
      metrics: { ...metrics, num_samples: sum > 0 && failed.length > 0 ? 492 : 524 },
    };
  }
  yield* finished(plan, plan.start + 3_000 + rounds * roundMs, rounds);
}
