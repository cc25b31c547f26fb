import { beforeEach, describe, expect, it } from "vitest";
import { RESTART, TOO_SLOW, UNAUTHENTICATED, UNKNOWN_RUN } from "./closeCodes.generated";
import { Connection, type Environment, type Options } from "./connection";
import type { Line, Message } from "./model";

/** A browser whose network and clock are the test's. */
class World {
  sockets: FakeSocket[] = [];
  streams: FakeStream[] = [];
  polls: string[] = [];
  /** What a poll is answered with; `null`: no answer at all. */
  page: Record<string, unknown> | null = null;
  health = true;
  /** What the server has beyond a line's cursor, as it says when it is asked. */
  held: readonly Message[] = [];
  /** The run's document; `null`: it cannot be had. */
  document: Record<string, unknown> | null = null;
  documents: string[] = [];
  /** The status of an answer to a poll. */
  status = 200;
  refusal = "application/problem+json";
  time = 0;
  private timers: { at: number; run: () => void; id: number }[] = [];
  private ids = 0;

  readonly environment: Environment = {
    WebSocket: makeSocket(this) as unknown as Environment["WebSocket"],
    EventSource: makeStream(this) as unknown as Environment["EventSource"],
    fetch: (async (address: string, init?: RequestInit) => {
      if (address.includes("limit=1&")) {
        if (!this.health) throw new TypeError("gone");
        return new Response(JSON.stringify({ log_id: "log", top: 0, recovered: true, messages: this.held }));
      }
      if (address.endsWith("/document")) {
        const asked = new Headers(init?.headers).get("if-none-match");
        this.documents.push(asked ?? "");
        if (this.document === null) throw new TypeError("gone");
        const etag = `"${this.document.top}"`;
        if (asked === etag) return new Response(null, { status: 304 });
        return new Response(JSON.stringify(this.document), { headers: { etag } });
      }
      this.polls.push(address);
      if (this.page === null) throw new TypeError("gone");
      const type = this.status === 200 ? "application/json" : this.refusal;
      return new Response(JSON.stringify(this.page), {
        status: this.status,
        headers: { "content-type": type },
      });
    }) as unknown as typeof fetch,
    setTimeout: (run, ms) => {
      const id = ++this.ids;
      this.timers.push({ at: this.time + ms, run, id });
      return id;
    },
    clearTimeout: (id) => {
      this.timers = this.timers.filter((timer) => timer.id !== id);
    },
    now: () => this.time,
    random: () => 0.5,
    origin: "http://server",
  };

