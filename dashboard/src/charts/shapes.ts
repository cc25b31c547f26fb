/**
 * A chart as a list of shapes, drawn from the data and not from the screen: once for SVG and once, by the same path
 * texts, for PNG.
 */

import { ticksWithin } from "./axis";
import { markedPoints, markPath } from "./marks";
import { outsideOf, outsideWords } from "./outliers";
import { type PlotSpec, TAIL_DASH } from "./plot";
import { type Palette, withAlpha } from "./theme";

export type Shape =
  | {
      readonly path: string;
      readonly fill?: string;
      readonly stroke?: string;
      readonly width?: number;
      readonly dash?: readonly number[];
      readonly alpha?: number;
    }
  | {
      readonly text: string;
      readonly x: number;
      readonly y: number;
      readonly anchor: "start" | "middle" | "end";
      readonly fill: string;
      readonly bold?: boolean;
    };

export interface Sheet {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
}

export interface SheetWords {
  title: string;
  about: string;
  xName: string;
}

const LEFT = 58;
const RIGHT = 20;
const TOP = 62;
const BOTTOM = 46;

/** The shapes of a chart, in the colours of `palette`, over the x range that is shown. */
export function sheetOf(
  spec: PlotSpec,
  words: SheetWords,
  palette: Palette,
  zoomed: readonly [number, number] | null = null,
  size = { width: 960, height: 480 },
): Sheet {
  const [from, to] = zoomed ?? [spec.x.min, spec.x.max];
  const { min, max } = spec.y;
  const right = size.width - RIGHT;
  const bottom = size.height - BOTTOM;
  const px = (x: number) => round(LEFT + ((x - from) / (to - from || 1)) * (right - LEFT));
  const up = (y: number) => (spec.log ? Math.log10(y) : y);
  const py = (y: number) => round(bottom - ((up(y) - up(min)) / (up(max) - up(min) || 1)) * (bottom - TOP));
  const clamped = (y: number) => Math.min(bottom, Math.max(TOP, py(y)));
  const ink = palette("--text");
  const quiet = palette("--text3");
  const shapes: Shape[] = [
    { path: `M0 0H${size.width}V${size.height}H0z`, fill: palette("--surface") },
    { text: words.title, x: LEFT, y: 22, anchor: "start", fill: ink, bold: true },
    { text: words.about, x: right, y: 22, anchor: "end", fill: quiet },
    { text: words.xName, x: right, y: size.height - 8, anchor: "end", fill: quiet },
  ];
  spec.y.ticks.forEach((tick, i) => {
    shapes.push({ path: `M${LEFT} ${py(tick)}H${right}`, stroke: palette("--grid"), width: 1 });
    shapes.push({
      text: spec.y.texts[i] ?? "",
      x: LEFT - 8,
      y: py(tick) + 4,
      anchor: "end",
      fill: quiet,
    });
  });
  const across = zoomed ? (spec.x.within ?? ticksWithin)(from, to, 8) : spec.x;
  across.ticks.forEach((tick, i) => {
    shapes.push({ path: `M${px(tick)} ${TOP}V${bottom}`, stroke: palette("--grid"), width: 1 });
    shapes.push({ text: across.texts[i] ?? "", x: px(tick), y: bottom + 18, anchor: "middle", fill: quiet });
  });
  shapes.push({ path: `M${LEFT} ${bottom}H${right}`, stroke: palette("--line2"), width: 1 });
  if (spec.level) shapes.push({ path: `M${LEFT} ${py(spec.level.y)}H${right}`, stroke: ink, width: 1 });
  let legend = LEFT;
  for (const series of spec.series) {
    const color = series.reference ? quiet : palette(series.look.color);
    const dash = series.reference ? [4, 3] : series.tail ? TAIL_DASH : series.look.dash;
    const { x, y, low, high } = series.points;
    const shown = (i: number) => {
      const at = x[i];
      const value = y[i];
      return at !== undefined && value != null && at >= from && at <= to && !(spec.log && value <= 0);
    };
    if (low && high)
      shapes.push({ path: bandPath(x, low, high, shown, px, clamped), fill: withAlpha(color, 0.15) });
    shapes.push({
      path: linePath(x, y, shown, px, clamped),
      stroke: color,
      width: series.width ?? 2,
      ...(dash.length > 0 ? { dash } : {}),
      ...(series.alpha === undefined ? {} : { alpha: series.alpha }),
    });
    const marked = series.marked ? markedPoints(x.map((at, i) => (shown(i) ? px(at) : null))) : [];
    for (const i of marked) {
      const filled = series.look.filled && !series.hollow?.has(x[i] ?? 0);
      const fill = filled ? color : palette("--surface");
      const path = markPath(series.look.mark, px(x[i] ?? 0), clamped(y[i] ?? 0), 4);
      shapes.push({ path, fill, stroke: color, width: 1.75 });
    }
    x.forEach((at, i) => {
      const value = y[i];
      if (value == null || series.smooth || !shown(i) || (value <= max && value >= min)) return;
      shapes.push({ path: edgePath(px(at), value > max ? TOP : bottom, value > max ? -1 : 1), fill: color });
    });
    shapes.push({ path: `M${legend} 42h18`, stroke: color, width: 2, ...(dash.length > 0 ? { dash } : {}) });
    if (series.marked)
      shapes.push({
        path: markPath(series.look.mark, legend + 9, 42, 3.6),
        fill: palette("--surface"),
        stroke: color,
        width: 1.6,
      });
    shapes.push({ text: series.label, x: legend + 24, y: 46, anchor: "start", fill: ink });
    legend += 40 + series.label.length * 6.4;
  }
  const outside = spec.log ? null : outsideOf(spec.series, min, max);
  if (outside)
    shapes.push({
      text: outsideWords(outside),
      x: right,
      y: TOP + 14,
      anchor: "end",
      fill: palette("--warn"),
    });
  return { ...size, shapes };
}

