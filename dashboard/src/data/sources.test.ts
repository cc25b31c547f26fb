import { expect, it } from "vitest";
import type { Source } from "../client/api";
import { labelAt, PAGE, pageOf, placesOf, verdict } from "./sources";

const SOURCE: Source = {
  source_path: "/data/x",
  name: "x",
  phantom: false,
  counts: {},
  labels: { train: "0".repeat(100), val: "", test: "0110" },
  notes: [],
  digest: "",
  image_size: 28,
  seed: 0,
};

it("tells the class of a place, and nothing beyond the split", () => {
  expect([0, 1, 3, 4].map((place) => labelAt(SOURCE, "test", place))).toEqual([
    "normal",
    "pneumonia",
    "normal",
    null,
  ]);
});

it("keeps an image's place where only one class is shown", () => {
  expect(placesOf(SOURCE, "test", "pneumonia")).toEqual([1, 2]);
  expect(placesOf(SOURCE, "test", "normal")).toEqual([0, 3]);
  expect(placesOf(SOURCE, "val", "all")).toEqual([]);
});

it("pages to the last page at most", () => {
  const places = placesOf(SOURCE, "train", "all");
  expect(pageOf(places, 3)).toEqual({ places: [96, 97, 98, 99], page: 3, pages: 3 });
  expect(pageOf(places, 9).page).toBe(3);
  expect(pageOf(places, Number.NaN).places).toHaveLength(PAGE);
  expect(pageOf([], 1)).toEqual({ places: [], page: 1, pages: 1 });
});

it("calls as many wrong as there were errors, by their class", () => {
  expect(verdict(0, 2, "pneumonia")).toBe("missed");
  expect(verdict(1, 2, "normal")).toBe("false alarm");
  expect(verdict(2, 2, "normal")).toBe("judged right, barely");
  expect(verdict(0, null, "normal")).toBe("");
});
