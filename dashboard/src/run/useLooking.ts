import { useState } from "react";
import type { Cursor } from "../charts/cursor";
import { SMOOTHING_NAMES, type Smoothing } from "../charts/smooth";
import { useZoom } from "../charts/useCursor";
import type { Looking } from "./plots";
import { StepTraces } from "./stepTraces";
import { useParam } from "./useParam";

export const Y_RANGES = ["linear", "log", "full"] as const;
export type YRange = (typeof Y_RANGES)[number];

/** How the charts of a page are looked at: it stands in the URL, and is the same for all of them. */
export function useLooking(cursor: Cursor, axis: string): Looking & { y: YRange } {
  const [traces] = useState(() => new StepTraces());
  const [smoothing] = useSmoothing();
  const [y] = useYRange();
  return { smoothing, y, full: y === "full", zoom: useZoom(cursor, axis), traces };
}

export function useSmoothing(): [Smoothing, (smoothing: Smoothing) => void] {
  return useParam("smooth", SMOOTHING_NAMES, "off");
}

export function useYRange(): [YRange, (range: YRange) => void] {
  return useParam("y", Y_RANGES, "linear");
}
