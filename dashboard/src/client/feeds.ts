/**
 * The lines of this page, each shared by whoever uses it and closed a moment after the last one left.
 *
 * At most one or two are open: the run that is looked at, or the list of runs.
 */

import { UNAUTHENTICATED } from "./closeCodes.generated";
import type { Environment } from "./connection";
import { browserEnvironment } from "./environment";
import type { Line } from "./model";
import { RunFeed } from "./runFeed";
import { RunsFeed } from "./runsFeed";
import { session } from "./session";

/** Going from one screen to another and back does not cost a new line. */
const LINGER_MS = 5_000;

interface Feed {
  start(): void;
  stop(): void;
  tryNow(): void;
  networkChanged(online: boolean): void;
  wake(): void;
  readonly line: Line;
  readonly store: { subscribe(reader: () => void): () => void };
}

interface Held<F extends Feed> {
  readonly feed: F;
  users: number;
  leaving: unknown;
  readonly unsubscribe: () => void;
}

export class Feeds {
  private readonly held = new Map<string, Held<Feed>>();
  private readonly readers = new Set<() => void>();
  private combined: Line = { kind: "connecting" };

  constructor(private readonly environment: Environment) {}

  run(runId: string): RunFeed {
    return this.feed(`run/${runId}`, () => new RunFeed(runId, this.environment));
  }

  runs(): RunsFeed {
    return this.feed("runs", () => new RunsFeed(this.environment));
  }

  /** Keeps a feed open until the returned function is called. */
  hold(feed: Feed): () => void {
    const held = [...this.held.values()].find((each) => each.feed === feed);
    if (held === undefined) return () => undefined;
    held.users += 1;
    if (held.leaving !== null) {
      this.environment.clearTimeout(held.leaving);
      held.leaving = null;
    }
    this.combine();
    let holding = true;
    return () => {
      if (!holding) return;
      holding = false;
      held.users -= 1;
      if (held.users === 0) this.leave(feed, held);
    };
  }

  /** The line as the header shows it: the worst of those in use. */
  readonly line = (): Line => this.combined;

  readonly subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  readonly tryNow = (): void => {
    for (const { feed } of this.held.values()) feed.tryNow();
  };

  networkChanged(online: boolean): void {
    for (const { feed } of this.held.values()) feed.networkChanged(online);
  }

  /** The page was asleep, or out of sight. */
  wake(): void {
    for (const { feed } of this.held.values()) feed.wake();
  }

  close(): void {
    for (const { feed, unsubscribe, leaving } of this.held.values()) {
      if (leaving !== null) this.environment.clearTimeout(leaving);
      unsubscribe();
      feed.stop();
    }
    this.held.clear();
  }

  private feed<F extends Feed>(key: string, make: () => F): F {
    const known = this.held.get(key);
    if (known !== undefined) return known.feed as F;
    const feed = make();
    const held: Held<Feed> = {
      feed,
      users: 0,
      leaving: null,
      unsubscribe: feed.store.subscribe(() => this.combine()),
    };
    this.held.set(key, held);
    feed.start();
    // A feed that is made and never held (a render that was thrown away) does not stay open.
    this.leave(feed, held);
    return feed;
  }

  private leave(feed: Feed, held: Held<Feed>): void {
    held.leaving = this.environment.setTimeout(() => {
      if (held.users > 0) return;
      held.unsubscribe();
      feed.stop();
      for (const [key, each] of this.held) if (each === held) this.held.delete(key);
      this.combine();
    }, LINGER_MS);
  }

  private combine(): void {
    const inUse = [...this.held.values()].filter((each) => each.users > 0).map((each) => each.feed.line);
    const worst = inUse.sort((a, b) => RANK[a.kind] - RANK[b.kind])[0];
    if (worst === undefined || worst === this.combined) return;
    this.combined = worst;
    if (worst.kind === "refused" && worst.code === UNAUTHENTICATED) session.refused();
    for (const reader of [...this.readers]) reader();
  }
}

const RANK: Readonly<Record<Line["kind"], number>> = {
  away: 0,
  refused: 1,
  connecting: 2,
  catching_up: 3,
  live: 4,
  file: 5,
};

let shared: Feeds | null = null;

/** The feeds of this page. */
export function feeds(): Feeds {
  if (shared === null) {
    const made = new Feeds(browserEnvironment());
    window.addEventListener("online", () => made.networkChanged(true));
    window.addEventListener("offline", () => made.networkChanged(false));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") made.wake();
    });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) made.wake();
    });
    afterSleep(() => made.wake());
    shared = made;
  }
  return shared;
}

const TICK_MS = 5_000;

/** Acts after the machine, or this browser, has slept: a clock that has gone further than its ticks tells it. */
function afterSleep(act: () => void): void {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (Math.abs(now - last) > 3 * TICK_MS) act();
    last = now;
  }, TICK_MS);
}

/** Closes all lines and forgets what they brought: another token may see other things, and each test begins anew. */
export function resetFeeds(): void {
  shared?.close();
  shared = null;
}