  /** Lets time pass, timer by timer, and what was promised settle in between. */
  async pass(ms: number): Promise<void> {
    const until = this.time + ms;
    await settle();
    for (;;) {
      const next = this.timers
        .filter((timer) => timer.at <= until)
        .sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
      await settle();
    }
    this.time = until;
  }

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  closed = false;
  constructor(readonly url: string) {}
  close(): void {
    this.closed = true;
  }
  give(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  subscribed(top: number, more: object = {}): void {
    this.give({ type: "subscribed", log_id: "log", top, recovered: true, ...more });
  }
  end(code: number): void {
    this.onclose?.({ code, reason: "" });
  }
}

class FakeStream {
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {}
  addEventListener(): void {}
  close(): void {
    this.closed = true;
  }
  give(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

function makeSocket(world: World) {
  return class extends FakeSocket {
    constructor(url: string) {
      super(url);
      world.sockets.push(this);
    }
  };
}

function makeStream(world: World) {
  return class extends FakeStream {
    constructor(url: string) {
      super(url);
      world.streams.push(this);
    }
  };
}

const message = (offset: number): Message => ({ type: "epoch_start", timestamp: "", run_id: "r", offset });

let world: World;
let got: number[];
let lines: Line[];
let restarts: number;

function connect(options: Options = { runId: "r", after: 0 }): Connection {
  const connection = new Connection(
    options,
    {
      messages: (batch) => got.push(...batch.map((each) => each.offset ?? -1)),
      restarted: () => {
        restarts += 1;
        got = [];
      },
      line: (line) => lines.push(line),
    },
    world.environment,
  );
  connection.start();
  return connection;
}

const kinds = () => lines.map((line) => ("via" in line ? `${line.kind} ${line.via}` : line.kind));

beforeEach(() => {
  world = new World();
  got = [];
  lines = [];
  restarts = 0;
});

describe("by WebSocket", () => {
  it("asks for the run from its beginning, and is live once all of it is here", () => {
    connect();
    expect(world.socket.url).toBe("ws://server/ws/training-progress?run_id=r&after=0");
    world.socket.subscribed(2);
    expect(kinds()).toEqual(["catching_up websocket"]);
    world.socket.give(message(1));
    world.socket.give(message(2));
    expect(got).toEqual([1, 2]);
    expect(kinds().at(-1)).toBe("live websocket");
  });

  it("is live after a quiet moment where the top belongs to another run", async () => {
    connect();
    world.socket.subscribed(900);
    world.socket.give(message(7));
    await world.pass(250);
    expect(kinds().at(-1)).toBe("live websocket");
  });

  it("comes back with its cursor after a restart, and takes nothing twice", async () => {
    connect();
    world.socket.subscribed(2);
    world.socket.give(message(1));
    world.socket.give(message(2));
    world.socket.end(RESTART);
    expect(lines.at(-1)).toMatchObject({ kind: "away", tries: 1, offset: 2 });
    await world.pass(250);
    expect(world.sockets).toHaveLength(2);
    expect(world.socket.url).toContain("after=2&log_id=log");
    world.socket.subscribed(3);
    world.socket.give(message(2));
    world.socket.give(message(3));
    expect(got).toEqual([1, 2, 3]);
    expect(kinds().at(-1)).toBe("live websocket");
  });

  it("comes back at once when it was too slow", () => {
    connect();
    world.socket.subscribed(0);
    world.socket.end(TOO_SLOW);
    expect(world.sockets).toHaveLength(2);
    expect(kinds()).not.toContain("away");
  });

  it("stays away where the code says so", async () => {
    connect();
    world.socket.end(UNKNOWN_RUN);
    await world.pass(120_000);
    expect(world.sockets).toHaveLength(1);
    expect(lines.at(-1)).toMatchObject({ kind: "refused", code: UNKNOWN_RUN });
  });

  it("forgets everything when the log is another one", () => {
    connect();
    world.socket.subscribed(2);
    world.socket.give(message(1));
    world.socket.give(message(2));
    world.socket.end(RESTART);
    return world.pass(250).then(() => {
      world.socket.subscribed(1, { log_id: "new", recovered: false });
      world.socket.give(message(1));
      expect(restarts).toBe(1);
      expect(got).toEqual([1]);
    });
  });

  it("lets steps pass: they have no offset", () => {
    connect();
    world.socket.subscribed(0);
    world.socket.give({ type: "step", timestamp: "", run_id: "r", row: 4 });
    world.socket.give({ type: "step", timestamp: "", run_id: "r", row: 4 });
    expect(got).toEqual([-1, -1]);
  });

  it("notices a line that died without a word", async () => {
    connect();
    world.socket.subscribed(0);
    world.health = false;
    await world.pass(45_000);
    expect(lines.some((line) => line.kind === "away")).toBe(true);
    await world.pass(10_000);
    expect(world.sockets.length).toBeGreaterThan(1);
  });

  it("leaves a quiet line alone while the server answers", async () => {
    connect();
    world.socket.subscribed(0);
    await world.pass(300_000);
    expect(world.sockets).toHaveLength(1);
  });

  it("notices a line that is there and brings nothing, though the server has more", async () => {
    connect();
    world.socket.subscribed(0);
    world.held = [message(1)];
    await world.pass(45_000 + 2_000);
    expect(lines.at(-1)).toMatchObject({ kind: "away", offset: 0 });
  });

  it("leaves a line alone that brings in a moment what the server has just said", async () => {
    connect();
    world.socket.subscribed(0);
    world.held = [message(1)];
    await world.pass(45_000);
    world.socket.give(message(1));
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
    expect(got).toEqual([1]);
  });

  it("looks at once, after a sleep, whether the line has outlived it", async () => {
    const connection = connect();
    world.socket.subscribed(0);
    world.health = false;
    connection.wake();
    await settle();
    expect(kinds().at(-1)).toBe("away");
  });

  it("ignores what is no JSON object", () => {
    connect();
    world.socket.subscribed(0);
    world.socket.onmessage?.({ data: "[1" });
    world.socket.onmessage?.({ data: "[1]" });
    world.socket.onmessage?.({ data: "3" });
    expect(got).toEqual([]);
  });
});

describe("where WebSocket is blocked", () => {
  it("goes on by Server-Sent Events, and back to WebSocket as soon as that goes", async () => {
    connect();
    world.socket.end(1006);
    const stream = world.streams[0];
    expect(stream?.url).toBe("http://server/api/runs/r/stream?after=0");
    stream?.give({ type: "subscribed", log_id: "log", top: 1, recovered: true });
    stream?.give(message(1));
    expect(kinds().at(-1)).toBe("live sse");
    await world.pass(30_000);
    expect(world.sockets).toHaveLength(2);
    expect(stream?.closed).toBe(false);
    stream?.give(message(2));
    world.socket.subscribed(3);
    expect(stream?.closed).toBe(true);
    world.socket.give(message(2));
    world.socket.give(message(3));
    expect(got).toEqual([1, 2, 3]);
    expect(kinds().at(-1)).toBe("live websocket");
  });

  it("tries again and again while WebSocket stays blocked, and the stream goes on", async () => {
    connect();
    world.socket.end(1006);
    world.streams[0]?.give({ type: "subscribed", log_id: "log", top: 0, recovered: true });
    for (let i = 0; i < 3; i++) {
      await world.pass(30_000);
      world.socket.end(1006);
    }
    expect(world.sockets).toHaveLength(4);
    world.streams[0]?.give(message(1));
    expect(got).toEqual([1]);
    expect(kinds()).not.toContain("away");
  });

  it("polls where streams are blocked too, from the same cursor", async () => {
    world.page = { log_id: "log", top: 2, recovered: true, messages: [message(1), message(2)] };
    connect();
    world.socket.end(1006);
    world.streams[0]?.onerror?.();
    await settle();
    expect(world.polls[0]).toBe("http://server/api/runs/r/events?after=0&limit=1000&wait=0");
    expect(got).toEqual([1, 2]);
    expect(kinds().at(-1)).toBe("live poll");
    world.page = { log_id: "log", top: 3, recovered: true, messages: [message(3)] };
    await world.pass(300);
    expect(world.polls[1]).toContain("after=2&log_id=log&limit=1000&wait=2");
    expect(got).toEqual([1, 2, 3]);
  });

  it("says what a poll is refused for, where neither socket nor stream can tell", async () => {
    connect();
    world.page = { title: "This server needs a token." };
    world.status = 401;
    world.socket.end(1006);
    world.streams[0]?.onerror?.();
    await settle();
    expect(lines.at(-1)).toMatchObject({ kind: "refused", code: UNAUTHENTICATED });
    await world.pass(120_000);
    expect(world.polls).toHaveLength(1);
  });

  it("takes a refusal by something in between for a way that is closed, and reads the document", async () => {
    connect();
    world.page = {};
    world.status = 403;
    world.refusal = "text/html";
    world.document = { log_id: "log", top: 2, epochs: [message(1), message(2)] };
    world.socket.end(1006);
    world.streams[0]?.onerror?.();
    await settle();
    expect(got).toEqual([1, 2]);
    expect(kinds().at(-1)).toBe("live document");

    await world.pass(2_000);
    expect(world.documents).toEqual(["", '"2"']);
    world.document = { log_id: "log", top: 3, epochs: [1, 2, 3].map(message) };
    await world.pass(2_000);
    expect(got).toEqual([1, 2, 3]);

    world.document = { log_id: "new", top: 1, epochs: [message(1)] };
    await world.pass(2_000);
    expect(restarts).toBe(1);
    expect(got).toEqual([1]);
  });

  it("goes on by the way that worked last, when that is cut, and does not wait for the others first", async () => {
    connect();
    world.socket.end(1006);
    world.streams[0]?.give({ type: "subscribed", log_id: "log", top: 0, recovered: true });
    world.streams[0]?.onerror?.();
    await world.pass(250);
    expect(world.sockets).toHaveLength(1);
    expect(world.streams).toHaveLength(2);
  });

  it("does not take the present state of all runs again with each poll", async () => {
    world.page = { log_id: "log", top: 9, recovered: true, messages: [message(4)] };
    connect({ runId: null, after: null });
    world.socket.end(1006);
    world.streams[0]?.onerror?.();
    await settle();
    await world.pass(300);
    expect(world.polls[0]).toBe("http://server/api/events?limit=1000&wait=0");
    expect(world.polls[1]).toContain("after=9");
    expect(got).toEqual([4]);
  });

  it("takes a transport that never answers for a blocked one", async () => {
    connect();
    await world.pass(5_000);
    expect(world.socket.closed).toBe(true);
    expect(world.streams).toHaveLength(1);
  });
});

describe("while the server is away", () => {
  const downOnce = async (): Promise<void> => {
    world.socket.end(1006);
    world.streams.at(-1)?.onerror?.();
    await settle();
  };

  it("says since when, how often it tried and when it tries next, and waits longer each time", async () => {
    connect();
    world.time = 1_000;
    const waits: number[] = [];
    for (let i = 1; i <= 7; i++) {
      await downOnce();
      const line = lines.at(-1);
      if (line?.kind !== "away") throw new Error("it should be away");
      expect(line).toMatchObject({ since: 1_000, tries: i, offset: 0 });
      waits.push(line.nextTry - world.time);
      await world.pass(line.nextTry - world.time);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  it("tries at once when somebody asks, and starts counting anew once it is back", async () => {
    const connection = connect();
    await downOnce();
    const before = world.sockets.length;
    connection.tryNow();
    expect(world.sockets).toHaveLength(before + 1);
    world.socket.subscribed(0);
    expect(kinds().at(-1)).toBe("live websocket");
    connection.tryNow();
    expect(world.sockets).toHaveLength(before + 1);
    world.socket.end(1001);
    expect(lines.at(-1)).toMatchObject({ kind: "away", tries: 1 });
  });

  it("opens nothing any more once it was stopped", async () => {
    const connection = connect();
    await downOnce();
    connection.stop();
    const before = world.sockets.length;
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(before);
  });
});

describe("however the line breaks", () => {
  it("each message arrives exactly once, in order", async () => {
    // A server with a log that grows, a viewer whose line breaks at random places, on random transports.
    let state = 7;
    const random = (): number => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return state / 2147483648;
    };
    let top = 0;
    const connection = connect();
    for (let turn = 0; turn < 200; turn++) {
      const socket = world.socket;
      const after = Number(new URL(socket.url).searchParams.get("after") ?? 0);
      if (random() < 0.2) {
        socket.end(1006);
        const stream = world.streams.at(-1);
        const from = Number(new URL(stream?.url ?? "http://x").searchParams.get("after") ?? 0);
        stream?.give({ type: "subscribed", log_id: "log", top, recovered: true });
        top += Math.floor(random() * 4);
        for (let i = from + 1; i <= top; i++) stream?.give(message(i));
        stream?.onerror?.();
      } else {
        socket.subscribed(top);
        top += Math.floor(random() * 4);
        const until = after + Math.floor(random() * (top - after + 1));
        for (let i = Math.max(1, after - 1); i <= until; i++) socket.give(message(i));
        socket.end(random() < 0.5 ? RESTART : TOO_SLOW);
      }
      while (world.socket === socket) await world.pass(100);
    }
    world.socket.subscribed(top);
    for (let i = 1; i <= top; i++) world.socket.give(message(i));
    expect(got).toEqual(Array.from({ length: top }, (_, i) => i + 1));
    connection.stop();
  });
});
