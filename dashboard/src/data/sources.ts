/** What a source holds, as the page reads it: labels by place, pages of places. Pure functions. */

import type { Source } from "../client/api";

export const SPLITS = ["train", "val", "test"] as const;
export type Split = (typeof SPLITS)[number];

export const CLASSES = ["all", "normal", "pneumonia"] as const;
export type Shown = (typeof CLASSES)[number];

/** Images of one page of the grid. */
export const PAGE = 48;

export function isSplit(text: string | null): text is Split {
  return SPLITS.some((split) => split === text);
}

/** The class of the image at a place; `null` where there is none. */
export function labelAt(source: Source, split: Split, place: number): "normal" | "pneumonia" | null {
  const digit = source.labels[split]?.[place];
  return digit === undefined ? null : digit === "1" ? "pneumonia" : "normal";
}

/** The places of a split whose images are shown, in order. */
export function placesOf(source: Source, split: Split, shown: Shown): number[] {
  const labels = source.labels[split] ?? "";
  const wanted = shown === "pneumonia" ? "1" : shown === "normal" ? "0" : null;
  const places: number[] = [];
  for (let i = 0; i < labels.length; i++) if (wanted === null || labels[i] === wanted) places.push(i);
  return places;
}

/** Page `page`, counted from 1, of these places; the last one where there are fewer. */
export function pageOf(
  places: readonly number[],
  page: number,
): { places: readonly number[]; page: number; pages: number } {
  const pages = Math.max(1, Math.ceil(places.length / PAGE));
  const at = Math.min(Math.max(1, Math.trunc(page) || 1), pages);
  return { places: places.slice((at - 1) * PAGE, at * PAGE), page: at, pages };
}

/** How an image was judged: of the hardest, as many as there were errors were judged wrongly, and come first. */
export function verdict(rank: number, errors: number | null, label: "normal" | "pneumonia" | null): string {
  if (errors === null || label === null) return "";
  if (rank >= errors) return "judged right, barely";
  return label === "pneumonia" ? "missed" : "false alarm";
}
