import { lazy, Suspense } from "react";
import { Link, Route, Switch } from "wouter";
import { RunsScreen } from "../runs/RunsScreen";
import { Loading } from "./Loading";
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
