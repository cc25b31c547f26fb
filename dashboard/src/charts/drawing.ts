/** What uPlot does not draw by itself: the tint of the open epoch, hatching, marks, words beside points. */

import uPlot from "uplot";
import { markedPoints, traceMark } from "./marks";
import { outsideOf, outsideWords } from "./outliers";
import type { PlotSeries, PlotSpec } from "./plot";
import type { Palette } from "./theme";

export const FONT = '12px "Inter Variable", system-ui, "Segoe UI", Roboto, sans-serif';

/** Below grid and lines: the tint of what is open, and the hatching of what is still arriving. */
export function drawBelow(plot: uPlot, spec: PlotSpec, palette: Palette): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (spec.tint && spec.tint[1] > spec.tint[0]) {
    const from = plot.valToPos(spec.tint[0], "x", true);
    const to = plot.valToPos(spec.tint[1], "x", true);
    ctx.fillStyle = palette("--act-tint");
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
  }
  if (spec.hatch && spec.hatch.to > spec.hatch.from) hatching(plot, spec.hatch.from, spec.hatch.to, palette);
  for (const turn of spec.turns ?? []) turnLine(plot, turn.x, palette);
  if (spec.level) levelLine(plot, spec.level.y, palette);
  ctx.restore();
}

/** Above the lines: marks, crosses, gaps, words. */
export function drawAbove(plot: uPlot, spec: PlotSpec, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  ctx.save();
  ctx.beginPath();
  // Marks may stand on the edge of the plot, so the clip has room for half of one.
  ctx.rect(bbox.left - 7 * px, bbox.top - 8 * px, bbox.width + 15 * px, bbox.height + 15 * px);
  ctx.clip();
  for (const series of spec.series) {
    if (series.marked || series.markLast) marks(plot, series, palette);
  }
  if (!spec.log) beyond(plot, spec, palette);
  for (const x of spec.crosses ?? []) cross(plot, x, palette);
  for (const turn of spec.turns ?? []) turnWords(plot, turn, palette);
  if (spec.level) {
    const y = plot.valToPos(spec.level.y, "y", true);
    const right = bbox.left + bbox.width - 4 * px;
    const above = y - bbox.top > 18 * px;
    words(
      plot,
      spec.level.label,
      right,
      y + (above ? -9 : 9) * px,
      "right",
      palette("--text3"),
      palette("--surface"),
      400,
    );
  }
  for (const line of spec.lines ?? []) verticalLine(plot, line.x, line.label, palette);
  for (const gap of spec.gaps ?? []) bracket(plot, gap, palette);
  if (spec.hatch && spec.hatch.to > spec.hatch.from) {
    const x = plot.valToPos((spec.hatch.from + spec.hatch.to) / 2, "x", true);
    words(
      plot,
      spec.hatch.label,
      x,
      bbox.top + bbox.height / 2,
      "center",
      palette("--text"),
      palette("--surface"),
      600,
    );
  }
  if (spec.foot) {
    const x = plot.valToPos(spec.foot.x, "x", true) + 5 * px;
    const text = spec.foot.text;
    const room = bbox.left + bbox.width - x > 70 * px;
    const y = bbox.top + bbox.height - 12 * px;
    words(
      plot,
      text,
      room ? x : x - 46 * px,
      y,
      room ? "left" : "right",
      palette("--act"),
      palette("--surface"),
      500,
    );
  }
  for (const note of spec.notes ?? []) {
    const x = plot.valToPos(note.x, "x", true);
    const y = plot.valToPos(note.y, "y", true) + (note.below ? 21 * px : 0);
    const color = palette(note.strong ? "--text" : "--text3");
    // At the right edge the words go below the point, for beside it there is no room.
    const crowded = !note.below && x + 50 * px > bbox.left + bbox.width;
    const align = note.below ? "center" : crowded ? "right" : "left";
    words(
      plot,
      note.text,
      note.below ? x : crowded ? x + 4 * px : x + 9 * px,
      crowded ? y + 16 * px : y,
      align,
      color,
      palette("--surface"),
      note.strong ? 600 : 400,
    );
  }
  ctx.restore();
}

function marks(plot: uPlot, series: PlotSeries, palette: Palette): void {
  const { ctx } = plot;
  const px = uPlot.pxRatio;
  const { x, y } = series.points;
  const min = plot.scales.x?.min ?? Number.NEGATIVE_INFINITY;
  const max = plot.scales.x?.max ?? Number.POSITIVE_INFINITY;
  const places = x.map((at, i) => {
    const value = y[i];
    return value == null || at < min || at > max ? null : plot.valToPos(at, "x");
  });
  let shown: number[];
  if (series.marked) shown = markedPoints(places);
  else {
    const last = places.findLastIndex((place) => place !== null);
    shown = last < 0 ? [] : [last];
  }
  const color = palette(series.look.color);
  whiskers(plot, series, color);
  const radius = (series.tail ? 2.6 : series.markLast && !series.marked ? 4.6 : 4) * px;
  for (const i of shown) {
    const at = x[i];
    const value = y[i];
    if (at === undefined || value == null) continue;
    traceMark(ctx, series.look.mark, plot.valToPos(at, "x", true), plot.valToPos(value, "y", true), radius);
    ctx.fillStyle = series.look.filled && !series.hollow?.has(at) ? color : palette("--surface");
    ctx.strokeStyle = color;
    ctx.lineWidth = (series.tail ? 1.25 : 1.75) * px;
    ctx.lineJoin = "round";
    ctx.setLineDash([]);
    ctx.fill();
    ctx.stroke();
  }
}

