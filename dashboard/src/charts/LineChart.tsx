import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type uPlot from "uplot";
import "./charts.css";
import { lastAtOrBefore, nearest } from "./columns";
import { type Cursor, moveCursor, zoom } from "./cursor";
import { markPath } from "./marks";
import { columnsOf, makePlot, type PlotSpec, shapeOf } from "./plot";
import { sameContent } from "./same";
import { usePalette } from "./theme";

/** The cursor jumps to an epoch that lies nearer to the pointer than this, in CSS pixels. */
const SNAP = 14;

interface Props {
  spec: PlotSpec;
  /** Which chart this is, for the cursor; unique on the screen. */
  id: string;
  label: string;
  cursor: Cursor;
  height: number;
  /** Which x axis it has: charts of one axis and one cursor are zoomed together. */
  axis?: string;
  /** The reading at an x in words, for those who hear the chart. */
  reading: (x: number) => string;
}

/** A uPlot that follows its spec: at most one paint per animation frame, and none in a hidden tab. */
export function LineChart({ spec, id, label, cursor, height, reading, axis = "" }: Props) {
  const palette = usePalette();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const live = useRef(spec);
  const frame = useRef(0);
  // A chart whose x lies in columns of something else stays there.
  const zoomed = useRef<() => readonly [number, number] | null>(() => null);
  zoomed.current = () => {
    const zoom = cursor.getZoom();
    return spec.flush || zoom?.axis !== axis ? null : zoom.range;
  };
  const [at, setAt] = useState<number | null>(cursor.get()?.x ?? null);
  const shape = shapeOf(spec);

  useLayoutEffect(() => {
    const before = live.current;
    live.current = spec;
    if (frame.current !== 0 || !plot.current || sameContent(before, spec)) return;
    // The browser runs no animation frames in a hidden tab: drawing stops there and catches up by itself.
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      plot.current?.setData(columnsOf(live.current));
      if (plot.current) place(plot.current, live.current, cursor.get()?.x ?? null);
    });
  }, [spec, cursor]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` decides when the plot is made anew
  useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    const box = element.getBoundingClientRect();
    const made = makePlot(
      element,
      { width: Math.max(40, Math.floor(box.width)), height },
      () => live.current,
      () => zoomed.current(),
      palette,
    );
    plot.current = made;
    place(made, live.current, cursor.get()?.x ?? null);
    const observer = new ResizeObserver(() => {
      const width = Math.floor(element.getBoundingClientRect().width);
      if (width > 0 && width !== made.width) {
        made.setSize({ width, height });
        place(made, live.current, cursor.get()?.x ?? null);
      }
    });
    observer.observe(element);
    const unfollow = followPointer(made, id, axis, cursor, live);
    // Canvas text is drawn before the bundled font is there; draw once more when it is.
    let gone = false;
    document.fonts?.ready.then(() => {
      if (!gone) made.redraw(false, true);
    });
    return () => {
      gone = true;
      unfollow();
      observer.disconnect();
      cancelAnimationFrame(frame.current);
      frame.current = 0;
      made.destroy();
      plot.current = null;
    };
  }, [shape, palette, height, id, cursor, axis]);

  useEffect(() => {
    let shown = cursor.getZoom();
    return cursor.subscribe(() => {
      const x = cursor.get()?.x ?? null;
      if (cursor.getZoom() !== shown) {
        shown = cursor.getZoom();
        plot.current?.setData(columnsOf(live.current));
        // uPlot has its new scales in a microtask of its own: what lies over the plot is put there after it.
        queueMicrotask(() => {
          if (plot.current) place(plot.current, live.current, cursor.get()?.x ?? null);
        });
      }
      if (plot.current) place(plot.current, live.current, x);
      setAt(x);
    });
  }, [cursor]);

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const whole = [spec.x.min, spec.x.max] as const;
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
      const x = moveCursor(spec.stops, at, event.key);
      if (x !== null) cursor.set({ x, source: id });
    } else if (event.key === "Escape") {
      cursor.held = false;
      cursor.set(null);
    } else if (["+", "=", "-", "0"].includes(event.key)) {
      const range = zoom(whole, zoomed.current(), event.key, at);
      cursor.setZoom(range === null || spec.flush ? null : { axis, range });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={host}
      className="line-chart"
      style={{ height }}
      role="slider"
      tabIndex={0}
      aria-label={`${label}: cursor`}
      aria-orientation="horizontal"
      aria-valuemin={spec.x.min}
      aria-valuemax={spec.x.max}
      aria-valuenow={at ?? spec.stops[spec.stops.length - 1] ?? spec.x.min}
      aria-valuetext={at === null ? "no cursor; arrow keys move it" : reading(at)}
      onKeyDown={onKeyDown}
    />
  );
}

/** Puts the dashed line and the filled marks of the reading where the cursor is. */
function place(plot: uPlot, spec: PlotSpec, x: number | null): void {
  const layer = layerOf(plot);
  const { min, max } = plot.scales.x ?? {};
  if (x === null || min == null || max == null || x < min - 1e-9 || x > max + 1e-9) {
    layer.replaceChildren();
    return;
  }
  const width = plot.over.clientWidth;
  const height = plot.over.clientHeight;
  layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const left = Math.round(plot.valToPos(x, "x")) + 0.5;
  const parts = [`<line x1="${left}" x2="${left}" y1="0" y2="${height}" class="cursor-line"/>`];
  for (const series of spec.series) {
    if (!series.marked) continue;
    const i = lastAtOrBefore(series.points.x, x + 1e-9);
    const value = series.points.y[i];
    const at = series.points.x[i];
    if (value == null || at === undefined || Math.abs(at - x) > 1e-6) continue;
    const path = markPath(series.look.mark, plot.valToPos(at, "x"), plot.valToPos(value, "y"), 5);
    parts.push(`<path d="${path}" fill="var(${series.look.color})" stroke="var(${series.look.color})"/>`);
  }
  // Only numbers and names of ours go in here.
  layer.innerHTML = parts.join("");
}

function layerOf(plot: uPlot): SVGSVGElement {
  const found = plot.over.querySelector<SVGSVGElement>("svg.cursor-layer");
  if (found) return found;
  const layer = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  layer.setAttribute("class", "cursor-layer");
  layer.setAttribute("aria-hidden", "true");
  plot.over.append(layer);
  return layer;
}

/** A pointer that moves further than this with its button down draws a zoom, in CSS pixels. */
const DRAG = 6;

/**
 * The pointer moves the shared cursor; a click holds it, and a second one lets it go. Dragging with a mouse shows what it
 * was dragged over, in all charts; a finger scrolls the page and moves the cursor.
 */
function followPointer(
  plot: uPlot,
  id: string,
  axis: string,
  cursor: Cursor,
  live: { current: PlotSpec },
): () => void {
  const aborter = new AbortController();
  const options = { signal: aborter.signal };
  const leftOf = (event: PointerEvent) => event.clientX - plot.over.getBoundingClientRect().left;
  let from: number | null = null;
  let dragged = false;
  const box = document.createElement("div");
  box.className = "zoom-box";
  const move = (event: PointerEvent) => {
    const left = leftOf(event);
    if (from !== null && (dragged || Math.abs(left - from) > DRAG)) {
      dragged = true;
      const to = Math.min(plot.over.clientWidth, Math.max(0, left));
      box.style.left = `${Math.min(from, to)}px`;
      box.style.width = `${Math.abs(to - from)}px`;
      if (!box.isConnected) plot.over.append(box);
      return;
    }
    if (cursor.held) return;
    const x = plot.posToVal(left, "x");
    const stops = live.current.stops;
    const stop = stops[nearest(stops, x)];
    const snaps = stop !== undefined && Math.abs(plot.valToPos(stop, "x") - left) <= SNAP;
    cursor.set({ x: snaps ? stop : x, source: id });
  };
  const down = (event: PointerEvent) => {
    dragged = false;
    if (event.pointerType !== "touch" && event.button === 0 && !live.current.flush) {
      from = leftOf(event);
      plot.over.setPointerCapture(event.pointerId);
    }
    move(event);
  };
  const up = (event: PointerEvent) => {
    const begun = from;
    from = null;
    box.remove();
    if (!dragged || begun === null) return;
    const to = Math.min(plot.over.clientWidth, Math.max(0, leftOf(event)));
    const range = [plot.posToVal(Math.min(begun, to), "x"), plot.posToVal(Math.max(begun, to), "x")] as const;
    if (range[1] > range[0]) cursor.setZoom({ axis, range });
  };
  plot.over.addEventListener("pointermove", move, options);
  plot.over.addEventListener("pointerdown", down, options);
  plot.over.addEventListener("pointerup", up, options);
  plot.over.addEventListener(
    "pointercancel",
    () => {
      from = null;
      box.remove();
    },
    options,
  );
  plot.over.addEventListener(
    "click",
    () => {
      // The click that ends a drag holds nothing.
      if (!dragged) cursor.held = !cursor.held;
      dragged = false;
    },
    options,
  );
  plot.over.addEventListener(
    "pointerleave",
    () => {
      if (!cursor.held && from === null) cursor.set(null);
    },
    options,
  );
  return () => aborter.abort();
}
