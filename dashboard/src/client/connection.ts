/**
 * One line to the server: WebSocket where it goes, else Server-Sent Events, else polling, and back again.
 *
 * All three carry the same messages from the same cursor, so a change of transport loses nothing and repeats
 * nothing. No React and no DOM in here: sockets, clock and timers are handed in (`Environment`), and tests hand
 * in their own.
 */

import { fullJitter } from "./backoff";
import { CLOSE_CODES, comesBack, TOO_SLOW } from "./closeCodes.generated";
import { advance, type Cursor, type Subscribed } from "./cursor";
import type { Line, Message, Via } from "./model";
import { type Link, openPoll, openSse, openWebSocket } from "./transports";

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
/** A line that says nothing this long is asked whether it is still there. */
const SILENT_MS = 45_000;

const ORDER: readonly Via[] = ["websocket", "sse", "poll"];

export class Connection {
  private cursor: Cursor;
  private link: Link | null = null;
  private via: Via | null = null;
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
    this.open(0);
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
    this.open(0);
  }

  /** The network is gone or back, as the browser says; it is only a hint. */
  networkChanged(online: boolean): void {
    if (online) this.tryNow();
    else if (this.link !== null) this.probe();
  }

  /** Opens the transport at `place` in the order of preference; the next one if it does not come up. */
  private open(place: number): void {
    const via = ORDER[place];
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
        up = true;
        this.cancel("open");
        this.link = link;
        this.via = via;
        this.tries = 0;
        this.brokeAt = null;
        this.subscribed(frame, via);
        if (place > 0) this.after("upgrade", UPGRADE_MS, () => this.upgrade(place));
      },
      messages: (batch) => this.receive(batch),
      upTo: (top) => this.upTo(top),
      closed: (code, reason) => {
        this.cancel("open");
        if (this.link === link) this.link = null;
        if (this.stopped) return;
        if (!comesBack(code)) this.refuse(code, reason);
        else if (up) this.broke(code);
        else this.open(place + 1);
      },
    });
    this.link = link;
    this.after("open", OPEN_MS, () => {
      link.close();
      if (this.link === link) this.link = null;
      if (!up) this.open(place + 1);
    });
  }

  private make(via: Via, events: Parameters<typeof openWebSocket>[3]): Link {
    const opener = via === "websocket" ? openWebSocket : via === "sse" ? openSse : openPoll;
    return opener(this.environment, this.options.runId, () => this.cursor, events);
  }

  /**
   * While a worse transport works, sees whether a better one goes now. The worse one is left only once the
   * better one has said `subscribed`; what both bring in between is had once, by the cursor.
   */
  private upgrade(place: number, candidate = 0): void {
    const old = this.link;
    const via = ORDER[candidate];
    if (this.stopped || old === null || via === undefined) return;
    let up = false;
    const next = (): void => {
      this.cancel("better");
      this.better = null;
      if (candidate + 1 < place) this.upgrade(place, candidate + 1);
      else this.after("upgrade", UPGRADE_MS, () => this.upgrade(place));
    };
    const link = this.make(via, {
      subscribed: (frame) => {
        if (!up) {
          up = true;
          this.cancel("better");
          this.better = null;
          old.close();
          this.link = link;
          this.via = via;
          if (candidate > 0) this.after("upgrade", UPGRADE_MS, () => this.upgrade(candidate));
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
      this.open(0);
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
    this.after("retry", wait, () => this.open(0));
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

  private probe(): void {
    const link = this.link;
    if (link === null) return;
    const gone = (): void => {
      this.cancel("probe");
      if (this.link !== link || this.stopped) return;
      link.close();
      this.link = null;
      this.broke(1006);
    };
    this.after("probe", OPEN_MS, gone);
    this.environment.fetch(`${this.environment.origin}/healthz`, { cache: "no-store" }).then(() => {
      if (this.link !== link || this.stopped) return;
      this.cancel("probe");
      this.watch();
    }, gone);
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
