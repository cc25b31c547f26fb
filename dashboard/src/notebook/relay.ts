/**
 * What the kernel sends to a cell: a list of messages that only grows, in pieces that say where they begin.
 *
 * A piece may repeat what is there already, and one may be missed while the cell was loading: what is known is left
 * out, and what is missing is asked for.
 */

import type { Message } from "../client/model";
import { list, record } from "../client/reading";

/** Just what a cell needs of the widget that it belongs to (anywidget's model). */
export interface Widget {
  get(name: string): unknown;
  on(event: string, heard: (content: unknown) => void): void;
  off(event: string, heard: (content: unknown) => void): void;
  send(content: unknown): void;
}

export class Relay {
  private have = 0;
  private asked = -1;

  constructor(
    private readonly widget: Widget,
    private readonly take: (batch: readonly Message[]) => void,
  ) {}

  start(): void {
    this.widget.on("change:told", this.whole);
    this.widget.on("msg:custom", this.heard);
    this.whole();
    this.ask();
  }

  stop(): void {
    this.widget.off("change:told", this.whole);
    this.widget.off("msg:custom", this.heard);
  }

  private readonly whole = (): void => this.piece(0, list(this.widget.get("told")));

  private readonly heard = (content: unknown): void => {
    const { from, messages } = record(content);
    if (typeof from === "number") this.piece(from, list(messages));
  };

  private piece(from: number, messages: readonly unknown[]): void {
    if (from > this.have) {
      this.ask();
      return;
    }
    const news = messages.slice(this.have - from) as Message[];
    if (news.length === 0) return;
    this.have += news.length;
    this.take(news);
  }

  private ask(): void {
    // Once for each place: the kernel may be busy with another cell, and answers when it is not.
    if (this.asked === this.have) return;
    this.asked = this.have;
    this.widget.send({ have: this.have });
  }
}
