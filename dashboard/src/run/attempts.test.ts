import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { tableOf } from "../charts/table";
import { tailsOf, tailWords } from "../client/attempts";
import { fold } from "../client/fold";
import { emptyModel, type Message, type RunModel } from "../client/model";
import { globalCurve, smallMultiples } from "../federated/curves";
import { attemptRows } from "./attempts";
import { eventLines } from "./events";
import { LOOKS, lossChart, rateChart } from "./plots";
import { xAxis } from "./xaxis";

/** A recorded run that went back (`tests/recordings`). */
function recorded(name: string): Message[] {
  const path = resolve(import.meta.dirname, `../../../tests/recordings/${name}.jsonl`);
  return readFileSync(path, "utf-8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Message);
}

const folded = (messages: readonly Message[]): RunModel => fold(emptyModel("r"), messages);

describe("a run that went on from epoch 5 after 7 were logged", () => {
  const messages = recorded("centralised-goes-on");
  const model = folded(messages);
  const tails = tailsOf(model);

  it("has each epoch once in its curve, and keeps the rest aside", () => {
    expect(model.epochs.map((each) => each.epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(tails.map((tail) => tailWords(model, tail))).toEqual(["attempt 1 · epochs 6–8"]);
    expect(attemptRows(model)).toEqual([
      {
        attempt: 2,
        from: "epoch 5",
        reached: "epoch 10",
        ended: expect.stringMatching(/^completed .*, after 58 s$/),
        now: true,
      },
      {
        attempt: 1,
        from: "the start",
        reached: "epoch 8, kept to 5",
        ended: expect.stringMatching(/^failed .*, after 1 min 25 s$/),
        now: false,
      },
    ]);
  });

  it("says in its events where it went on, and what is superseded", () => {
    const lines = eventLines(model).map((line) => `${line.strong} ${line.rest}`);
    expect(lines).toContain("Attempt 2 goes on from epoch 5");
    expect(lines).toContain("Epoch 7 validated: AUROC 0.945, loss 0.180, superseded");
    expect(lines).toContain("Epoch 5 validated: AUROC 0.940, loss 0.109. Best so far");
  });

  it("draws the superseded tail from the point where the run went back, and tells it in the table", () => {
    const x = xAxis(model, "epoch", 0);
    const { spec, read } = rateChart(model, ["val_auroc"], [LOOKS.validation], x, null, tails);
    const tail = spec.series.find((series) => series.tail);
    expect([tail?.look, tail?.points.x]).toEqual([LOOKS.validation, [5, 6, 7]]);
    expect(spec.turns).toEqual([{ x: 5, label: "attempt 2" }]);
    expect(tableOf(spec, "epoch").columns.slice(-1)).toEqual(["validation, attempt 1"]);
    const row = tableOf(spec, "epoch").rows.find(([epoch]) => epoch === 7);
    expect([row?.[1], row?.at(-1)]).toEqual([0.9525, 0.9445]);
    expect(read(7).entries.map((each) => `${each.label} ${each.value}`)).toEqual([
      "validation 0.953",
      "attempt 1 0.945",
    ]);
    expect(read(9).entries).toHaveLength(1);
  });

  it("draws the steps of either, each where it belongs", () => {
    const { spec } = lossChart(model, xAxis(model, "epoch", 0), false, null, null, tails);
    const [superseded, train] = ["train, attempt 1", "train"].map(
      (label) => spec.series.find((series) => series.label === label)?.points,
    );
    expect(superseded?.x).toEqual([5.25, 5.5, 5.75, 6, 6.25, 6.5, 6.75, 7, 7.25, 7.5, 7.75]);
    expect(train?.x).toHaveLength(40);
    expect(train?.y).not.toContain(null);
    expect(spec.gaps).toEqual([]);
  });

  it("is the same whichever of its attempts is read first", () => {
    const second = (message: Message) => message.attempt === 2;
    const swapped = [...messages.filter(second), ...messages.filter((each) => !second(each))];
    const renumbered = (all: readonly Message[]) =>
      folded(all.map((each, i) => ({ ...each, offset: i + 1 })));
    const [one, other] = [renumbered(messages), renumbered(swapped)];
    const values = (of: RunModel) =>
      of.epochs.map((each) => [each.epoch, each.val?.metrics, each.train?.metrics]);
    expect(values(other)).toEqual(values(one));
    expect(other.state).toEqual(one.state);
    expect([other.epoch, other.status, other.finalMetrics]).toEqual([
      one.epoch,
      one.status,
      one.finalMetrics,
    ]);
  });
});

describe("a federated run that went on from round 2", () => {
  const model = folded(recorded("federated-goes-on"));
  const tails = tailsOf(model);

  it("has each round once, of whichever attempt is current", () => {
    expect(model.rounds.map((each) => [each.round, each.aggregated?.numClients])).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
      [4, 2],
    ]);
    expect(tails.map((tail) => tailWords(model, tail))).toEqual(["attempt 1 · rounds 3–4"]);
    expect(model.clients.map((each) => [each.clientId, each.failed])).toEqual([
      ["hospital-a", null],
      ["hospital-b", null],
    ]);
  });

  it("draws the tails of the global model and of each hospital", () => {
    const curve = globalCurve(model, 4, 600, null, tails);
    expect(curve.spec.series.map((series) => [series.label, series.points.x])).toEqual([
      ["global model", [1, 2, 3, 4]],
      ["global model, attempt 1", [2, 3]],
    ]);
    const [small] = smallMultiples(model, "loss", model.clients, new Set(), tails);
    expect(small?.spec.series.at(-1)).toMatchObject({ label: "hospital-a, attempt 1", tail: true });
  });
});
