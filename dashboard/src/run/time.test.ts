import { expect, it } from "vitest";
import { clockTime, durationWords, median, minuteSecond, utcTime } from "./time";

it("writes durations in the two largest units", () => {
  expect([0, 48_000, 120_000, 410_000, 3_840_000, 3_600_000].map(durationWords)).toEqual([
    "0 s",
    "48 s",
    "2 min",
    "6 min 50 s",
    "1 h 4 min",
    "1 h",
  ]);
});

it("writes cells as minutes and seconds", () => {
  expect([192_000, 3_000, 3_850_000].map(minuteSecond)).toEqual(["3:12", "0:03", "1:04:10"]);
});

it("shows local time and keeps UTC for hovering", () => {
  const at = Date.UTC(2026, 10, 24, 10, 24, 37);
  expect(clockTime(at)).toMatch(/^\d\d:\d4:37$|^\d\d:\d\d:37$/);
  expect(utcTime(at)).toBe("2026-11-24 10:24:37 UTC");
});

it("takes the middle", () => {
  expect([median([]), median([3]), median([4, 1]), median([9, 1, 5])]).toEqual([null, 3, 2.5, 5]);
});
