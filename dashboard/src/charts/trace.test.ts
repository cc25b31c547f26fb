import { describe, expect, it } from "vitest";
import { Trace } from "./trace";

function traceOf(values: readonly (number | null)[]): Trace {
  const trace = new Trace();
  values.forEach((value, i) => {
    trace.push(i, value);
  });
  return trace;
}

const noise = (i: number) => Math.sin(i * 12.9898) / 2;

describe("a trace", () => {
  it("hides no spike among 500 000 points, wherever it is", () => {
    for (const at of [0, 1, 4095, 250_001, 499_999]) {
      const trace = traceOf(Array.from({ length: 500_000 }, (_, i) => (i === at ? 40 : noise(i))));
      const { x, y } = trace.view(0, 500_000, 900);
      expect(y).toContain(40);
      expect(x[y.indexOf(40)]).toBe(at);
      expect(x.length).toBeLessThan(4000);
      expect(x.every((each, i) => i === 0 || each > (x[i - 1] ?? 0))).toBe(true);
    }
  });

  it("keeps a gap a gap", () => {
    const trace = traceOf(Array.from({ length: 20_000 }, (_, i) => (i === 7777 ? null : noise(i))));
    const { x, y } = trace.view(0, 20_000, 100);
    expect(x[y.indexOf(null)]).toBe(7777);
  });

  it("shows every point of a part that has room for them, and one more on either side", () => {
    const trace = traceOf(Array.from({ length: 100_000 }, (_, i) => i));
    expect(trace.view(500.5, 503.5, 900).x).toEqual([500, 501, 502, 503, 504]);
  });

  it("shows the same after points were taken off and added again", () => {
    const values = Array.from({ length: 5000 }, (_, i) => (i % 913 === 0 ? null : noise(i)));
    const whole = traceOf(values);
    const again = traceOf(values);
    again.truncate(2345);
    values.slice(2345).forEach((value, i) => {
      again.push(2345 + i, value);
    });
    expect(again.view(0, 5000, 50)).toEqual(whole.view(0, 5000, 50));
  });

  it("costs as much for a new point however many there are", () => {
    const touched = (length: number) => {
      const trace = traceOf(Array.from({ length }, (_, i) => noise(i)));
      const column = trace.y;
      let reads = 0;
      const proxied = new Proxy(column, {
        get: (target, key) => {
          if (typeof key === "string" && /^\d+$/.test(key)) reads += 1;
          return Reflect.get(target, key);
        },
      });
      Object.defineProperty(trace, "y", { value: proxied });
      trace.push(length, 1);
      return reads;
    };
    expect(touched(100_001)).toBeLessThanOrEqual(touched(1001) + 20);
  });
});
