import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";
import { Link, Route, Switch } from "wouter";
import { RunsScreen } from "../runs/RunsScreen";
import { useTitle } from "./title";

const RunPage = lazy(() => import("../run/RunPage"));
const NewRun = lazy(() => import("../runs/NewRun"));

export function Routes() {
  return (
    <Suspense fallback={<Loading />}>
      <Switch>
        <Route path="/">
          <RunsScreen />
        </Route>
        <Route path="/new">
          <NewRun />
        </Route>
        <Route path="/runs/:runId">
          {({ runId }) => <RunPage key={runId} runId={decodeURIComponent(runId)} />}
        </Route>
        <Route>
          <Nowhere />
        </Route>
      </Switch>
    </Suspense>
  );
}

function Loading() {
  return (
    <div aria-hidden="true" className="loading">
      <Skeleton height={26} width={280} />
      <Skeleton height={22} width="60%" />
      <Skeleton height={420} />
    </div>
  );
}

function Nowhere() {
  useTitle("Nothing here");
  return (
    <section>
      <h1 className="t-h1">There is no such page</h1>
      <p className="text2">
        The address may be misspelt. <Link href="/">All runs</Link>
      </p>
    </section>
  );
}
