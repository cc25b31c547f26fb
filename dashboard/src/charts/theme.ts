/** Colours of the charts, read from the page's CSS variables so that both themes have one truth. */

import { useSyncExternalStore } from "react";

const NAMES = [
  "surface",
  "surface2",
  "line",
  "grid",
  "line2",
  "text",
  "ink",
  "text2",
  "text3",
  "act",
  "act-tint",
  "ok",
  "warn",
  "bad",
  "bar",
  "hatch",
  "series-1",
  "series-2",
  "series-3",
  "series-4",
  "series-5",
  "series-6",
] as const;

/** Reads `var(--name)` for the canvas, which knows no CSS variables. */
export type Palette = (variable: string) => string;

let current: Palette | null = null;
const listeners = new Set<() => void>();
let watching = false;
/** Elements that have the variables instead of the document: cells of a notebook, which has styles of its own. */
const hosts: HTMLElement[] = [];

/** Reads the variables from this element from now on, as long as it is in the document. */
export function paintedBy(host: HTMLElement): void {
  hosts.push(host);
  current = null;
  observe(host);
}

function observe(element: HTMLElement): void {
  new MutationObserver(() => {
    current = null;
    for (const listener of listeners) listener();
  }).observe(element, {
    attributes: true,
    attributeFilter: ["data-mantine-color-scheme", "class"],
  });
}

function read(): Palette {
  const style = getComputedStyle(hosts.find((host) => host.isConnected) ?? document.documentElement);
  const values = new Map<string, string>();
  for (const name of NAMES) values.set(`--${name}`, style.getPropertyValue(`--${name}`).trim());
  return (variable) => values.get(variable) || "currentColor";
}

function watch(): void {
  if (watching) return;
  watching = true;
  observe(document.documentElement);
}

function subscribe(listener: () => void): () => void {
  watch();
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function snapshot(): Palette {
  current ??= read();
  return current;
}

/** The colours of now; the component is drawn again when the theme changes. */
export function usePalette(): Palette {
  return useSyncExternalStore(subscribe, snapshot);
}

/** `color` (as #rrggbb) with an opacity. */
export function withAlpha(color: string, alpha: number): string {
  const hex = /^#([0-9a-f]{6})$/i.exec(color)?.[1];
  if (!hex) return color;
  const part = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16);
  return `rgba(${part(0)}, ${part(2)}, ${part(4)}, ${alpha})`;
}
