/** When the screen hears of new messages: at the next animation frame, unless a test says otherwise. */

export type Scheduler = (flush: () => void) => void;

const everyFrame: Scheduler =
  typeof requestAnimationFrame === "function"
    ? (flush) => {
        // A hidden tab gets no frames: it draws nothing and catches up in one go when it is looked at.
        requestAnimationFrame(() => flush());
      }
    : (flush) => {
        setTimeout(flush, 0);
      };

let scheduler: Scheduler = everyFrame;

/** Replaces the scheduler; without an argument it is the animation frame again. */
export function setScheduler(next: Scheduler = everyFrame): void {
  scheduler = next;
}

/** Runs `flush` with the next frame. */
export function schedule(flush: () => void): void {
  scheduler(flush);
}
