import { describe, expect, it } from "vitest";
import { fileName } from "./download";
import { lookOf } from "./marks";
import type { PlotSpec } from "./plot";
import { sheetOf, svgOf } from "./shapes";

const spec: PlotSpec = {
  series: [
    {
      label: "train & <val>",
      look: lookOf(0),
      marked: true,
      points: {
        x: [1, 2, 3, 4],
        y: [0.2, null, 0.4, 9],
        low: [0.1, null, 0.3, 8],
        high: [0.3, null, 0.5, 10],
      },
    },
  ],
  x: { min: 0, max: 4, ticks: [0, 2, 4], texts: ["0", "2", "4"] },
  y: { min: 0, max: 1, ticks: [0, 1], texts: ["0", "1"] },
  stops: [],
};
const words = { title: "Loss", about: "by epoch", xName: "epoch" };
const palette = (name: string) => name;

describe("a chart as a drawing", () => {
  const sheet = sheetOf(spec, words, palette);
  const svg = svgOf(sheet, words.title);

  it("is well-formed SVG of the data, without a bitmap", () => {
    const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
    expect(root.tagName).toBe("svg");
    expect(root.querySelector("title")?.textContent).toBe("Loss");
    expect(root.textContent).toContain("train & <val>");
    expect(root.querySelectorAll("image")).toHaveLength(0);
  });

  it("breaks the line at a gap and marks what lies outside", () => {
    const line = sheet.shapes.find(
      (shape) => "path" in shape && shape.width === 2 && shape.path.includes("L"),
    );
    expect(line && "path" in line && line.path.split("M")).toHaveLength(3);
    expect(svg).toContain("1 value above, up to 9");
  });

  it("shows the part that is shown", () => {
    const part = svgOf(sheetOf(spec, words, palette, [0.5, 1.5]), "Loss");
    expect(part).not.toContain("L9");
    expect(part.match(/<path/g)?.length).toBeLessThan(svg.match(/<path/g)?.length ?? 0);
  });

  it("has a file name that any system takes", () => {
    expect(fileName("Recall and specificity (95 %)")).toBe("recall-and-specificity-95");
    expect(fileName("…")).toBe("chart");
  });
});
