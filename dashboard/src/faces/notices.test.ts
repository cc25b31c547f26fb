import { describe, expect, it } from "vitest";
import { centralised } from "../../test/fixtures/centralised";
import { fold } from "../client/fold";
import { emptyModel } from "../client/model";
import { endNotice, lineNotice, report, safeWords, stopWords } from "./notices";

const failed = fold(emptyModel("r"), centralised({ upTo: 1.41, end: "failed" }).messages);
const stopped = fold(emptyModel("r"), centralised({ upTo: 6.63, end: "cancelled" }).messages);
const live = fold(emptyModel("r"), centralised({ upTo: 6.63 }).messages);

describe("the line", () => {
  it("says what is missing, and that nothing is lost", () => {
    const notice = lineNotice(
      { kind: "catching_up", via: "websocket", offset: 154, from: 0, top: 235 },
      false,
      0,
    );
    expect(notice).toMatchObject({ first: "Catching up: message 154 of 235.", tone: "act" });
    expect(notice?.progress).toBeCloseTo(0.655, 3);
  });
  it("counts down to the next try and names the cursor", () => {
    const notice = lineNotice(
      { kind: "away", since: 0, tries: 6, nextTry: 45_000, offset: 21 },
      false,
      42_000,
    );
    expect(notice?.rest).toBe("Tried 6 times; next try in 3 s. The page goes on from message 21.");
  });
  it("is silent while all is well", () => {
    expect(lineNotice({ kind: "live", via: "websocket" }, false, 0)).toBeNull();
    expect(lineNotice({ kind: "connecting" }, false, 0)).toBeNull();
    expect(lineNotice({ kind: "live", via: "poll" }, true, 0)?.first).toBe("Polling every 2 s.");
    expect(lineNotice({ kind: "live", via: "sse" }, true, 0)?.first).toBe("By Server-Sent Events.");
  });
});

describe("an end", () => {
  const said = { first: "Failed in epoch 2: The training loss became NaN at epoch 2, step 61.", second: "" };
  it("gives the reason first, then what is safe", () => {
    const notice = endNotice(failed, said);
    expect(notice?.first).toBe(said.first);
    expect(notice?.rest).toMatch(
      /^At \d\d:\d\d:\d\d after 1 min 27 s\. Best so far: epoch 1 \(validation AUROC 0\.958\)\. Last loss 0\.\d{3} at step 60 of epoch 2\.$/,
    );
  });
  it("repeats the reason of a stop, and guesses nothing", () => {
    const stop = { first: "Stopped by an operator in epoch 7 of 10.", second: "Asked at 10:31:40." };
    expect(endNotice(stopped, stop)?.rest).toMatch(/^Asked at 10:31:40\. At /);
    expect(endNotice(live, said)).toBeNull();
    expect(safeWords(emptyModel("r"))).toBe("No epoch had been validated.");
  });
  it("can be copied as a report with settings and detail", () => {
    const text = report(failed, "Failed.");
    expect(text).toContain("FloatingPointError");
    expect(text).toContain('"batch_size":32');
  });
});

describe("the question before a stop", () => {
  it("says what is kept and what is lost", () => {
    expect(stopWords(live)).toBe(
      "It ends after the current batch. The best so far (epoch 6) is kept. What epoch 7 has done is lost. Later it can go on from a checkpoint.",
    );
  });
});
