/** The runs of the picture 01, around a time. */

import type { Plan } from "./fakeRuns";

const SIX = ["Northgate", "St. Brigid’s", "Lakeview", "Riverside", "Queen Anne", "Harbour Children’s"];
const MIN = 60_000;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;

const NAN_DETAIL = `  File "training/trainer.py", line 188, in fit
    loss = self.training_step(batch, i)
  File "training/trainer.py", line 212, in training_step
    loss = self.criterion(logits, y)
FloatingPointError: loss is not finite (nan) at step 61
process 48213 ended with exit code 1`;

export function plansAround(now: number): readonly Plan[] {
  const live: Plan[] = [
    {
      runId: "six-sites-patient-split",
      name: "six-sites-patient-split",
      seed: 42,
      start: now - 7 * 184_000 - 142_000,
      rounds: 20,
      roundMs: 184_000,
      hospitals: SIX,
      reach: 0.985,
      partition: "patient",
      slow: { hospital: "St. Brigid’s", from: 8, times: 2.6 },
      clientFails: { hospital: "Queen Anne", round: 8, error: "GPU memory full: 1.2 GB wanted, 0.4 GB free" },
    },
    {
      runId: "resnet18-224-classweights",
      name: "resnet18-224-classweights",
      seed: 42,
      start: now - 6 * 62_000 - 40_000,
      epochs: 10,
      epochMs: 62_000,
      reach: 1.0,
      model: "resnet18",
    },
    // Its later messages are never said: see `silentAfter` in fakeServer.ts.
    {
      runId: "densenet121-pretrained",
      name: "densenet121-pretrained",
      seed: 7,
      start: now - 13 * MIN,
      epochs: 12,
      epochMs: 185_000,
      reach: 0.99,
      model: "DenseNet121",
    },
  ];
  const ended: Plan[] = [
    {
      runId: "six-sites-iid",
      name: "six-sites-iid",
      seed: 42,
      start: now - 82 * MIN,
      rounds: 20,
      roundMs: 174_000,
      hospitals: SIX,
      reach: 0.994,
      partition: "iid",
      testAuroc: 0.958,
    },
    {
      runId: "six-sites-dirichlet-0.3",
      name: "six-sites-dirichlet-0.3",
      seed: 42,
      start: now - 18 * HOUR,
      rounds: 20,
      roundMs: 192_000,
      hospitals: SIX,
      reach: 0.976,
      partition: "dirichlet",
      testAuroc: 0.941,
      clientFails: { hospital: "Lakeview", round: 5, error: "disk full" },
    },
    {
      runId: "resnet18-224-label-smoothing",
      name: "resnet18-224-label-smoothing",
      seed: 42,
      start: now - 19 * HOUR,
      epochs: 10,
      epochMs: 61_000,
      reach: 0.998,
      model: "resnet18",
      testAuroc: 0.957,
    },
    {
      runId: "three-sites-dicom-pilot",
      name: "three-sites-dicom-pilot",
      seed: 1,
      start: now - 23 * HOUR,
      rounds: 10,
      roundMs: 330_000,
      hospitals: SIX.slice(0, 3),
      reach: 0.95,
      partition: "patient",
      fails: { after: 3, error: "2 of 3 hospitals needed, 1 left" },
      clientFails: { hospital: "St. Brigid’s", round: 3, error: "disk full" },
    },
    {
      runId: "resnet18-lr-0.01",
      name: "resnet18-lr-0.01",
      seed: 42,
      start: now - 23.2 * HOUR,
      epochs: 10,
      epochMs: 62_000,
      reach: 0.74,
      model: "resnet18",
      fails: { after: 1, error: "loss became NaN at step 61", detail: NAN_DETAIL },
    },
    {
      runId: "cnn-small-baseline-2",
      name: "cnn-small-baseline",
      seed: 42,
      start: now - 23.6 * HOUR,
      epochs: 10,
      epochMs: 33_000,
      reach: 0.985,
      model: "small_cnn",
      stops: { after: 5, by: "an operator", reason: "checkpoint of epoch 5 kept" },
    },
    {
      runId: "six-sites-fedprox-0.01",
      name: "six-sites-fedprox-0.01",
      seed: 42,
      start: now - 24.3 * HOUR,
      rounds: 20,
      roundMs: 186_000,
      hospitals: SIX,
      reach: 0.99,
      partition: "patient",
      testAuroc: 0.951,
    },
    {
      runId: "cnn-small-baseline-1",
      name: "cnn-small-baseline",
      seed: 41,
      start: now - 24.5 * HOUR,
      epochs: 10,
      epochMs: 37_000,
      reach: 0.986,
      model: "small_cnn",
      testAuroc: 0.949,
    },
    {
      runId: "phantom-demo",
      name: "demo",
      seed: 0,
      start: now - 2 * DAY,
      epochs: 24,
      epochMs: 4_000,
      reach: 0.95,
      phantom: true,
      testAuroc: 0.951,
    },
  ];
  const more = Array.from(
    { length: 32 },
    (_, i): Plan => ({
      runId: `sweep-${String(i + 1).padStart(2, "0")}`,
      name: `sweep-${String(i + 1).padStart(2, "0")}`,
      seed: i,
      start: now - 3 * DAY - i * 9 * HOUR,
      epochs: 10,
      epochMs: 40_000,
      reach: 0.95 + (i % 7) * 0.007,
      testAuroc: 0.92 + (i % 5) * 0.01,
      ...(i % 11 === 3 ? { fails: { after: 2, error: "the process was killed by SIGKILL" } } : {}),
      ...(i % 13 === 5 ? { stops: { after: 6, by: "an operator", reason: "" } } : {}),
    }),
  );
  return [...live, ...ended, ...more];
}

/** Runs that fall silent, and how long before now. */
export const SILENT_MS: Readonly<Record<string, number>> = { "densenet121-pretrained": 100_000 };