/** A value that stands alone has no band to show its interval: a thin line does. */
function whiskers(plot: uPlot, series: PlotSeries, color: string): void {
  const { x, y, low, high } = series.points;
  if (!low || !high) return;
  const { ctx } = plot;
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.25 * uPlot.pxRatio;
  ctx.setLineDash([]);
  x.forEach((at, i) => {
    const from = low[i];
    const to = high[i];
    if (y[i] == null || from == null || to == null || y[i - 1] != null || y[i + 1] != null) return;
    const left = plot.valToPos(at, "x", true);
    ctx.beginPath();
    ctx.moveTo(left, plot.valToPos(from, "y", true));
    ctx.lineTo(left, plot.valToPos(to, "y", true));
    ctx.stroke();
  });
}

/** Values outside the y range: a triangle at the edge for each place, and in words how many and how far. */
function beyond(plot: uPlot, spec: PlotSpec, palette: Palette): void {
  const outside = outsideOf(spec.series, spec.y.min, spec.y.max);
  if (outside === null) return;
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  for (const series of spec.series) {
    if (series.smooth) continue;
    ctx.fillStyle = palette(series.look.color);
    const { x, y } = series.points;
    x.forEach((at, i) => {
      const value = y[i];
      if (value == null || (value <= spec.y.max && value >= spec.y.min)) return;
      const left = plot.valToPos(at, "x", true);
      if (left < bbox.left || left > bbox.left + bbox.width) return;
      const up = value > spec.y.max;
      const tip = up ? bbox.top : bbox.top + bbox.height;
      const back = (up ? 8 : -8) * px;
      ctx.beginPath();
      ctx.moveTo(left, tip);
      ctx.lineTo(left - 4.5 * px, tip + back);
      ctx.lineTo(left + 4.5 * px, tip + back);
      ctx.fill();
    });
  }
  words(
    plot,
    outsideWords(outside),
    bbox.left + bbox.width - 6 * px,
    bbox.top + 12 * px,
    "right",
    palette("--warn"),
    palette("--surface"),
    500,
  );
}

function cross(plot: uPlot, at: number, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const x = plot.valToPos(at, "x", true);
  const y = bbox.top + bbox.height - 9 * px;
  const arm = 2.8 * px;
  ctx.strokeStyle = palette("--bad");
  ctx.lineWidth = 1.6 * px;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(x - arm, y - arm);
  ctx.lineTo(x + arm, y + arm);
  ctx.moveTo(x + arm, y - arm);
  ctx.lineTo(x - arm, y + arm);
  ctx.stroke();
}

function verticalLine(plot: uPlot, at: number, label: string, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
  ctx.strokeStyle = palette("--warn");
  ctx.lineWidth = px;
  ctx.setLineDash([3 * px, 3 * px]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
  const left = x > bbox.left + bbox.width * 0.6;
  words(
    plot,
    label,
    x + (left ? -6 : 6) * px,
    bbox.top + 9 * px,
    left ? "right" : "left",
    palette("--warn"),
    palette("--surface"),
    600,
  );
}

/** Where a run went back: a fine line through the plot, below all curves. */
function turnLine(plot: uPlot, at: number, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
  ctx.strokeStyle = palette("--text3");
  ctx.lineWidth = px;
  ctx.setLineDash([px, 3 * px]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
}

function levelLine(plot: uPlot, value: number, palette: Palette): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
  ctx.strokeStyle = palette("--ink");
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
}

function turnWords(plot: uPlot, turn: { x: number; label: string }, palette: Palette): void {
  const { bbox } = plot;
  const px = uPlot.pxRatio;
  const x = plot.valToPos(turn.x, "x", true);
  const left = x > bbox.left + bbox.width * 0.8;
  words(
    plot,
    turn.label,
    x + (left ? -5 : 5) * px,
    bbox.top + bbox.height - 10 * px,
    left ? "right" : "left",
    palette("--text3"),
    palette("--surface"),
    400,
  );
}

function bracket(plot: uPlot, gap: { from: number; to: number; label: string }, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const from = plot.valToPos(gap.from, "x", true);
  const to = Math.max(plot.valToPos(gap.to, "x", true), from + 6 * px);
  const y = bbox.top + bbox.height * 0.4;
  ctx.strokeStyle = palette("--line2");
  ctx.lineWidth = px;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(from, y - 4 * px);
  ctx.lineTo(from, y);
  ctx.lineTo(to, y);
  ctx.lineTo(to, y - 4 * px);
  ctx.stroke();
  const middle = Math.min(Math.max((from + to) / 2, bbox.left + 60 * px), bbox.left + bbox.width - 60 * px);
  words(plot, gap.label, middle, y - 12 * px, "center", palette("--text3"), palette("--surface"), 400);
}

/** Text with a halo in the colour of the ground, so that it can be read over a line. */
function words(
  plot: uPlot,
  text: string,
  x: number,
  y: number,
  align: CanvasTextAlign,
  color: string,
  halo: string,
  weight: number,
): void {
  const { ctx } = plot;
  const px = uPlot.pxRatio;
  ctx.font = `${weight} ${FONT.replace("12px", `${12 * px}px`)}`;
  ctx.textAlign = align;
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * px;
  ctx.strokeStyle = halo;
  ctx.setLineDash([]);
  ctx.strokeText(text, x, y);
  ctx.fillStyle = color;
  ctx.fillText(text, x, y);
}

function hatching(plot: uPlot, from: number, to: number, palette: Palette): void {
  const { ctx, bbox } = plot;
  const px = uPlot.pxRatio;
  const left = plot.valToPos(from, "x", true);
  const right = plot.valToPos(to, "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = palette("--hatch");
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = px;
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += 6 * px) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
