/**
 * One line to the server: WebSocket where it goes, else Server-Sent Events, else polling, else the run's document,
 * and back again.
 *
 * All of them carry the same messages from the same cursor, so a change of transport loses nothing and repeats
 * nothing. No React and no DOM in here: sockets, clock and timers are handed in (`Environment`), and tests hand
 * in their own.
 */

import { fullJitter } from "./backoff";
import { CLOSE_CODES, comesBack, TOO_SLOW } from "./closeCodes.generated";
import { advance, asSubscribed, type Cursor, type Subscribed } from "./cursor";
import type { Line, Message, Via } from "./model";
import { integer, list, record } from "./reading";
import { askFor, type Link, type LinkEvents, OPENERS } from "./transports";

/** Just what a line needs of a browser. */
export interface Environment {
  readonly WebSocket: new (url: string) => WebSocket;
  readonly EventSource: new (url: string) => EventSource;
  readonly fetch: typeof fetch;
  readonly setTimeout: (run: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
  readonly now: () => number;
  readonly random: () => number;
  /** `https://host:port`, without a slash at the end. */
  readonly origin: string;
}

export interface Listener {
  /** New messages, in order, each once. */
  messages(batch: readonly Message[]): void;
  /** The cursor did not hold: forget everything, it follows from the start. */
  restarted(): void;
  line(line: Line): void;
}

export interface Options {
  /** `null`: all runs. */
  readonly runId: string | null;
  /** 0: the run from its beginning. `null`: the present state of active runs, then live. */
  readonly after: number | null;
}

/** After this long without a new message the catching up is over, whatever `top` says (it counts all runs). */
const QUIET_MS = 250;
/** How long a transport may take to say `subscribed`. */
const OPEN_MS = 5_000;
/** How often a better transport is tried while a worse one works. */
const UPGRADE_MS = 30_000;
/** After a silence this long the server is asked whether the line should have said something. */
const SILENT_MS = 45_000;
/** A message that the server has and the line has not brought this long after is held up, or lost. */
const HELD_UP_MS = 2_000;

/** From best to worst. The document is of one run: a line of all runs ends at polling. */
const ORDER: readonly Via[] = ["websocket", "sse", "poll", "document"];

export class Connection {
  private cursor: Cursor;
  private link: Link | null = null;
  private via: Via | null = null;
  /** What came up last: what brought it down is most often no matter of the way. */
  private last: Via | null = null;
  /** The top of the log when the line was opened; where it stands as long as it has no cursor. */
  private top = 0;
  private better: Link | null = null;
  private stopped = true;
  private tries = 0;
  private brokeAt: number | null = null;
  private current: Line = { kind: "connecting" };
  private catching: { from: number; top: number } | null = null;
  private readonly timers = new Map<string, unknown>();

  constructor(
    private readonly options: Options,
    private readonly listener: Listener,
    private readonly environment: Environment,
  ) {
    this.cursor = { logId: null, offset: options.after };
  }

  get line(): Line {
    return this.current;
  }

  /** @param from Where to go on, by whoever has everything up to there; else the beginning that was asked for. */
  start(from?: Cursor): void {
    if (!this.stopped) return;
    this.stopped = false;
    if (from !== undefined) this.cursor = from;
    this.open();
  }

  stop(): void {
    this.stopped = true;
    this.drop();
    for (const name of [...this.timers.keys()]) this.cancel(name);
  }

  /** Tries at once instead of at the end of the wait. Does nothing while the line works. */
  tryNow(): void {
    if (this.stopped || this.current.kind !== "away") return;
    this.cancel("retry");
    this.open();
  }

  /** The network is gone or back, as the browser says; it is only a hint. */
  networkChanged(online: boolean): void {
    if (online) this.tryNow();
    else this.probe();
  }

  /** The page was asleep, or out of sight: whether the line has outlived that is seen at once. */
  wake(): void {
    this.tryNow();
    this.probe();
  }

  private ways(): readonly Via[] {
    return this.options.runId === null ? ORDER.slice(0, -1) : ORDER;
  }

