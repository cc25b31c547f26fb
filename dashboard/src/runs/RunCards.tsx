import { Link } from "wouter";
import { count } from "../client/numbers";
import type { RunState } from "../client/state";
import type { Metric } from "./filter";
import { Happening, LatestValue, Phantom } from "./parts";
import { type Picked, PickRun } from "./picked";
import type { Placement } from "./placement";
import { type RowAction, RunMenu } from "./RunMenu";
import { runName, setUp } from "./row";

interface Props {
  readonly placement: Placement;
  readonly runs: ReadonlyMap<string, RunState>;
  readonly metric: Metric;
  readonly liveTotal: number | null;
  readonly endedTotal: number | null;
  readonly now: number;
  readonly away: boolean;
  readonly ask: (action: RowAction, run: RunState) => void;
  readonly picked: Picked;
}

/** The same rows on a phone: a list of cards. */
export function RunCards(props: Props) {
  const { placement, runs } = props;
  const group = (title: string, ids: readonly string[], live: boolean) =>
    ids.length > 0 && (
      <section aria-label={title}>
        <h2 className="cards-group t-note">{title}</h2>
        <ul className={live ? "card cards-live" : "card"}>
          {ids.map((id) => {
            const run = runs.get(id);
            return run && <Card key={id} {...props} run={run} />;
          })}
        </ul>
      </section>
    );
  return (
    <>
      {group(`Live now, ${count(props.liveTotal ?? placement.live.length)}`, placement.live, true)}
      {group(
        `Earlier, ${count(props.endedTotal ?? placement.earlier.length)}, newest first`,
        placement.earlier,
        false,
      )}
    </>
  );
}

function Card({ run, metric, now, away, ask, picked }: Props & { readonly run: RunState }) {
  return (
    <li className="run-card">
      <div className="run-card-head">
        <PickRun run={run} picked={picked} />
        <Link href={`/runs/${encodeURIComponent(run.run_id)}`} className="runs-name">
          {runName(run)}
        </Link>
        <RunMenu run={run} ask={ask} size={44} />
      </div>
      <div className="t-note text3">
        {run.phantom && <Phantom />}
        {setUp(run)}
      </div>
      <div className="run-card-body">
        <Happening run={run} now={now} away={away} />
        <div className="right">
          <LatestValue run={run} metric={metric} />
        </div>
      </div>
    </li>
  );
}
