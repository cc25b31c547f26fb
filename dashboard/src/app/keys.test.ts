import { beforeEach, describe, expect, it } from "vitest";
import { Keys } from "./keys";

let keys: Keys;
let done: string[];
let time = 0;
const stored = new Map<string, string>();
const storage = {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => void stored.set(key, value),
};

function on(combination: string): void {
  keys.register({
    keys: combination,
    does: combination,
    where: "here",
    action: () => done.push(combination),
  });
}

function press(
  key: string,
  more: KeyboardEventInit = {},
  target: HTMLElement = document.body,
): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, cancelable: true, bubbles: true, ...more });
  Object.defineProperty(event, "target", { value: target });
  keys.press(event);
  return event;
}

beforeEach(() => {
  stored.clear();
  done = [];
  time = 0;
  keys = new Keys(storage, () => time);
});

describe("a shortcut", () => {
  it("acts, and the browser does not", () => {
    on("/");
    expect(press("/").defaultPrevented).toBe(true);
    expect(done).toEqual(["/"]);
    expect(press("x").defaultPrevented).toBe(false);
  });

  it("of two keys acts when they come soon after each other", () => {
    on("g r");
    press("g");
    time = 1_000;
    press("r");
    press("g");
    time = 9_000;
    press("r");
    expect(done).toEqual(["g r"]);
  });

  it("never acts in a text field", () => {
    on("n");
    press("n", {}, document.createElement("input"));
    press("n", {}, document.createElement("textarea"));
    expect(done).toEqual([]);
  });

  it("with Ctrl or Cmd acts in a text field too", () => {
    on("Ctrl+K");
    press("k", { ctrlKey: true }, document.createElement("input"));
    press("k", { metaKey: true });
    expect(done).toEqual(["Ctrl+K", "Ctrl+K"]);
  });

  it("tells Shift S from s", () => {
    on("Shift+S");
    press("s");
    press("S", { shiftKey: true });
    expect(done).toEqual(["Shift+S"]);
  });

  it("that is a single letter can be switched off, and stays off", () => {
    on("n");
    on("ArrowLeft");
    keys.setLettersOff(true);
    press("n");
    press("ArrowLeft");
    expect(done).toEqual(["ArrowLeft"]);
    expect(new Keys(storage).lettersOff()).toBe(true);
  });

  it("is gone with whoever registered it", () => {
    const leave = keys.register({ keys: "x", does: "", where: "", action: () => done.push("x") });
    leave();
    press("x");
    expect(done).toEqual([]);
    expect(keys.list()).toEqual([]);
  });
});
