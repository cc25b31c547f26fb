/** The parts that a row of the table and a card on a phone share. */

import { Tooltip } from "@mantine/core";
import { IconNote } from "@tabler/icons-react";
import { silentFor } from "../client/lateness";
import { rate } from "../client/numbers";
import type { RunState } from "../client/state";
import type { Metric } from "./filter";
import { isLive } from "./placement";
import { heardLast, latest, progress, type RowState, rowState, secondLine, sentence } from "./row";
import { StateIcon } from "./StateIcon";

/** A live run while the server is away: nobody knows. */
const UNKNOWN: RowState = { tone: "plain", sign: "silent" };

export function Phantom() {
  return <span className="phantom">phantoms, not X-rays</span>;
}

/** What somebody marked a run with, and that there is a note. */
export function Marks({ run }: { readonly run: RunState }) {
  return (
    <>
      {run.tags.map((tag) => (
        <span key={tag} className="run-tag">
          {tag}
        </span>
      ))}
      {run.notes !== "" && (
        <Tooltip label={run.notes} multiline maw={420}>
          <span className="run-note">
            <IconNote size={14} aria-hidden />
            <span className="visually-hidden">Note: {run.notes}</span>
          </span>
        </Tooltip>
      )}
    </>
  );
}

export function Happening({
  run,
  now,
  away,
}: {
  readonly run: RunState;
  readonly now: number;
  readonly away: boolean;
}) {
  const silent = away ? null : silentFor(run, now);
  const { tone, sign } = away && isLive(run) ? UNKNOWN : rowState(run, silent !== null);
  const words = sentence(run, away, silent);
  const share = run.status === "running" ? progress(run) : null;
  return (
    <div className={`happening tone-${tone}`}>
      <StateIcon sign={sign} />
      <Tooltip label={[run.sentence, run.detail_sentence].filter(Boolean).join(" ")} multiline maw={420}>
        <span className="happening-first">{words}</span>
      </Tooltip>
      <span className="happening-second">
        {share !== null && (
          <span className="bar" aria-hidden="true">
            <span className="bar-done" style={{ width: `${share * 100}%` }} />
          </span>
        )}
        <span className="clip">{away && isLive(run) ? heardLast(run, now) : secondLine(run)}</span>
      </span>
    </div>
  );
}

export function LatestValue({ run, metric }: { readonly run: RunState; readonly metric: Metric }) {
  const { value, interval, without } = latest(run, metric);
  return (
    <>
      <div className="latest">{rate(value)}</div>
      <div className="t-note text3">
        {interval === null ? without : `${rate(interval.low)} to ${rate(interval.high)}`}
      </div>
    </>
  );
}
