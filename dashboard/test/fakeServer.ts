/** The server's paths over made-up runs: enough of them for looking at the page and for its browser checks. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { foldState } from "../src/client/fold.state";
import type { Message } from "../src/client/model";
import { emptyState, type RunState } from "../src/client/state";
import { described } from "../src/client/words";
import { plansAround, SILENT_MS } from "./fakePlans";
import { messagesOf, type Plan } from "./fakeRuns";
import { schemaOf } from "./fakeSchema";

interface Options {
  readonly speed: number;
  readonly empty: boolean;
  readonly webSocket: boolean;
  readonly sse: boolean;
}

interface Viewer {
  readonly runId: string | null;
  send(message: Message): void;
}

export class FakeServer {
  private readonly log: Message[] = [];
  private readonly steps: Message[] = [];
  private readonly states = new Map<string, RunState>();
  private waiting: Message[] = [];
  private readonly viewers = new Set<Viewer>();
  private readonly sockets = new WebSocketServer({ noServer: true });
  private readonly began = Date.now();
  private offset = 0;

  constructor(private readonly options: Options) {
    if (!options.empty) for (const plan of plansAround(this.began)) this.add(plan);
    this.tick();
    setInterval(() => this.tick(), 100).unref();
  }

  /** The time of the runs: it may pass faster than ours. */
  private now(): number {
    return this.began + (Date.now() - this.began) * this.options.speed;
  }

  private add(plan: Plan): void {
    const silent = SILENT_MS[plan.runId];
    const messages = messagesOf(plan).filter(
      (each) => silent === undefined || Date.parse(each.timestamp) < this.began - silent,
    );
    this.waiting = [...this.waiting, ...messages].sort(
      (a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp),
    );
  }

  private say(message: Message): void {
    this.waiting.unshift({ ...message, timestamp: new Date(this.now()).toISOString() });
    this.tick();
  }

  private tick(): void {
    const now = this.now();
    let due = 0;
    while (due < this.waiting.length && Date.parse(this.waiting[due]?.timestamp ?? "") <= now) due++;
    for (const each of this.waiting.splice(0, due)) this.commit(each);
  }

  private commit(said: Message): void {
    const step = said.type === "step";
    const message: Message = step ? said : { ...said, offset: ++this.offset };
    (step ? this.steps : this.log).push(message);
    const before = this.states.get(message.run_id) ?? { ...emptyState(message.run_id), hears_cancel: true };
    this.states.set(message.run_id, foldState(before, message));
    for (const viewer of this.viewers)
      if (viewer.runId === null || viewer.runId === message.run_id) viewer.send(message);
  }

  private cut(runId: string, message: Message): void {
    this.waiting = this.waiting.filter((each) => each.run_id !== runId);
    this.say(message);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = new URL(request.url ?? "/", "http://fake");
    if (url.pathname !== "/ws/training-progress" || !this.options.webSocket) {
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (web) => {
      const runId = this.resolved(url.searchParams.get("run_id"));
      if (runId !== null && !this.states.has(runId)) {
        web.close(4404, "there is no such run");
        return;
      }
      const viewer: Viewer = { runId, send: (message) => web.send(JSON.stringify(message)) };
      this.open(viewer, url.searchParams.get("after"), (frame) => web.send(JSON.stringify(frame)));
      web.on("close", () => this.viewers.delete(viewer));
    });
  }

  private open(viewer: Viewer, after: string | null, control: (frame: object) => void): void {
    control({ type: "subscribed", log_id: "fake", top: this.offset, recovered: true });
    for (const message of this.since(viewer.runId, after)) viewer.send(message);
    this.viewers.add(viewer);
  }

  private since(runId: string | null, after: string | null): readonly Message[] {
    if (after === null) return [];
    const from = Number(after);
    return this.log.filter((each) => (each.offset ?? 0) > from && (runId === null || each.run_id === runId));
  }

  private resolved(runId: string | null): string | null {
    return runId === "latest" ? (this.rows()[0]?.run_id ?? runId) : runId;
  }

  private rows(): readonly RunState[] {
    const live = (run: RunState): number => (["queued", "started", "running"].includes(run.status) ? 0 : 1);
    return [...this.states.values()]
      .map((state) => described(state, this.now()))
      .sort((a, b) => (live(a) - live(b) || (a.start_time ?? "") < (b.start_time ?? "") ? 1 : -1))
      .sort((a, b) => live(a) - live(b));
  }

  /** Answers what is the server's; false for what is the page's. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const url = new URL(request.url ?? "/", "http://fake");
    if (url.pathname === "/healthz") return json(response, { status: "ok" });
    if (!url.pathname.startsWith("/api/")) return false;
    const parts = url.pathname.split("/").slice(2).map(decodeURIComponent);
    if (parts[0] === "config") return json(response, schemaOf(url.searchParams.get("kind") ?? "centralized"));
    if (request.method === "POST" && parts[1] === "train")
      return this.train(request, response, parts[0] ?? "");
    if (parts[0] === "events") return this.poll(response, url, null);
    if (parts[0] === "stream") return this.stream(request, response, url, null);
    if (parts[0] === "runs" && parts.length === 1) return json(response, this.list(url.searchParams));
    const runId = this.resolved(parts[1] ?? "");
    const state = this.states.get(runId ?? "");
    if (parts[0] !== "runs" || runId === null || state === undefined) {
      return json(
        response,
        {
          type: "about:blank",
          title: `There is no run '${parts[1]}'.`,
          status: 404,
          detail: "GET /api/runs lists them.",
        },
        404,
      );
    }
    return this.ofRun(request, response, url, state, parts[2]);
  }

  private ofRun(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    state: RunState,
    what: string | undefined,
  ): boolean {
    const runId = state.run_id;
    if (what === "events") return this.poll(response, url, runId);
    if (what === "stream") return this.stream(request, response, url, runId);
    if (what === "series") return json(response, this.series(runId, url.searchParams.get("metric")));
    if (what === "log") {
      response.writeHead(200, { "content-type": "text/plain" }).end("epoch 1\nepoch 2\n");
      return true;
    }
    if (what === "cancel") {
      this.say({
        type: "alert",
        level: "info",
        title: "Stop asked",
        text: "Somebody asked for a stop.",
        about: "cancel",
        run_id: runId,
        timestamp: "",
      });
      setTimeout(
        () =>
          this.cut(runId, {
            type: "training_cancelled",
            by: "an operator",
            reason: "asked in the page",
            run_id: runId,
            timestamp: "",
          }),
        2_000,
      );
      return json(response, {}, 202);
    }
    if (request.method === "DELETE") {
      this.states.delete(runId);
      response.writeHead(204).end();
      return true;
    }
    return json(response, described(state, this.now()));
  }

  private list(query: URLSearchParams): object {
    const status = query.getAll("status");
    const q = (query.get("q") ?? "").toLowerCase();
    const mode = query.get("mode");
    const found = this.rows().filter(
      (run) =>
        (status.length === 0 || status.includes(run.status)) &&
        (mode === null || run.mode === mode) &&
        `${run.name} ${run.experiment_name} ${run.run_id}`.toLowerCase().includes(q),
    );
    const limit = Number(query.get("limit") ?? 50);
    const page = Number(query.get("page") ?? 1);
    return { runs: found.slice((page - 1) * limit, page * limit), total: found.length, page, limit };
  }

  private train(request: IncomingMessage, response: ServerResponse, kind: string): boolean {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString() || "{}") as {
        experiment_name?: string;
        config?: { epochs?: number };
      };
      const epochs = body.config?.epochs ?? 24;
      if (epochs < 1) {
        const fault = {
          where: "config.epochs",
          wrong: `got ${epochs}`,
          right: "a whole number from 1 to 100000",
        };
        json(
          response,
          {
            type: "about:blank",
            title: "config.epochs: got 0.",
            status: 422,
            detail: "A whole number from 1 to 100000.",
            errors: [fault],
          },
          422,
        );
        return;
      }
      const name = body.experiment_name ?? "pneumonia";
      const runId = `${name}-${this.states.size}`;
      this.say({ type: "run_queued", kind, experiment_name: name, mode: kind, run_id: runId, timestamp: "" });
      const common = { runId, name, seed: 0, start: this.now() + 1500, reach: 0.98 };
      this.add(
        kind === "federated"
          ? {
              ...common,
              rounds: 3,
              roundMs: 20_000,
              localEpochs: 1,
              hospitals: ["client_0", "client_1", "client_2"],
            }
          : { ...common, epochs, epochMs: 6_000 },
      );
      json(response, { run_id: runId }, 202);
    });
    return true;
  }

  private poll(response: ServerResponse, url: URL, runId: string | null): boolean {
    const after = url.searchParams.get("after");
    const give = (): boolean =>
      json(response, {
        log_id: "fake",
        top: this.offset,
        recovered: true,
        messages: this.since(runId, after),
      });
    if (this.since(runId, after).length > 0 || url.searchParams.get("wait") === "0" || after === null)
      return give();
    setTimeout(give, 1_000);
    return true;
  }

  private stream(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    runId: string | null,
  ): boolean {
    if (!this.options.sse) {
      response.writeHead(503).end();
      return true;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const viewer: Viewer = {
      runId,
      send: (message) => response.write(`data: ${JSON.stringify(message)}\n\n`),
    };
    this.open(viewer, url.searchParams.get("after"), (frame) =>
      response.write(`data: ${JSON.stringify(frame)}\n\n`),
    );
    request.on("close", () => this.viewers.delete(viewer));
    return true;
  }

  private series(runId: string, metric: string | null): object {
    const groups = new Map<string, Message[]>();
    for (const each of this.steps) {
      if (each.run_id !== runId) continue;
      const key = `${each.client_id ?? ""}/${String(each.phase)}`;
      groups.set(key, [...(groups.get(key) ?? []), each]);
    }
    const column = (rows: readonly Message[], name: string) =>
      rows.map((row) => (row as unknown as Record<string, unknown>)[name] ?? null);
    const steps = [...groups.values()].map((rows) => ({
      client_id: rows[0]?.client_id ?? null,
      phase: rows[0]?.phase,
      row: column(rows, "row"),
      epoch: column(rows, "epoch"),
      round: column(rows, "round"),
      step: column(rows, "step"),
      total_steps: column(rows, "total_steps"),
      timestamp: column(rows, "timestamp"),
      metrics: { train_loss: rows.map((row) => (row.metrics as Record<string, number>).train_loss ?? null) },
    }));
    const told = this.log.filter(
      (each) =>
        each.run_id === runId &&
        (each.type === "round_aggregated" || (each.type === "epoch_end" && each.phase === "val")),
    );
    const name = metric ?? "val_auroc";
    const epochs = [
      {
        type: told[0]?.type ?? "epoch_end",
        client_id: null,
        phase: "val",
        epoch: column(told, "epoch"),
        round: column(told, "round"),
        metrics: { [name]: told.map((row) => (row.metrics as Record<string, number>)[name] ?? null) },
      },
    ];
    return { run_id: runId, log_id: "fake", steps, epochs };
  }
}

function json(response: ServerResponse, value: unknown, status = 200): true {
  response
    .writeHead(status, { "content-type": status >= 400 ? "application/problem+json" : "application/json" })
    .end(JSON.stringify(value));
  return true;
}
