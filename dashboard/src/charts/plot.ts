/** What a chart shows, as a value, and the uPlot that draws it. The drawing of everything that is no line: `drawing.ts`. */

import uPlot from "uplot";
import { type Scale, ticksWithin } from "./axis";
import { joinColumns, type Points } from "./columns";
import { drawAbove, drawBelow, FONT } from "./drawing";
import type { Look } from "./marks";
import { type Palette, withAlpha } from "./theme";

export interface PlotSeries {
  label: string;
  look: Look;
  points: Points;
  /** Validation has marks, training has none. */
  marked: boolean;
  /** The x values whose mark is hollow: the global model without all hospitals. */
  hollow?: ReadonlySet<number>;
  width?: number;
  /** Below 1 for a line of many noisy steps, so that what lies beside it is seen. */
  alpha?: number;
  /** A reference to compare with: thin and dashed, in grey. */
  reference?: boolean;
  /** A mark on the last point only, as small charts have it. */
  markLast?: boolean;
  /** The smoothed line over a raw one: it is drawn, and is no value that anybody told. */
  smooth?: boolean;
  /** What a later attempt supersedes: thin and dashed, with small marks. */
  tail?: boolean;
}

export const TAIL_DASH: readonly number[] = [3, 3];

export interface PlotAxis extends Scale {
  texts: readonly string[];
  /** The ticks of a part of it, where they are no plain numbers. */
  within?: typeof ticksWithin;
}

export interface PlotSpec {
  series: readonly PlotSeries[];
  x: PlotAxis;
  y: PlotAxis;
  log?: boolean;
  /** The epoch or round that is open, from its start to where it has come. */
  tint?: readonly [number, number] | null;
  /** What is still arriving. */
  hatch?: { from: number; to: number; label: string } | null;
  /** "last message 10:29:47" */
  lines?: readonly { x: number; label: string }[];
  /** Where a run went back, and which attempt goes on from there. */
  turns?: readonly { x: number; label: string }[];
  /** A value to stand by, across the plot: "no difference". */
  level?: { y: number; label: string };
  /** "no steps for 26 s" */
  gaps?: readonly { from: number; to: number; label: string }[];
  /** Words beside a point: "0.979" at the end of a curve, or "5 of 6 hospitals, n 492" below one. */
  notes?: readonly { x: number; y: number; text: string; strong?: boolean; below?: boolean }[];
  /** A round that failed: a small red cross at the foot of the chart. */
  crosses?: readonly number[];
  /** Where the cursor may stand when moved by keys, and where it snaps to; rising. */
  stops: readonly number[];
  /** Words at the foot of the plot, to the right of an x. */
  foot?: { x: number; text: string } | null;
  /** CSS pixels of the y axis; 0 hides it. */
  yAxis?: number;
  /** No room left and right of the plot: its x axis lies under columns of something else. */
  flush?: boolean;
}

/** The hatching of what is known to exist and not here yet; `null` when all is here. */
export function arrivingHatch(from: number, to: number | null): NonNullable<PlotSpec["hatch"]> | null {
  return to !== null && to > from + 1e-6 ? { from, to, label: "arriving" } : null;
}

/** What decides whether a chart can be kept when the spec changes, or must be made anew. */
export function shapeOf(spec: PlotSpec): string {
  const series = spec.series.map((each) =>
    [
      each.label,
      each.look.color,
      each.look.mark,
      each.look.filled,
      each.points.low ? "band" : "",
      each.width ?? "",
      each.reference ?? "",
      each.tail ?? "",
    ].join(":"),
  );
  return [series.join("|"), spec.log ?? false, spec.yAxis ?? ""].join("#");
}

/** The columns uPlot draws; the ends of the x axis stand in them, so that an empty chart still has axes. */
export function columnsOf(spec: PlotSpec): uPlot.AlignedData {
  const ends: Points = { x: [spec.x.min, spec.x.max], y: [] };
  return joinColumns(
    [ends, ...spec.series.map((each) => (spec.log ? positive(each.points) : each.points))],
    true,
  );
}

