import { Skeleton } from "@mantine/core";
import { Link } from "wouter";
import { useTitle } from "../app/title";
import { useLine } from "../hooks/useLine";
import { useNow } from "../hooks/useNow";
import { useRun } from "../hooks/useRun";
import { ReadOnly } from "../hooks/useSession";
import { PlayerBar } from "./PlayerBar";
import { RunScreen } from "./RunScreen";
import { replayed, useReplay } from "./useReplay";

/** `/runs/:runId`: follows one run and shows it. */
export default function RunPage({ runId }: { runId: string }) {
  const view = useRun(runId);
  const { tryNow, websocketBlocked } = useLine();
  const now = useNow();
  const { player, enter } = useReplay(runId);
  if (view.state === "unknown") return <Unknown runId={runId} />;
  if (view.state === "loading" || !view.model) return <Loading />;
  const line = { tryNow, websocketBlocked };
  if (player === null)
    return <RunScreen key="live" view={view} model={view.model} now={now} onReplay={enter} {...line} />;
  return (
    <ReadOnly.Provider value={true}>
      <PlayerBar player={player} live={view.model} />
      <RunScreen
        key="replay"
        view={replayed(player, view)}
        model={player.model}
        now={player.time}
        {...line}
      />
    </ReadOnly.Provider>
  );
}

function Unknown({ runId }: { runId: string }) {
  useTitle("Unknown run", { back: "/" });
  return (
    <section className="run-page">
      <h1 className="t-h1">There is no run “{runId}” here</h1>
      <p className="text2">
        It may have been deleted, or its journal lies in another directory than this server follows.{" "}
        <Link href="/">All runs</Link>
      </p>
    </section>
  );
}

/** The places of the screen, before anything is known of the run. */
function Loading() {
  return (
    <div className="run-page" aria-busy="true">
      <span className="visually-hidden">Loading the run</span>
      <Skeleton height={34} width={420} />
      <Skeleton height={22} width="60%" mt={2} />
      <Skeleton height={22} mt={9} />
      <Skeleton height={107} mt={9} />
      <div className="run-grid" aria-hidden="true">
        <Skeleton height={760} />
        <Skeleton height={760} />
      </div>
    </div>
  );
}
