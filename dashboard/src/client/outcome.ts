/** How a run ended, in one word and in sentences (`hub/outcome.py`). */

import { number, whole } from "./reading";
import { ago, type Told } from "./roundWords";
import type { RunState } from "./state";
import { seconds } from "./times";
import {
  bare,
  capital,
  countOf,
  durationWords,
  joined,
  metricWords,
  ofTotal,
  progressOf,
  rate,
  shortened,
} from "./wording";

const LAST_LINE_LETTERS = 160;

/** How a run ended; of one that is lost, since when. */
export function outcome(state: RunState, now: number): Told {
  const { unit, at, total } = progressOf(state);
  const where = at ? ` in ${unit} ${at}` : "";
  if (state.status === "failed") {
    if (state.end?.died) {
      const first = `Died${where}: ${inner(bare(state.error))}.`;
      return { condition: "dead", first, second: joined(output(state), lastGood(state)) };
    }
    const first = `Failed${where}: ${bare(state.error)}.`;
    return { condition: "failed", first, second: joined(whoFell(state), lastGood(state)) };
  }
  if (state.status === "lost") {
    return { condition: "lost_contact", first: lost(state, where, now), second: lastGood(state) };
  }
  if (state.status === "cancelled") {
    const by = state.stopped_by ? ` by ${state.stopped_by}` : "";
    const inWhat = at ? ` in ${ofTotal(unit, at, total)}` : "";
    const reason = state.reason ? capital(`${bare(state.reason)}.`) : "";
    return { condition: "stopped", first: `Stopped${by}${inWhat}.`, second: reason };
  }
  const began = seconds(state.start_time);
  const finished = seconds(state.end_time);
  const took =
    began === null || finished === null ? "" : ` in ${durationWords(Math.max(0, finished - began))}`;
  return {
    condition: "finished",
    first: `Finished${took}${finishedHow(state)}.`,
    second: joined(results(state), whoFell(state)),
  };
}

function lost(state: RunState, where: string, now: number): string {
  if (state.lost === null || !state.lost[1].startsWith("no word")) {
    return `Lost${where}: ${bare(state.error)}.`;
  }
  return `Contact lost ${ago(state.lost, now)}${where}: ${bare(state.lost[1])}; it may still run.`;
}

/** A sentence as part of another one. */
function inner(sentence: string): string {
  return /^(The|Its) /.test(sentence) ? sentence.slice(0, 1).toLowerCase() + sentence.slice(1) : sentence;
}

/** The last line that a process printed before it died. */
function output(state: RunState): string {
  const last = (state.detail ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .at(-1);
  return last === undefined
    ? ""
    : `Its last line: ${shortened(last, LAST_LINE_LETTERS).replace(/\.+$/, "")}.`;
}

function whoFell(state: RunState): string {
  const fallen = state.clients.filter((client) => client.failed_round > 0);
  if (fallen.length < 1 || fallen.length > 2 || fallen.length === state.clients.length) return "";
  return joined(
    ...fallen.map(
      (client) =>
        `${client.client_id} ${client.died === null ? "failed" : "died"} in round ${client.failed_round}.`,
    ),
  );
}

function finishedHow(state: RunState): string {
  const { unit, at, total } = progressOf(state);
  if (unit === "round") {
    const failures = state.rounds_with_failures.length;
    const said = at && total ? `, ${at} of ${total} rounds` : at ? `, ${countOf(at, "round")}` : "";
    return said + (failures ? `, ${failures} with a failure` : "");
  }
  // Whoever trained knows best which epoch it kept; ours is only the best of the key metric.
  const best = whole(state.final_metrics?.best_epoch) || state.best?.at;
  if (best && total) return `; best epoch ${best} of ${total}`;
  return at && total ? `, ${at} of ${total} epochs` : at ? `, ${countOf(at, "epoch")}` : "";
}

function results(state: RunState): string {
  const final = state.final_metrics ?? {};
  for (const name of ["test_auroc", "test_recall", "test_accuracy", "test_loss"]) {
    const value = number(final[name]);
    if (value === null) continue;
    const n = state.split_sizes.test || whole(final.test_num_samples);
    return `${capital(metricWords(name))} ${rate(value)}${n === null ? "" : `, n ${n}`}.`;
  }
  if (state.best === null) return "";
  const { metric, value, at } = state.best;
  return `Best ${metricWords(metric)} ${rate(value)} at ${progressOf(state).unit} ${at}.`;
}

function lastGood(state: RunState): string {
  if (state.key_metric === null || state.metrics_at === null) return "";
  const value = number(state.metrics[state.key_metric]);
  if (value === null) return "";
  return `Last good: ${progressOf(state).unit} ${state.metrics_at}, ${metricWords(state.key_metric)} ${rate(value)}.`;
}
