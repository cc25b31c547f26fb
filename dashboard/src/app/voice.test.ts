import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Voice } from "./voice";

let heard: string[];
let voice: Voice;

beforeEach(() => {
  vi.useFakeTimers();
  heard = [];
  voice = new Voice(() => Date.now());
  voice.listen((text) => heard.push(text));
});
afterEach(() => vi.useRealTimers());

it("speaks at most every ten seconds, and then only the newest", () => {
  voice.speak("one");
  voice.speak("two");
  voice.speak("three");
  expect(heard).toEqual(["one"]);
  vi.advanceTimersByTime(10_000);
  expect(heard).toEqual(["one", "three"]);
});

it("says a failure at once", () => {
  voice.speak("one");
  voice.speak("it failed", true);
  expect(heard).toEqual(["one", "it failed"]);
});

it("does not repeat itself, and says nothing when there is nothing", () => {
  voice.speak("one");
  vi.advanceTimersByTime(60_000);
  voice.speak("one");
  voice.speak("");
  expect(heard).toEqual(["one"]);
});