  /** Opens the first way that comes up; what worked last is tried first. */
  private open(): void {
    const { last } = this;
    this.openOne(last === null ? this.ways() : [last, ...this.ways().filter((via) => via !== last)]);
  }

  private openOne([via, ...others]: readonly Via[]): void {
    if (via === undefined) {
      this.fail();
      return;
    }
    let up = false;
    const link = this.make(via, {
      subscribed: (frame) => {
        if (up) {
          this.subscribed(frame, via);
          return;
        }
        this.cancel("open");
        this.link = link;
        up = true;
        this.tries = 0;
        this.brokeAt = null;
        this.carriedBy(via);
        this.subscribed(frame, via);
      },
      messages: (batch) => this.receive(batch),
      upTo: (top) => this.upTo(top),
      closed: (code, reason) => {
        this.cancel("open");
        if (this.link === link) this.link = null;
        if (this.stopped) return;
        if (!comesBack(code)) this.refuse(code, reason);
        else if (up) this.broke(code);
        else this.openOne(others);
      },
    });
    this.link = link;
    this.after("open", OPEN_MS, () => {
      link.close();
      if (this.link === link) this.link = null;
      if (!up) this.openOne(others);
    });
  }

  private make(via: Via, events: LinkEvents): Link {
    try {
      return OPENERS[via](this.environment, this.options.runId, () => this.cursor, events);
    } catch {
      // Not every JavaScript has every way: Node has no EventSource.
      const timer = this.environment.setTimeout(() => events.closed(1006, ""), 0);
      return { close: () => this.environment.clearTimeout(timer) };
    }
  }

  private carriedBy(via: Via): void {
    this.via = this.last = via;
    this.upgradeLater(via);
  }

  private upgradeLater(from: Via): void {
    const better = this.ways().slice(0, this.ways().indexOf(from));
    if (better.length > 0) this.after("upgrade", UPGRADE_MS, () => this.upgrade(better));
  }

  /**
   * While a worse way works, sees whether a better one goes now. The worse one is left only once the
   * better one has said `subscribed`; what both bring in between is had once, by the cursor.
   */
  private upgrade([via, ...others]: readonly Via[]): void {
    const old = this.link;
    if (this.stopped || old === null || via === undefined) return;
    let up = false;
    const next = (): void => {
      this.cancel("better");
      this.better = null;
      if (others.length > 0) this.upgrade(others);
      else if (this.via !== null) this.upgradeLater(this.via);
    };
    const link = this.make(via, {
      subscribed: (frame) => {
        if (!up) {
          up = true;
          this.cancel("better");
          this.better = null;
          old.close();
          this.link = link;
          this.carriedBy(via);
        }
        this.subscribed(frame, via);
      },
      messages: (batch) => this.receive(batch),
      upTo: (top) => this.upTo(top),
      closed: (code, reason) => {
        if (this.stopped) return;
        if (!up) {
          next();
          return;
        }
        if (this.link === link) this.link = null;
        if (comesBack(code)) this.broke(code);
        else this.refuse(code, reason);
      },
    });
    this.better = link;
    this.after("better", OPEN_MS, () => {
      link.close();
      next();
    });
  }

  private subscribed(frame: Subscribed, via: Via): void {
    const lost = !frame.recovered;
    const had = this.cursor.offset;
    this.top = frame.top;
    if (lost) this.listener.restarted();
    // Only a line that asked for a beginning gets one; the others go on from what the log has now.
    const offset = lost ? (this.options.after === null ? null : 0) : had;
    this.cursor = { logId: frame.logId, offset };
    const from = offset ?? frame.top;
    if (offset !== null && frame.top > from) {
      this.catching = { from, top: frame.top };
      this.say({ kind: "catching_up", via, offset: from, from, top: frame.top });
      this.after("quiet", QUIET_MS, () => this.caughtUp());
    } else this.caughtUp();
    this.watch();
  }

  private receive(batch: readonly Message[]): void {
    this.watch();
    const { cursor, fresh } = advance(this.cursor, batch);
    this.cursor = cursor;
    if (fresh.length > 0) this.listener.messages(fresh);
    if (this.catching === null || this.via === null) return;
    const offset = cursor.offset ?? 0;
    if (offset >= this.catching.top) this.caughtUp();
    else {
      this.say({ kind: "catching_up", via: this.via, offset, ...this.catching });
      this.after("quiet", QUIET_MS, () => this.caughtUp());
    }
  }