/** The room right of the plot: half the text of a tick that stands at its very end. */
function rightOf({ max, ticks, texts }: PlotAxis): number {
  const last = ticks[ticks.length - 1] === max ? (texts[texts.length - 1] ?? "") : "";
  return Math.max(8, Math.ceil(last.length * 3.4));
}

/** A logarithm has no place for zero: such a value is a gap there. */
function positive(points: Points): Points {
  const only = (column: readonly (number | null)[]) =>
    column.map((value) => (value !== null && value > 0 ? value : null));
  return {
    x: points.x,
    y: only(points.y),
    ...(points.low && points.high ? { low: only(points.low), high: only(points.high) } : {}),
  };
}

/**
 * Makes the uPlot of a chart. It reads ranges, ticks and marks from `spec()` each time it draws, so an update is
 * `setData` alone.
 */
export function makePlot(
  target: HTMLElement,
  size: { width: number; height: number },
  spec: () => PlotSpec,
  zoomed: () => readonly [number, number] | null,
  palette: Palette,
): uPlot {
  const first = spec();
  /** The ticks of the whole axis, or of the part that is shown. */
  const across = (plot: uPlot) => {
    const { x } = spec();
    const zoom = zoomed();
    if (zoom === null) return x;
    return (x.within ?? ticksWithin)(zoom[0], zoom[1], Math.max(2, Math.floor(plot.over.clientWidth / 80)));
  };
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const each of first.series) {
    const color = each.reference ? palette("--text3") : palette(each.look.color);
    const dash = each.reference ? [4, 3] : [...(each.tail ? TAIL_DASH : each.look.dash)];
    series.push({
      label: each.label,
      stroke: color,
      width: each.width ?? (each.reference || each.tail ? 1.25 : 2),
      ...(each.alpha === undefined ? {} : { alpha: each.alpha }),
      ...(dash.length > 0 ? { dash } : {}),
      points: { show: false },
      spanGaps: false,
    });
    if (each.points.low && each.points.high) {
      const at = series.length;
      const edge: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
      series.push({ ...edge, label: `${each.label}, low` }, { ...edge, label: `${each.label}, high` });
      bands.push({ series: [at + 1, at], fill: withAlpha(color, each.look.color === "--ink" ? 0.14 : 0.15) });
    }
  }
  const axis = { font: FONT, stroke: palette("--text3"), ticks: { show: false } } as const;
  const grid = { stroke: palette("--grid"), width: 1 };
  return new uPlot(
    {
      ...size,
      series,
      bands,
      legend: { show: false },
      // The cursor is the page's own: shared by all charts, snapped to epochs and moved by keys.
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      padding: first.flush ? [8, 0, 0, 0] : [8, rightOf(first.x), 0, 0],
      scales: {
        x: {
          time: false,
          range: () => {
            const zoom = zoomed();
            return zoom ? [zoom[0], zoom[1]] : [spec().x.min, spec().x.max];
          },
        },
        y: { range: () => [spec().y.min, spec().y.max], ...(first.log ? { distr: 3, log: 10 } : {}) },
      },
      axes: [
        {
          ...axis,
          grid,
          size: 24,
          gap: 5,
          splits: (plot) => [...across(plot).ticks],
          values: (plot) => [...across(plot).texts],
          border: { show: true, stroke: palette("--line2"), width: 1 },
        },
        {
          ...axis,
          grid,
          size: first.yAxis ?? 40,
          gap: 8,
          splits: () => [...spec().y.ticks],
          values: () => (first.yAxis === 0 ? [] : [...spec().y.texts]),
          ...(first.log ? { filter: (_: uPlot, splits: number[]) => splits } : {}),
        },
      ],
      hooks: {
        drawClear: [(plot) => drawBelow(plot, spec(), palette)],
        draw: [(plot) => drawAbove(plot, spec(), palette)],
      },
    },
    columnsOf(first),
    target,
  );
}
