import { useRef } from "react";
import { growOnly, type Scale, tickTexts } from "../charts/axis";
import type { PlotSpec } from "../charts/plot";

interface Kept {
  key: string;
  turn: number;
  scale: Scale;
  empty: boolean;
}

/**
 * The spec with a y range that only grows, and at most once per turn (an epoch or a round), so that a curve under
 * the eye does not jump.
 *
 * @param key What is shown; another axis or metric begins afresh.
 */
export function useSteady(spec: PlotSpec, key: string, turn: number): PlotSpec {
  const kept = useRef<Kept | null>(null);
  const empty = spec.series.every((series) => series.points.x.length === 0);
  const before = kept.current;
  const { min, max, ticks } = spec.y;
  const next = { min, max, ticks };
  if (before === null || before.key !== key || before.empty) {
    kept.current = { key, turn, scale: next, empty };
    return spec;
  }
  // What was a range of a few values and turned out to be one of an outlier is no range to keep.
  if (turn !== before.turn && before.scale.max - before.scale.min > 4 * (max - min)) {
    kept.current = { key, turn, scale: next, empty };
    return spec;
  }
  const grown = growOnly(before.scale, next);
  if (grown === before.scale) return withScale(spec, before.scale);
  if (turn === before.turn && turn > 1) return withScale(spec, before.scale);
  kept.current = { key, turn, scale: grown, empty: false };
  return withScale(spec, grown);
}

function withScale(spec: PlotSpec, scale: Scale): PlotSpec {
  if (spec.y.min === scale.min && spec.y.max === scale.max) return spec;
  return { ...spec, y: { ...scale, texts: tickTexts(scale.ticks) } };
}
