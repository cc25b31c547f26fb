import { describe, expect, it } from "vitest";
import { federated } from "../../test/fixtures/federated";
import { fold } from "../client/fold";
import { emptyModel } from "../client/model";
import { described } from "../client/words";
import { boardOf, cellValue, columnWidth, partsOf, tooFew } from "./board";
import { panelOf } from "./openPanel";
import { lateBy } from "./rounds";

const recorded = federated();
const model = fold(emptyModel("six"), recorded.messages);
const board = boardOf(model, recorded.now);

describe("the board", () => {
  it("has a row per hospital, as the run names them, and a column per planned round", () => {
    expect(board.rows.map((row) => row.name)[0]).toBe("Northgate");
    expect(board.rows).toHaveLength(6);
    expect(board.columns).toHaveLength(20);
    expect(board.open).toBe(8);
    expect(board.columns.filter((column) => column.state === "future")).toHaveLength(12);
  });
  it("counts who has sent, and shows who failed", () => {
    expect(board.columns[4]).toMatchObject({ round: 5, sent: 5, of: 6 });
    expect(board.columns[7]).toMatchObject({ round: 8, sent: 2, of: 6 });
    expect(board.cell(5, 4).failed?.error).toContain("disk full");
  });
  it("splits a cell into waiting and training, and sets apart what was beyond the usual", () => {
    const late = board.cell(1, 2).parts.map((part) => part.kind);
    expect(late).toEqual(["wait", "train", "late", "wait"]);
    expect(board.cell(0, 2).parts.map((part) => part.kind)).toEqual(["wait", "train", "wait"]);
    for (const row of board.rows.keys()) {
      for (const column of board.columns.keys()) {
        const cell = board.cell(row, column);
        for (const part of cell.parts) expect(part.to).toBeGreaterThan(part.from);
        expect(cell.parts[cell.parts.length - 1]?.to ?? 0).toBeLessThanOrEqual(1);
      }
    }
  });
  it("warns of a class with few cases", () => {
    expect(board.rows[5]).toMatchObject({ facts: "291 images", rare: "only 9 normal" });
    expect(board.rows[0]).toMatchObject({ facts: "1,212 images, 330 normal", rare: null });
  });
  it("keeps a row for a hospital that is expected and was not heard", () => {
    const start = federated({ open: 1 });
    const early = fold(emptyModel("six"), start.messages.slice(0, 3));
    const rows = boardOf(early, start.now).rows;
    expect(rows).toHaveLength(6);
    expect(rows[5]).toMatchObject({ name: "hospital 6", facts: "not heard yet" });
  });
  it("keeps the cells of a round that is over", () => {
    expect(boardOf(model, recorded.now + 1000).cell(0, 0)).toBe(board.cell(0, 0));
    expect(boardOf(model, recorded.now + 1000).cell(1, 7)).not.toBe(board.cell(1, 7));
  });
  it("writes a local value into a cell in few characters", () => {
    const cell = board.cell(0, 0);
    expect(cellValue(cell, "auroc", false)).toMatch(/^\.8\d$/);
    expect(cellValue(cell, "auroc", true)).toBe("n/a");
  });
});

describe("partsOf", () => {
  it("is all waiting for a hospital that has said nothing", () => {
    expect(partsOf(null, 0, 50, 100, null)).toEqual([{ kind: "wait", from: 0, to: 0.5 }]);
    expect(partsOf(null, 0, 0, 100, null)).toEqual([]);
  });
});

describe("lateBy", () => {
  it("begins at more than 10 s and 10 %, never without two finished rounds", () => {
    expect(lateBy(109_000, 100_000)).toBe(0);
    expect(lateBy(111_000, 100_000)).toBe(11_000);
    expect(lateBy(1_090_000, 1_000_000)).toBe(0);
    expect(lateBy(1_101_000, 1_000_000)).toBe(101_000);
    expect(lateBy(1e9, null)).toBe(0);
  });
});

describe("the open round", () => {
  it("says of each hospital what it does", () => {
    const panel = panelOf(model, described(model.state, recorded.now), recorded.now);
    expect(panel.title).toBe("Round 8, open 2 min 25 s");
    expect(panel.rows.map((row) => row.state)).toEqual([
      "sent",
      "late",
      "sent",
      "training",
      "failed",
      "waiting",
    ]);
    expect(panel.rows[0]?.words).toBe("Sent, waiting for 3");
    expect(panel.rows[1]?.words).toMatch(/^Late by \d+ s$/);
    expect(panel.rows[4]?.words).toBe("Failed: GPU memory full: 1.2 GB want…");
    expect(panel.rows[1]?.progress).toBe("epoch 3, step 9/13");
    expect(panel.rows[5]).toMatchObject({ progress: "0 of 3 epochs", time: "no message yet", loss: null });
  });
});

describe("columnWidth", () => {
  it("is 30 px for twenty rounds on a desktop, more where there is room, never less", () => {
    expect([columnWidth(600, 20), columnWidth(600, 3), columnWidth(1080, 20), columnWidth(600, 100)]).toEqual(
      [30, 140, 54, 30],
    );
  });
});

describe("tooFew", () => {
  it("is said of fewer than five cases, told at the start or by the hospital itself", () => {
    expect(tooFew(model, "Northgate")).toBeNull();
    const data = { ...model.data, clients: { Northgate: { val: { n: 30, normal: 26, pneumonia: 4 } } } };
    expect(tooFew({ ...model, data }, "Northgate")).toBe("not shown: 4 pneumonia");
    const message = {
      type: "round_end",
      timestamp: "2026-11-24T10:00:00+00:00",
      run_id: "r",
      offset: 1,
      client_id: "client_0",
      round: 1,
      fit_metrics: {},
      eval_metrics: { val_auroc: 0.5, num_normal: 1, num_pneumonia: 9 },
    };
    expect(tooFew(fold(emptyModel("r"), [message]), "client_0")).toBe("not shown: 1 normal");
  });
});
