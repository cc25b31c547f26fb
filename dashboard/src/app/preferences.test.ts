import { expect, it } from "vitest";
import { clockTime, writeTimesInUtc } from "../client/clock";
import { DEFAULTS, PreferenceStore, readPreferences } from "./preferences";

it("comes back as it was chosen", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  new PreferenceStore(storage).change({ zone: "utc", speakEvery: 30, notify: true, notifyOf: ["failed"] });
  expect(new PreferenceStore(storage).get()).toEqual({
    zone: "utc",
    speakEvery: 30,
    notify: true,
    notifyOf: ["failed"],
  });
});

it.each([null, "", "null", "[]", '"x"', '{"speakEvery":1,"zone":3,"notify":"yes"}'])(
  "takes the defaults for %j",
  (text) => {
    expect(readPreferences(text)).toEqual(DEFAULTS);
  },
);

it("writes times in UTC where that was chosen", () => {
  writeTimesInUtc(true);
  expect(clockTime(Date.UTC(2026, 0, 1, 10, 24, 37))).toBe("10:24:37");
  writeTimesInUtc(false);
});
