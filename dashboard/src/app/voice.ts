/**
 * The one voice of the page: a polite live region that speaks the status sentence at most every ten seconds,
 * and a failure at once.
 */

import { preferences } from "./preferences";

export const SPEAK_EVERY_MS = 10_000;

type Ear = (text: string) => void;

export class Voice {
  private lastAt = Number.NEGATIVE_INFINITY;
  private said = "";
  private waiting: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private ear: Ear = () => undefined;

  constructor(
    private readonly now: () => number = () => Date.now(),
    private readonly every: () => number = () => SPEAK_EVERY_MS,
  ) {}

  listen(ear: Ear): void {
    this.ear = ear;
  }

  /** What was spoken last is not said twice; of what comes while it is silent only the newest is said. */
  speak(text: string, urgent = false): void {
    if (text === "" || (text === this.said && this.waiting === null)) return;
    const wait = this.lastAt + this.every() - this.now();
    if (urgent || wait <= 0) {
      this.say(text);
      return;
    }
    this.waiting = text;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      if (this.waiting !== null && this.waiting !== this.said) this.say(this.waiting);
      this.waiting = null;
    }, wait);
  }

  private say(text: string): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = null;
    this.lastAt = this.now();
    this.said = text;
    this.ear(text);
  }
}

export const voice = new Voice(undefined, () => preferences.get().speakEvery * 1000);

/** Says a sentence through the page's live region; `urgent` (a failure) does not wait its turn. */
export function speak(text: string, urgent = false): void {
  voice.speak(text, urgent);
}
