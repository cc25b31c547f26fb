/** Hands a chart out as a file: PNG and SVG of what is shown, drawn from its data; CSV of all of it. */

import type { PlotSpec } from "./plot";
import { pngOf, type SheetWords, sheetOf, svgOf } from "./shapes";
import { csv, tableOf } from "./table";
import type { Palette } from "./theme";

export type FileKind = "png" | "svg" | "csv";

export async function saveChart(
  kind: FileKind,
  spec: PlotSpec,
  words: SheetWords,
  palette: Palette,
  zoomed: readonly [number, number] | null,
): Promise<void> {
  const blob = await fileOf(kind, spec, words, palette, zoomed);
  if (blob === null) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${fileName(words.title)}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function fileOf(
  kind: FileKind,
  spec: PlotSpec,
  words: SheetWords,
  palette: Palette,
  zoomed: readonly [number, number] | null,
): Promise<Blob | null> {
  if (kind === "csv") return new Blob([csv(tableOf(spec, words.xName))], { type: "text/csv" });
  const sheet = sheetOf(spec, words, palette, zoomed);
  if (kind === "svg") return new Blob([svgOf(sheet, words.title)], { type: "image/svg+xml" });
  return pngOf(sheet);
}

/** "validation-auroc" */
export function fileName(title: string): string {
  return (
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-|-$/g, "") || "chart"
  );
}
