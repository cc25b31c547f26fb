/** The six places of a federated run: four of the global model, each naming its round, who has sent, and bytes moved. */

import { intervalOf } from "../client/intervals";
import type { Aggregate, Round, RunModel } from "../client/model";
import { bytes, count, rate } from "../client/numbers";
import { chosenRates, figure, finalOf, metricName, ratesAmong } from "../run/figures";
import { casesWords, intervalWords, type Kpi, shortCases } from "../run/kpis";
import { globalCases } from "./curves";
import type { Panel } from "./openPanel";

export function federatedKpis(model: RunModel, panel: Panel): Kpi[] {
  return [...rates(model), loss(model), hospitals(model, panel), moved(model)];
}

function newest(model: RunModel): (Round & { aggregated: Aggregate }) | null {
  const round = model.rounds.findLast((each) => each.aggregated !== null);
  return round?.aggregated ? { ...round, aggregated: round.aggregated } : null;
}

function rates(model: RunModel): Kpi[] {
  const test = finalOf(model, "test");
  if (test) {
    return ratesAmong(Object.keys(test), "test").map((name): Kpi => {
      const one = figure(model, name, test, "test");
      return {
        label: `${metricName(name)}, test`,
        when: "global",
        value: rate(one.value),
        beside: intervalWords(one),
        note: shortCases(casesWords(one)),
      };
    });
  }
  const round = newest(model);
  const names = chosenRates(model);
  return names.map((name, i): Kpi => {
    const label = i === 0 ? `Global ${metricName(name)}, validation` : metricName(name);
    if (!round) return { label, when: "", value: "–", beside: before(model), note: "" };
    const { metrics, numSamples, numSamplesSummed } = round.aggregated;
    const value = metrics[name] ?? null;
    const cases = globalCases(model, numSamples);
    const one = { metric: name, value, cases, interval: intervalOf(name, value, cases) };
    const summed = numSamplesSummed && numSamples !== null ? " (summed)" : "";
    return {
      label,
      when: `round ${round.round}`,
      value: rate(value),
      beside: intervalWords(one),
      note: shortCases(casesWords(one)) + summed,
    };
  });
}

function before(model: RunModel): string {
  if (model.end) return "no figure was reported";
  return model.round > 1 ? "not reported" : "first value after round 1";
}

function loss(model: RunModel): Kpi {
  const told = model.rounds.filter((round) => round.aggregated && "val_loss" in round.aggregated.metrics);
  const last = told[told.length - 1];
  const previous = told[told.length - 2];
  const n = last?.aggregated?.numSamples ?? null;
  return {
    label: "Validation loss",
    when: last ? `round ${last.round}` : "",
    value: rate(last?.aggregated?.metrics.val_loss),
    beside: previous
      ? `${rate(previous.aggregated?.metrics.val_loss)} in round ${previous.round}`
      : last
        ? ""
        : before(model),
    note: last ? (n === null ? "n not reported" : `n ${count(n)}`) : "",
  };
}

/** What went over the line, as the hospitals measured it. */
export function moved(model: RunModel): Kpi {
  const { bytes_down: down, bytes_up: up } = model.state;
  const label = "Bytes moved";
  if (down === null && up === null) {
    const beside = model.round > 1 || model.end ? "not reported" : "told at the end of a round";
    return { label, when: "", value: "–", beside, note: "" };
  }
  return {
    label,
    when: "all rounds",
    value: bytes((down ?? 0) + (up ?? 0)),
    beside: `${bytes(down)} down`,
    note: `${bytes(up)} up`,
  };
}

/** Who has sent in the open round, and what the others do. */
export function hospitals(model: RunModel, panel: Panel): Kpi {
  const states = panel.rows.map((row) => row.state);
  const number = (state: (typeof states)[number]) => states.filter((each) => each === state).length;
  const rest = [
    [number("late"), "late"],
    [number("failed"), "failed"],
    [number("silent"), "silent"],
    [number("lost"), "lost"],
    [number("waiting"), "not started"],
  ] as const;
  const note = rest
    .filter(([many]) => many > 0)
    .map(([many, word]) => `${many} ${word}`)
    .slice(0, 3)
    .join(", ");
  return {
    label: "Hospitals",
    when: panel.round > 0 ? `round ${panel.round}` : "",
    value: `${number("sent")} of ${states.length}`,
    beside: panel.round === 0 ? "before round 1" : panel.open ? "have sent" : "sent",
    note: model.end && note === "" ? "all of them" : note,
  };
}
