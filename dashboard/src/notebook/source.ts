/** Where a cell has its run from: the server, if this browser reaches it, else the kernel. */

import { serveFrom } from "../client/api";
import { browserEnvironment } from "../client/environment";
import { fold } from "../client/fold";
import { emptyModel, type Line, type RunModel } from "../client/model";
import { RunFeed } from "../client/runFeed";
import { Store } from "../client/store";
import { Relay, type Widget } from "./relay";

export interface CellView {
  readonly model: RunModel | null;
  readonly by: "looking" | "server" | "kernel";
  /** The line to the server, where it is the server that is asked. */
  readonly line: Line | null;
}

type Input = (view: CellView) => CellView;

/** How long the server may take to answer before the kernel is asked. */
const REACHED_MS = 3_000;

export class CellSource {
  readonly store = new Store<CellView, Input>({ model: null, by: "looking", line: null }, (view, batch) =>
    batch.reduce((sofar, input) => input(sofar), view),
  );
  private feed: RunFeed | null = null;
  private relay: Relay | null = null;
  private stopped = false;

  constructor(private readonly widget: Widget) {}

  start(): void {
    const url = String(this.widget.get("url") ?? "").replace(/\/+$/, "");
    if (url === "") {
      this.byKernel();
      return;
    }
    const path = `/api/runs/${encodeURIComponent(this.runId)}`;
    fetch(url + path, { signal: AbortSignal.timeout(REACHED_MS) }).then(
      (answer) => (answer.ok ? this.byServer(url) : this.byKernel()),
      () => this.byKernel(),
    );
  }

  stop(): void {
    this.stopped = true;
    this.feed?.stop();
    this.relay?.stop();
  }

  get runId(): string {
    return String(this.widget.get("run_id") ?? "");
  }

  private byServer(url: string): void {
    if (this.stopped) return;
    serveFrom(url);
    const feed = new RunFeed(this.runId, { ...browserEnvironment(), origin: url });
    this.feed = feed;
    const tell = () => {
      const { model, line } = feed.store.get();
      this.store.push([() => ({ by: "server", model, line })]);
    };
    feed.store.subscribe(tell);
    feed.start();
    tell();
  }

  private byKernel(): void {
    if (this.stopped) return;
    this.store.push([(view) => ({ ...view, by: "kernel" })]);
    this.relay = new Relay(this.widget, (batch) =>
      this.store.push([(view) => ({ ...view, model: fold(view.model ?? emptyModel(this.runId), batch) })]),
    );
    this.relay.start();
  }
}
