import { type ReactNode, useState } from "react";
import { ChartCard } from "../charts/ChartCard";
import type { Cursor } from "../charts/cursor";
import { Mark } from "../charts/Mark";
import type { RunModel } from "../client/model";
import { rate } from "../client/numbers";
import type { RunState } from "../client/state";
import { TailToggles } from "../run/Attempts";
import { useTails } from "../run/attempts";
import { EventsPanel } from "../run/EventsPanel";
import { eventLines } from "../run/events";
import { metricName } from "../run/figures";
import { KpiStrip } from "../run/Kpis";
import { MachineCard } from "../run/MachineCard";
import type { Tab } from "../run/PhoneFrame";
import { ResultsCard } from "../run/ResultsCard";
import { SetupPanel } from "../run/SetupPanel";
import { Hardest, TestFigures } from "../run/TestFigures";
import { useSteady } from "../run/useSteady";
import { TogetherCard } from "../together/TogetherCard";
import { type Board, boardOf } from "./board";
import { GLOBAL, globalCurve } from "./curves";
import { federatedKpis } from "./kpis";
import { HospitalWords, Segments } from "./OpenRows";
import { type Panel, panelOf } from "./openPanel";
import { RoundRail } from "./RoundRail";
import { SmallMultiples } from "./SmallMultiples";
import "./federated.css";

interface Props {
  model: RunModel;
  told: RunState | null;
  cursor: Cursor;
  now: number;
  age: string | null;
  arriving: number | null;
}

/** What each tab of a federated run shows on a phone: the board becomes a list of hospitals. */
export function phoneFederated(props: Props): Readonly<Record<Tab, () => ReactNode>> {
  const { model, told, now, cursor } = props;
  const panel = panelOf(model, told, now);
  const board = boardOf(model, now);
  return {
    now: () => (
      <>
        <RoundRail board={board} now={panel.title} />
        <HospitalList panel={panel} board={board} />
        <GlobalCard model={model} cursor={cursor} columns={board.columns.length} arriving={props.arriving} />
      </>
    ),
    charts: () => (
      <>
        <KpiStrip kpis={federatedKpis(model, panel)} age={props.age} narrow />
        <TailToggles model={model} />
        <GlobalCard model={model} cursor={cursor} columns={board.columns.length} arriving={props.arriving} />
        <TogetherCard model={model} height={200} pixels={300} />
        <SmallMultiples model={model} panel={panel} cursor={cursor} />
        <TestFigures model={model} />
        <MachineCard model={model} />
        <Hardest model={model} />
      </>
    ),
    events: () => (
      <div className="card phone-events">
        <EventsPanel lines={eventLines(model)} />
      </div>
    ),
    setup: () => (
      <>
        <div className="card">
          <SetupPanel model={model} />
        </div>
        <ResultsCard model={model} />
      </>
    ),
  };
}

/** Of more hospitals than this only those at work, late, failed or silent are listed until one asks for all. */
const MANY = 12;

function HospitalList({ panel, board }: { panel: Panel; board: Board }) {
  const [all, setAll] = useState(false);
  const places = panel.rows.map((_, i) => i);
  const many = places.length > MANY;
  const busy = places.filter((i) => !["sent", "waiting"].includes(panel.rows[i]?.state ?? ""));
  const shown = !many || all ? places : busy.slice(0, MANY);
  return (
    <ul className="card hospitals">
      {shown.map((i) => {
        const place = board.rows[i];
        const row = panel.rows[i];
        if (!row) return null;
        const late = row.state === "sent" && row.words.startsWith("Sent, ") ? row.words.slice(6) : null;
        return (
          <li key={place?.key ?? i}>
            {place && <Mark look={place.look} />}
            <b>{place?.name}</b>
            <HospitalWords row={row} words={row.short} key={row.short} />
            <span className="hospital-progress">
              <Segments done={row.done} whole={row.whole} />
              <span>
                {row.full ?? late ?? (row.done === 0 && row.state === "waiting" ? row.time : row.progress)}
              </span>
            </span>
            <span className="hospital-loss" key={row.loss}>
              loss <b>{row.loss === null ? "none" : rate(row.loss)}</b>
            </span>
            {place?.withheld && <span className="hospital-withheld">withheld: {place.withheld.words}</span>}
          </li>
        );
      })}
      {many && (
        <li className="hospitals-rest">
          <span>{all ? `all ${places.length} hospitals` : restWords(panel, shown)}</span>
          <button type="button" className="link" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? "only those at work" : `all ${places.length}`}
          </button>
        </li>
      )}
    </ul>
  );
}

/** "88 more: 80 sent, 8 not started" */
function restWords(panel: Panel, shown: readonly number[]): string {
  const rest = panel.rows.filter((_, i) => !shown.includes(i));
  const of = (state: string, word: string) => {
    const number = rest.filter((row) => row.state === state).length;
    return number > 0 ? [`${number} ${word}`] : [];
  };
  const counts = [...of("sent", "sent"), ...of("waiting", "not started"), ...of("training", "training")];
  return `${rest.length} ${shown.length > 0 ? "more" : "hospitals"}: ${counts.join(", ")}`;
}

interface GlobalProps {
  model: RunModel;
  cursor: Cursor;
  columns: number;
  arriving: number | null;
}

function GlobalCard({ model, cursor, columns, arriving }: GlobalProps) {
  const { shown } = useTails(model);
  const curve = globalCurve(model, columns, 300, arriving, shown);
  const base = useSteady(curve.spec, `phone-${curve.metric}-${shown.length}`, model.round);
  const notes = (base.notes ?? []).filter((note) => !note.below);
  const spec = { ...base, notes, yAxis: 40, flush: false, foot: null };
  return (
    <ChartCard
      id="global"
      title={`Global ${metricName(curve.metric)}`}
      about="validation"
      spec={spec}
      cursor={cursor}
      height={200}
      xName="round"
      empty={curve.points.x.length === 0 ? "first value after round 1" : null}
      read={(x) => {
        const read = curve.readAt(x);
        return {
          entries: [
            {
              look: GLOBAL,
              marked: true,
              label: "",
              value: read?.value ?? "–",
              ...(read?.interval ? { extra: read.interval } : {}),
            },
          ],
          at: read ? `round ${read.round}, ${read.n}` : "",
        };
      }}
    />
  );
}
