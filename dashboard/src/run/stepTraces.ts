/** The steps of a run as growing curves: each new step is added once, and what is drawn is taken from them. */

import { Average } from "../charts/smooth";
import { Trace } from "../charts/trace";
import { settledLength } from "../client/fold.steps";
import type { StepSeries } from "../client/model";
import type { XAxis } from "./xaxis";

/** Of up to so many newest steps the usual gap is the median. */
const USUAL = 100;

export interface Gap {
  from: number;
  to: number;
  seconds: number;
}

/** Where the line has come to: what the next step is judged by. */
interface Reached {
  readonly taken: number;
  readonly row: number;
  readonly points: number;
  readonly gaps: number;
  readonly highest: number;
  readonly attempt: number | undefined;
  readonly shift: number;
  readonly last: number | null;
  readonly recent: readonly number[];
  readonly usual: number;
  readonly average: Average | null;
}

/**
 * One metric of one series. Rows that are still to come in between (merged on the way, fetched a moment later) make all
 * behind them provisional: that part, which is short, is drawn and taken back the next time.
 */
export class StepTrace {
  readonly raw = new Trace();
  readonly smooth: Trace | null;
  /** Where none came for ten usual gaps (and at least ten seconds). */
  readonly gaps: Gap[] = [];
  #average: Average | null;
  #taken = 0;
  #row = 0;
  #highest = Number.NEGATIVE_INFINITY;
  #attempt: number | undefined;
  #shift = 0;
  #last: number | null = null;
  #recent: number[] = [];
  #usual = 0;
  #settled: Reached;

  constructor(weight: number) {
    this.#average = weight > 0 ? new Average(weight) : null;
    this.smooth = weight > 0 ? new Trace() : null;
    this.#settled = this.#reached();
  }

  /** Whether what is settled is the beginning of `series`. */
  fits(series: StepSeries): boolean {
    const { taken, row } = this.#settled;
    return taken === 0 || (series.length >= taken && series.row[taken - 1] === row);
  }

  /** Takes what is new in the series. */
  take(series: StepSeries, metric: string, x: XAxis, shows: (i: number) => boolean): void {
    this.#backTo(this.#settled);
    const settled = settledLength(series);
    this.#takeUntil(settled, series, metric, x, shows);
    this.#settled = this.#reached();
    this.#takeUntil(series.length, series, metric, x, shows);
  }

  #takeUntil(end: number, series: StepSeries, metric: string, x: XAxis, shows: (i: number) => boolean): void {
    const column = series.metrics[metric] ?? [];
    for (; this.#taken < end; this.#taken++) {
      const i = this.#taken;
      this.#row = series.row[i] ?? 0;
      if (!shows(i)) continue;
      const place = x.ofStep(series, i);
      // A step that is told again has no place to the right of what is drawn.
      if (place === null || place <= this.#highest) continue;
      this.#breakBefore(series, i, place);
      this.#put(place, column[i] ?? null);
    }
  }

  #breakBefore(series: StepSeries, i: number, place: number): void {
    const time = (series.at[i] ?? 0) / 1000;
    // Between two attempts nothing was trained: that is no gap of either.
    if (series.attempt[i] !== this.#attempt && this.#last !== null) this.#shift = this.#last - time;
    this.#attempt = series.attempt[i];
    const now = time + this.#shift;
    if (this.#last !== null) {
      const seconds = now - this.#last;
      if (this.#recent.length > 0 && seconds > Math.max(10, 10 * this.#usual)) {
        this.gaps.push({ from: this.#highest, to: place, seconds });
        this.#put((this.#highest + place) / 2, null);
      }
      this.#remember(seconds);
    }
    this.#last = now;
  }

  #remember(seconds: number): void {
    this.#recent.push(seconds);
    if (this.#recent.length > USUAL) this.#recent.shift();
    // The median of so many changes slowly: at first it is looked at each time, then now and then.
    if (this.#recent.length < 8 || this.#taken % 16 === 0) {
      this.#usual = [...this.#recent].sort((a, b) => a - b)[this.#recent.length >> 1] ?? 0;
    }
  }

  #put(place: number, value: number | null): void {
    this.raw.push(place, value);
    this.smooth?.push(place, this.#average?.next(value) ?? null);
    this.#highest = place;
  }

  #reached(): Reached {
    return {
      taken: this.#taken,
      row: this.#row,
      points: this.raw.length,
      gaps: this.gaps.length,
      highest: this.#highest,
      attempt: this.#attempt,
      shift: this.#shift,
      last: this.#last,
      recent: [...this.#recent],
      usual: this.#usual,
      average: this.#average?.copy() ?? null,
    };
  }

  #backTo(reached: Reached): void {
    this.raw.truncate(reached.points);
    this.smooth?.truncate(reached.points);
    this.gaps.length = reached.gaps;
    this.#taken = reached.taken;
    this.#row = reached.row;
    this.#highest = reached.highest;
    this.#attempt = reached.attempt;
    this.#shift = reached.shift;
    this.#last = reached.last;
    this.#recent = [...reached.recent];
    this.#usual = reached.usual;
    this.#average = reached.average?.copy() ?? null;
  }
}

/** The traces of one chart, kept from one drawing to the next. */
export class StepTraces {
  readonly #kept = new Map<string, StepTrace>();

  /** @param key What decides where a step lies and which are shown: a change begins the trace anew. */
  of(
    key: string,
    series: StepSeries,
    metric: string,
    x: XAxis,
    shows: (i: number) => boolean,
    weight: number,
  ): StepTrace {
    const name = `${key}/${metric}/${weight}`;
    const known = this.#kept.get(name);
    const trace = known?.fits(series) ? known : new StepTrace(weight);
    if (trace !== known) {
      this.#kept.delete(name);
      this.#kept.set(name, trace);
      // What was looked at longest ago goes: a chart shows few at once.
      const oldest = this.#kept.keys().next().value;
      if (this.#kept.size > 6 && oldest !== undefined) this.#kept.delete(oldest);
    }
    trace.take(series, metric, x, shows);
    return trace;
  }
}
