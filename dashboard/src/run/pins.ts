/** Further metrics of which somebody wants a chart: which there are, and one of them as a chart. */

import { lossScale, rateScale } from "../charts/axis";
import { withoutOutliers } from "../charts/outliers";
import type { PlotSeries, PlotSpec } from "../charts/plot";
import { rawAndSmooth, SMOOTHINGS, withSmoothing } from "../charts/smooth";
import { stepFilter } from "../client/attempts";
import { type RunModel, stepSeries } from "../client/model";
import { casesOf, metricName } from "./figures";
import { type ChartView, epochPoints, LOOKS, type Looking, nWords, reading, withTexts } from "./plots";
import type { XAxis } from "./xaxis";

/** At most so many are pinned at once. */
export const MOST_PINS = 8;

const RATE = /(auroc|auc|recall|sensitivity|specificity|accuracy|precision|f1)$/;

/** Every metric that epochs or steps tell, by its bare name ("accuracy" for `train_accuracy` and `val_accuracy`). */
export function pinnable(model: RunModel): readonly string[] {
  const found = new Set<string>();
  for (const epoch of model.epochs)
    for (const phase of ["train", "val"] as const)
      for (const name of Object.keys(epoch[phase]?.metrics ?? {})) found.add(bare(name));
  for (const name of Object.keys(stepSeries(model, "train")?.metrics ?? {})) found.add(bare(name));
  found.delete("num_samples");
  return [...found].sort();
}

function bare(name: string): string {
  return name.replace(/^(train|val)_/, "");
}

/** Training and validation of one metric: by steps where only they tell it, else by epochs. */
export function pinnedChart(model: RunModel, metric: string, x: XAxis, looking: Looking): ChartView {
  const { smoothing, full, zoom, traces } = looking;
  const series: PlotSeries[] = [];
  const steps = stepSeries(model, "train");
  const column = [`train_${metric}`, metric].find((name) => steps?.metrics[name] !== undefined);
  const train = epochPoints(model, `train_${metric}`, "train", x, false);
  if (train.y.some((value) => value !== null))
    series.push({ label: "train", look: LOOKS.train, points: train, marked: false });
  else if (steps && column) {
    const key = `${model.runId}/${x.kind}/${model.started}/${x.images}/${model.attempt}`;
    const weight = SMOOTHINGS[smoothing];
    const trace = traces.of(key, steps, column, x, stepFilter(model, steps, null), weight);
    const from = zoom?.[0] ?? Number.NEGATIVE_INFINITY;
    const to = zoom?.[1] ?? Number.POSITIVE_INFINITY;
    const raw = { label: "train", look: LOOKS.train, points: trace.raw.view(from, to, 900), marked: false };
    const smooth = trace.smooth?.view(from, to, 900);
    series.push(...(smooth ? rawAndSmooth(raw, smooth.y, smooth.x, smoothing) : [{ ...raw, width: 1 }]));
  }
  const validation = epochPoints(model, `val_${metric}`, "val", x, true);
  if (validation.y.some((value) => value !== null))
    series.push({ label: "validation", look: LOOKS.validation, points: validation, marked: true });
  const told = series.flatMap(({ points }) => [...points.y, ...(points.low ?? [])]);
  const values = full ? told : withoutOutliers(told);
  const spec: PlotSpec = {
    series,
    x: x.axis,
    y: withTexts(RATE.test(metric) ? rateScale(values) : lossScale(values)),
    tint: x.tint,
    stops: (validation.x.length > 0 ? validation : train).x,
  };
  const n = nWords([casesOf(model, "val").n]);
  return {
    spec: withSmoothing(spec, smoothing),
    empty: series.length === 0 ? `Nothing was told of ${metricName(metric).toLowerCase()} yet.` : null,
    read: (at) => ({
      entries: series
        .filter(({ smooth }) => !smooth)
        .map(({ look, marked, label, points }) => reading(look, marked, label, points, at, marked)),
      at: `${at === null ? "newest" : `at ${x.words(at)}`}, ${n}`,
    }),
  };
}