/** A small triangle at the edge of the plot that points to a value beyond it. */
export function edgePath(x: number, y: number, down: -1 | 1): string {
  return `M${x - 4} ${y - 7 * down}h8L${x} ${y}z`;
}

type Place = (value: number) => number;

function linePath(
  x: readonly number[],
  y: readonly (number | null)[],
  shown: (i: number) => boolean,
  px: Place,
  py: Place,
): string {
  let path = "";
  let drawing = false;
  x.forEach((at, i) => {
    if (!shown(i)) {
      drawing = false;
      return;
    }
    path += `${drawing ? "L" : "M"}${px(at)} ${py(y[i] ?? 0)}`;
    drawing = true;
  });
  return path;
}

function bandPath(
  x: readonly number[],
  low: readonly (number | null)[],
  high: readonly (number | null)[],
  shown: (i: number) => boolean,
  px: Place,
  py: Place,
): string {
  let path = "";
  let part: number[] = [];
  const close = () => {
    const there = part.map((i) => `${px(x[i] ?? 0)} ${py(high[i] ?? 0)}`);
    const back = part.reverse().map((i) => `${px(x[i] ?? 0)} ${py(low[i] ?? 0)}`);
    if (there.length > 1) path += `M${[...there, ...back].join("L")}z`;
    part = [];
  };
  x.forEach((_, i) => {
    if (shown(i) && low[i] != null && high[i] != null) part.push(i);
    else close();
  });
  close();
  return path;
}

/** The sheet as an SVG document. */
export function svgOf({ width, height, shapes }: Sheet, title: string): string {
  const body = shapes.map((shape) => {
    if ("text" in shape) {
      const weight = shape.bold ? ' font-weight="600"' : "";
      return `<text x="${shape.x}" y="${shape.y}" text-anchor="${shape.anchor}" fill="${shape.fill}"${weight}>${escaped(shape.text)}</text>`;
    }
    const dash = shape.dash ? ` stroke-dasharray="${shape.dash.join(" ")}"` : "";
    const alpha = shape.alpha === undefined ? "" : ` opacity="${shape.alpha}"`;
    return `<path d="${shape.path}" fill="${shape.fill ?? "none"}" stroke="${shape.stroke ?? "none"}" stroke-width="${shape.width ?? 0}" stroke-linejoin="round"${dash}${alpha}/>`;
  });
  const font = "Inter, system-ui, 'Segoe UI', Roboto, sans-serif";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${font}" font-size="12"><title>${escaped(title)}</title>${body.join("")}</svg>\n`;
}

/** The sheet as a PNG, twice as fine as it is large. */
export function pngOf({ width, height, shapes }: Sheet): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  canvas.width = width * 2;
  canvas.height = height * 2;
  const context = canvas.getContext("2d");
  if (context === null) return Promise.resolve(null);
  context.scale(2, 2);
  context.lineJoin = "round";
  for (const shape of shapes) {
    if ("text" in shape) {
      context.font = `${shape.bold ? 600 : 400} 12px "Inter Variable", system-ui, sans-serif`;
      context.textAlign = shape.anchor === "middle" ? "center" : shape.anchor;
      context.fillStyle = shape.fill;
      context.fillText(shape.text, shape.x, shape.y);
      continue;
    }
    const path = new Path2D(shape.path);
    context.globalAlpha = shape.alpha ?? 1;
    if (shape.fill) {
      context.fillStyle = shape.fill;
      context.fill(path);
    }
    if (shape.stroke) {
      context.strokeStyle = shape.stroke;
      context.lineWidth = shape.width ?? 1;
      context.setLineDash([...(shape.dash ?? [])]);
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
