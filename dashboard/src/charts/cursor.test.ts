import { describe, expect, it, vi } from "vitest";
import { Cursor, moveCursor, zoom } from "./cursor";

describe("Cursor", () => {
  it("tells its listeners once for each new place", () => {
    const cursor = new Cursor();
    const heard = vi.fn();
    const stop = cursor.subscribe(heard);
    cursor.set({ x: 4, source: "loss" });
    cursor.set({ x: 4, source: "auroc" });
    expect(heard).toHaveBeenCalledTimes(1);
    stop();
    cursor.set(null);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(cursor.get()).toBeNull();
  });
});

describe("moveCursor", () => {
  it("walks over the epochs and stays inside them", () => {
    const stops = [1, 2, 3];
    expect(moveCursor(stops, null, "ArrowLeft")).toBe(3);
    expect(moveCursor(stops, 2, "ArrowRight")).toBe(3);
    expect(moveCursor(stops, 3, "ArrowRight")).toBe(3);
    expect(moveCursor(stops, 1, "ArrowLeft")).toBe(1);
    expect(moveCursor(stops, 2, "Home")).toBe(1);
    expect(moveCursor(stops, 2, "End")).toBe(3);
    expect(moveCursor([], 2, "End")).toBeNull();
  });
});

describe("zoom", () => {
  it("halves the range around the cursor and never leaves the whole", () => {
    expect(zoom([0, 10], null, "+", 4)).toEqual([1.5, 6.5]);
    expect(zoom([0, 10], null, "+", 0)).toEqual([0, 5]);
    expect(zoom([0, 10], [0, 5], "-", 4)).toBeNull();
    expect(zoom([0, 10], [0, 2.5], "-", null)).toEqual([0, 5]);
    expect(zoom([0, 10], [0, 5], "0", 4)).toBeNull();
    expect(zoom([0, 10], null, "x", 4)).toBeNull();
  });
});
