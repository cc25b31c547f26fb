/**
 * A value that messages are folded into, told to its readers at most once per animation frame.
 *
 * Messages are taken at once and cost an append; the fold and the drawing wait for the frame, so what the
 * screen does is in proportion to what is new and never to how fast it came.
 */

import { schedule } from "./schedule";

export type Fold<State, Item> = (state: State, batch: readonly Item[]) => State;

export class Store<State, Item> {
  private pending: Item[] = [];
  private scheduled = false;
  private readonly readers = new Set<() => void>();

  constructor(
    private state: State,
    private readonly fold: Fold<State, Item>,
  ) {}

  /** The state as of the last frame. Stable between frames, as `useSyncExternalStore` wants it. */
  readonly get = (): State => this.state;

  readonly subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  /** Takes messages; they are in the state with the next frame. */
  push(batch: readonly Item[]): void {
    for (const item of batch) this.pending.push(item);
    if (this.scheduled || this.pending.length === 0) return;
    this.scheduled = true;
    schedule(() => this.flush());
  }

  /** Forgets what was and what is waiting. */
  reset(state: State): void {
    this.pending = [];
    this.set(state);
  }

  /** Folds what is waiting, now. */
  flush(): void {
    this.scheduled = false;
    if (this.pending.length === 0) return;
    const batch = this.pending;
    this.pending = [];
    this.set(this.fold(this.state, batch));
  }

  private set(state: State): void {
    if (state === this.state) return;
    this.state = state;
    for (const reader of [...this.readers]) reader();
  }
}
