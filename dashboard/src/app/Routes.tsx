import { lazy, Suspense } from "react";
import { Link, Route, Switch } from "wouter";
import { useMayOperate } from "../hooks/useSession";
import { RunsScreen } from "../runs/RunsScreen";
import { Loading } from "./Loading";
import { useTitle } from "./title";

const RunPage = lazy(() => import("../run/RunPage"));
const CompareScreen = lazy(() => import("../together/CompareScreen"));
const AlertsScreen = lazy(() => import("../alerts/AlertsScreen"));
const SettingsScreen = lazy(() => import("../settings/SettingsScreen"));
const DataScreen = lazy(() => import("../data/DataScreen"));
const NewRun = lazy(() => import("../runs/NewRun"));

export function Routes() {
  return (
    <Suspense fallback={<Loading />}>
      <Switch>
        <Route path="/">
          <RunsScreen />
        </Route>
        <Route path="/new">
          <Starting />
        </Route>
        <Route path="/compare">
          <CompareScreen />
        </Route>
        <Route path="/alerts">
          <AlertsScreen />
        </Route>
        <Route path="/settings">
          <SettingsScreen />
        </Route>
        <Route path="/data">
          <DataScreen />
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

/** The form is of no use to who may start nothing. */
function Starting() {
  if (useMayOperate()) return <NewRun />;
  return (
    <section>
      <h1 className="t-h1">New run</h1>
      <p className="text2">
        A viewer's token reads; an operator's token starts runs. <Link href="/">All runs</Link>
      </p>
    </section>
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
