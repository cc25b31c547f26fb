import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { type Forecast, forecast, type Seen } from "./forecast";

const RECORDED = resolve(import.meta.dirname, "../../../tests/recordings/forecasts.json");

interface Recorded {
  readonly seen: Seen;
  readonly forecast: Forecast | null;
}

const recorded = JSON.parse(readFileSync(RECORDED, "utf-8")) as readonly Recorded[];

it.each(recorded.map((each, index) => [index, each] as const))(
  "forecasts pace %i as the server does",
  (_, { seen, forecast: expected }) => {
    const found = forecast(seen);
    if (expected === null || found === null) {
      expect(found).toBe(expected);
      return;
    }
    expect(found.units_p50).toBe(expected.units_p50);
    for (const name of ["run_p50_s", "run_p90_s", "unit_p50_s", "unit_p90_s"] as const) {
      const [is, should] = [found[name], expected[name]];
      if (is === null || should === null) expect(is).toBe(should);
      else expect(is).toBeCloseTo(should, 6);
    }
  },
);
