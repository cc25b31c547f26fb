import { describe, expect, it } from "vitest";
import { federated } from "../../test/fixtures/federated";
import { fold } from "../client/fold";
import { emptyModel, type RunModel } from "../client/model";
import { bytes } from "../client/numbers";
import { described } from "../client/words";
import { boardOf } from "./board";
import { detailLines } from "./cellDetail";
import { federatedKpis } from "./kpis";
import { panelOf } from "./openPanel";
import { move } from "./place";

function kpisOf(model: RunModel, now: number) {
  return federatedKpis(model, panelOf(model, described(model.state, now), now));
}

describe("the figures of a federated run", () => {
  it("name the round they come from; only Hospitals counts the open one", () => {
    const run = federated();
    const kpis = kpisOf(fold(emptyModel("six"), run.messages), run.now);
    expect(kpis.map((kpi) => kpi.when)).toEqual(["round 7", "round 7", "round 7", "round 7", "round 8", ""]);
    expect(kpis[0]).toMatchObject({
      label: "Global AUROC, validation",
      value: "0.979",
      beside: "0.965 to 0.987",
      note: "n 524 (389 / 135)",
    });
    expect(kpis[1]?.note).toBe("371 of 389 pneumonia");
    expect(kpis[4]).toMatchObject({
      value: "2 of 6",
      beside: "have sent",
      note: "1 late, 1 failed, 1 not started",
    });
  });
  it("say what went over the line, and that nobody measured it", () => {
    const run = federated();
    const model = fold(emptyModel("six"), run.messages);
    expect(kpisOf(model, run.now)[5]).toMatchObject({
      label: "Bytes moved",
      value: "–",
      beside: "not reported",
    });
    const measured = run.messages.map((message) =>
      message.type === "round_end" && message.client_id
        ? { ...message, bytes_down: 310_000, bytes_up: 309_000 }
        : message,
    );
    const sent = measured.filter((message) => "bytes_up" in message).length;
    expect(kpisOf(fold(emptyModel("six"), measured), run.now)[5]).toMatchObject({
      value: bytes(sent * 619_000),
      beside: `${bytes(sent * 310_000)} down`,
      note: `${bytes(sent * 309_000)} up`,
    });
  });
  it("say when the first value comes", () => {
    const run = federated({ open: 1 });
    expect(kpisOf(fold(emptyModel("six"), run.messages), run.now)[0]).toMatchObject({
      value: "–",
      beside: "first value after round 1",
    });
  });
  it("are those of the test split at the end", () => {
    const run = federated({ open: 21 });
    const kpis = kpisOf(fold(emptyModel("six"), run.messages), run.now);
    expect(kpis[0]).toMatchObject({ label: "AUROC, test", value: "0.951", note: "n 624 (390 / 234)" });
    expect(kpis[4]).toMatchObject({ value: "6 of 6", note: "all of them" });
  });
  it("say that no figure was reported where only clients log", () => {
    const run = federated();
    const mine = run.messages.filter((message) => message.client_id !== undefined);
    expect(kpisOf(fold(emptyModel("six"), mine), run.now)[0]).toMatchObject({
      value: "–",
      beside: "not reported",
    });
  });
});

describe("the detail of a cell", () => {
  const run = federated();
  const model = fold(emptyModel("six"), run.messages);
  const board = boardOf(model, run.now);
  it("says where a failure stopped, and what the round misses", () => {
    expect(detailLines(model, board.cell(4, 7)).lines).toEqual([
      expect.stringMatching(/^Stopped in local epoch 2, step 6 of 35, loss 0\.\d{3}\.$/),
      "The round goes on with 5 hospitals; 1,104 images are missing from it.",
    ]);
  });
  it("says how long a past round took and what came of it, each with its n", () => {
    const lines = detailLines(model, board.cell(0, 6)).lines.join(" ");
    expect(lines).toMatch(
      /^Trained for 1 min \d+ s, usually 1 min \d+ s\. 3 of 3 local epochs told\. Train loss 0\.\d{3}, n 1,212\./,
    );
    expect(lines).toMatch(/Its own validation: AUROC 0\.\d{3}, recall 0\.940, loss 0\.\d{3}, n 98\.$/);
  });
  it("says that nothing was heard", () => {
    expect(detailLines(model, board.cell(5, 7)).lines).toEqual(["No message in this round yet."]);
  });
});

describe("walking on the board", () => {
  const board = { rows: [0, 1, 2], columns: [0, 1, 2, 3] };
  it("stays on it", () => {
    expect(move({ row: 0, column: 0 }, "ArrowUp", board)).toEqual({ row: 0, column: 0 });
    expect(move({ row: 2, column: 1 }, "ArrowDown", board)).toEqual({ row: 2, column: 1 });
    expect(move({ row: 1, column: 1 }, "ArrowRight", board)).toEqual({ row: 1, column: 2 });
    expect(move({ row: 1, column: 1 }, "End", board)).toEqual({ row: 1, column: 3 });
    expect(move({ row: 1, column: 1 }, "Home", board)).toEqual({ row: 1, column: 0 });
    expect(move({ row: 1, column: 1 }, "x", board)).toBeNull();
  });
});
