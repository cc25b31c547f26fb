import type { Cursor } from "../charts/cursor";
import type { RunModel } from "../client/model";
import type { RunState } from "../client/state";
import { TailToggles } from "../run/Attempts";
import { useTails } from "../run/attempts";
import { EventList } from "../run/EventsPanel";
import { KpiStrip } from "../run/Kpis";
import { MachineCard } from "../run/MachineCard";
import { ResultsCard } from "../run/ResultsCard";
import { SetupPanel } from "../run/SetupPanel";
import { padded } from "../run/steadyText";
import { Hardest, TestFigures } from "../run/TestFigures";
import { useEventLines } from "../run/useEventLines";
import { useSteady } from "../run/useSteady";
import { TogetherCard } from "../together/TogetherCard";
import { Board } from "./Board";
import { boardOf } from "./board";
import { curveIn, globalCurve } from "./curves";
import { CurveSide, GlobalCurve } from "./GlobalCurve";
import "./federated.css";
import { federatedKpis } from "./kpis";
import { panelOf } from "./openPanel";
import { SmallMultiples } from "./SmallMultiples";

interface Props {
  model: RunModel;
  /** The run's state with its words, made for this moment. */
  told: RunState | null;
  cursor: Cursor;
  now: number;
  age: string | null;
  /** The round the server has come to, while messages are still on their way. */
  arriving: number | null;
}

/** Picture 03: figures, the board with the open round beside it, the global curve in its columns, small multiples. */
export function FederatedScreen({ model, told, cursor, now, age, arriving }: Props) {
  const board = boardOf(model, now);
  const panel = panelOf(model, told, now);
  const lines = useEventLines(model);
  const { shown } = useTails(model);
  const drawn = globalCurve(model, board.columns.length, 600, arriving, shown);
  const spec = useSteady(drawn.spec, `global-${drawn.metric}-${shown.length}`, model.round);
  const curve = { ...drawn, spec };
  return (
    <>
      <KpiStrip kpis={federatedKpis(model, panel)} age={age} compact />
      <TailToggles model={model} />
      <Board
        model={model}
        board={board}
        panel={panel}
        curve={(range) => <GlobalCurve curve={curveIn(curve, range)} cursor={cursor} />}
        curveSide={<CurveSide curve={curve} cursor={cursor} />}
        events={
          <>
            <div className="board-events-head">
              <b>Events</b>
              <span className="text3 t-note">
                {padded(String(model.events.length), 4)} so far, newest first
              </span>
            </div>
            <EventList lines={lines} />
          </>
        }
      />
      <TogetherCard model={model} height={220} />
      <SmallMultiples model={model} panel={panel} cursor={cursor} />
      <div className="federated-test">
        <TestFigures model={model} />
      </div>
      <div className="federated-foot">
        <ResultsCard model={model} />
        <div className="card">
          <SetupPanel model={model} />
        </div>
      </div>
      <MachineCard model={model} />
      <Hardest model={model} />
    </>
  );
}
