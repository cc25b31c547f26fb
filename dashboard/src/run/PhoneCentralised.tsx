import type { ReactNode } from "react";
import type { Cursor } from "../charts/cursor";
import type { RunModel } from "../client/model";
import { TailToggles } from "./Attempts";
import { KeyRateCard, LossCard, OtherRatesCard } from "./CentralisedScreen";
import { EventsPanel } from "./EventsPanel";
import { eventLines } from "./events";
import { KpiStrip } from "./Kpis";
import { centralisedKpis } from "./kpis";
import { MachineCard } from "./MachineCard";
import type { Tab } from "./PhoneFrame";
import { Pinned } from "./Pinned";
import { RailBar } from "./RailBar";
import { ResultsCard } from "./ResultsCard";
import { epochRail } from "./rail";
import { SetupPanel } from "./SetupPanel";
import { Hardest, TestFigures } from "./TestFigures";
import { durationWords } from "./time";

interface Props {
  model: RunModel;
  cursor: Cursor;
  now: number;
  silentSince: string | null;
  age: string | null;
  arriving: number | null;
}

const HEIGHT = 220;

/** What each tab of a centralised run shows on a phone. */
export function phoneCentralised(props: Props): Readonly<Record<Tab, () => ReactNode>> {
  return {
    now: () => <Now {...props} />,
    charts: () => <Charts {...props} />,
    events: () => (
      <div className="card phone-events">
        <EventsPanel lines={eventLines(props.model)} />
      </div>
    ),
    setup: () => (
      <>
        <div className="card">
          <SetupPanel model={props.model} />
        </div>
        <ResultsCard model={props.model} />
      </>
    ),
  };
}

function Now({ model, cursor, now, silentSince, age, arriving }: Props) {
  const rail = epochRail(model);
  const kpis = centralisedKpis(model).filter((_, i) => i !== 3);
  const took = model.started === null ? "" : durationWords((model.end?.at ?? now) - model.started);
  const words = {
    left: rail.right.split(", ")[0] || rail.left,
    right: took ? `${model.end ? "took" : "running"} ${took}` : "",
  };
  return (
    <>
      <RailBar rail={{ ...rail, ...words }} />
      <KpiStrip kpis={kpis} age={age} narrow />
      <LossCard
        model={model}
        cursor={cursor}
        now={now}
        silentSince={silentSince}
        arriving={arriving}
        height={HEIGHT}
        plain
      />
    </>
  );
}

function Charts({ model, cursor, now, silentSince, arriving }: Props) {
  return (
    <>
      <TailToggles model={model} />
      <KeyRateCard model={model} cursor={cursor} now={now} arriving={arriving} height={HEIGHT} plain />
      <LossCard
        model={model}
        cursor={cursor}
        now={now}
        silentSince={silentSince}
        arriving={arriving}
        height={HEIGHT}
      />
      <OtherRatesCard model={model} cursor={cursor} now={now} arriving={arriving} height={HEIGHT} />
      <TestFigures model={model} />
      <Pinned model={model} cursor={cursor} now={now} height={HEIGHT} />
      <MachineCard model={model} />
      <Hardest model={model} />
    </>
  );
}
