import { afterEach, beforeEach, expect, it } from "vitest";
import { setScheduler } from "./schedule";
import { Store } from "./store";

let frames: (() => void)[] = [];
const frame = (): void => {
  const due = frames;
  frames = [];
  for (const run of due) run();
};

beforeEach(() => {
  frames = [];
  setScheduler((flush) => frames.push(flush));
});
afterEach(() => setScheduler());

const sums = () => new Store<number, number>(0, (sum, batch) => batch.reduce((a, b) => a + b, sum));

it("tells its readers once a frame, however many messages came", () => {
  const store = sums();
  let told = 0;
  store.subscribe(() => {
    told += 1;
  });
  for (let i = 0; i < 1000; i++) store.push([1]);
  expect(store.get()).toBe(0);
  expect(frames).toHaveLength(1);
  frame();
  expect(store.get()).toBe(1000);
  expect(told).toBe(1);
});

it("asks for no frame while nothing comes, and tells nobody of nothing", () => {
  const store = sums();
  let told = 0;
  store.subscribe(() => {
    told += 1;
  });
  store.push([]);
  expect(frames).toHaveLength(0);
  store.push([0]);
  frame();
  expect(told).toBe(0);
});

it("catches up in one go after frames that never came, as in a hidden tab", () => {
  const store = sums();
  store.push([1]);
  store.push([2, 3]);
  frame();
  expect(store.get()).toBe(6);
});

it("tells a reader that has left nothing any more", () => {
  const store = sums();
  let told = 0;
  const leave = store.subscribe(() => {
    told += 1;
  });
  leave();
  store.push([1]);
  frame();
  expect(told).toBe(0);
});

it("forgets what was waiting when it is reset", () => {
  const store = sums();
  store.push([5]);
  store.reset(0);
  frame();
  expect(store.get()).toBe(0);
});