  /** The server says that everything up to `top` has been given (an answer of a poll that was not cut). */
  private upTo(top: number): void {
    if (this.cursor.offset === null || top > this.cursor.offset)
      this.cursor = { ...this.cursor, offset: top };
    if (this.catching !== null) this.caughtUp();
  }

  private caughtUp(): void {
    this.cancel("quiet");
    this.catching = null;
    if (this.via !== null && this.link !== null) this.say({ kind: "live", via: this.via });
  }

  /** A line that worked has broken. */
  private broke(code: number): void {
    this.drop();
    this.brokeAt ??= this.environment.now();
    if (code === TOO_SLOW) {
      this.open();
      return;
    }
    this.retry();
  }

  /** No transport came up. */
  private fail(): void {
    this.drop();
    this.brokeAt ??= this.environment.now();
    this.retry();
  }

  private retry(): void {
    this.tries += 1;
    const wait = fullJitter(this.tries, this.environment.random);
    const now = this.environment.now();
    this.say({
      kind: "away",
      since: this.brokeAt ?? now,
      tries: this.tries,
      nextTry: now + wait,
      offset: this.cursor.offset,
    });
    this.after("retry", wait, () => this.open());
  }

  private refuse(code: number, reason: string): void {
    this.drop();
    const meaning = CLOSE_CODES.find((row) => row.code === code)?.meaning ?? "The server refused this page.";
    this.say({ kind: "refused", code, reason: reason || meaning });
  }

  /** Starts the watch over a line that may have died without a word. */
  private watch(): void {
    this.after("silent", SILENT_MS, () => this.probe());
  }

  /**
   * Asks whether there is something that the line has not brought. A line may have died without a word, and something
   * between may keep back what comes, while the server answers well.
   */
  private probe(): void {
    const { link } = this;
    if (link === null || this.via === null) return;
    const isOver = (): boolean => this.link !== link || this.stopped;
    const gone = (): void => {
      this.cancel("probe");
      if (isOver()) return;
      link.close();
      this.link = null;
      this.broke(1006);
    };
    this.after("probe", OPEN_MS, gone);
    this.newest().then((newest) => {
      if (isOver()) return;
      this.cancel("probe");
      if (newest === null || newest <= this.reached()) this.watch();
      else this.after("probe", HELD_UP_MS, () => (newest > this.reached() ? gone() : this.watch()));
    }, gone);
  }

  private reached(): number {
    return this.cursor.offset ?? this.top;
  }

  /** An offset beyond the cursor that the server has; infinity where its log is another one; `null`: there is none. */
  private async newest(): Promise<number | null> {
    const { logId } = this.cursor;
    const answer = await askFor(this.environment, this.options.runId, {
      cursor: { logId, offset: this.reached() },
      limit: 1,
      waitS: 0,
    });
    if (!answer.ok) return null;
    const page = record(await answer.json());
    if (asSubscribed({ type: "subscribed", ...page })?.recovered === false) return Number.POSITIVE_INFINITY;
    const offsets = list(page.messages).map((each) => integer(record(each).offset) ?? 0);
    return Math.max(0, ...offsets) || null;
  }

  private drop(): void {
    for (const name of ["open", "upgrade", "better", "quiet", "silent", "probe"]) this.cancel(name);
    this.link?.close();
    this.better?.close();
    this.link = null;
    this.better = null;
    this.via = null;
    this.catching = null;
  }

  private say(line: Line): void {
    this.current = line;
    this.listener.line(line);
  }

  private after(name: string, ms: number, run: () => void): void {
    this.cancel(name);
    this.timers.set(
      name,
      this.environment.setTimeout(() => {
        this.timers.delete(name);
        run();
      }, ms),
    );
  }

  private cancel(name: string): void {
    const timer = this.timers.get(name);
    if (timer === undefined) return;
    this.timers.delete(name);
    this.environment.clearTimeout(timer);
  }
}
