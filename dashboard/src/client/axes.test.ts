import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { AXES, type Axis, stationsOf } from "./axes";
import { fold } from "./fold";
import { emptyModel, type Message } from "./model";
import { bytes } from "./numbers";

const RECORDINGS = resolve(import.meta.dirname, "../../../tests/recordings");
const names = readdirSync(RECORDINGS).flatMap((file) =>
  file.endsWith(".axes.json") ? [file.replace(".axes.json", "")] : [],
);
type Expected = { readonly number: number } & Readonly<Record<Axis, number | null>>;

it("has recorded runs to be held to, one that tells its bytes among them", () => {
  expect(names).toContain("federated-bytes");
});

it.each(names)("puts the figures of %s where Python does", (name) => {
  const messages = readFileSync(`${RECORDINGS}/${name}.jsonl`, "utf-8").trim().split("\n");
  const parsed = messages.map((line) => JSON.parse(line) as Message);
  const expected = JSON.parse(readFileSync(`${RECORDINGS}/${name}.axes.json`, "utf-8")) as Expected[];
  const model = fold(emptyModel("run"), parsed);
  const last = new Map(expected.map((each) => [each.number, each]));
  const found = stationsOf(model);
  expect(found.map(({ number }) => number)).toEqual([...last.keys()].sort((a, b) => a - b));
  for (const { number, reached } of found) {
    for (const axis of AXES) {
      const should = last.get(number)?.[axis] ?? null;
      if (should === null) expect({ number, axis, at: reached[axis] }).toEqual({ number, axis, at: null });
      else expect(reached[axis], `${axis} of ${number}`).toBeCloseTo(should, 2);
    }
  }
});

describe("bytes", () => {
  it("are written with three digits and their unit", () => {
    expect([0, 905, 999, 1000, 12_345, 999_600, 1_234_567, 25e9].map(bytes)).toEqual([
      "0 B",
      "905 B",
      "999 B",
      "1 kB",
      "12.3 kB",
      "1 MB",
      "1.23 MB",
      "25 GB",
    ]);
  });
});
