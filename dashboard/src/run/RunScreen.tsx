import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { useShortcut } from "../app/keys";
import { useTitle } from "../app/title";
import { speak } from "../app/voice";
import { Cursor } from "../charts/cursor";
import type { RunModel } from "../client/model";
import { silentFor } from "../client/words";
import { Dock } from "../faces/Dock";
import { EndFace } from "../faces/EndFace";
import "../faces/faces.css";
import { LogDialog } from "../faces/LogDialog";
import { endNotice } from "../faces/notices";
import { StopDialog } from "../faces/StopDialog";
import { FederatedScreen } from "../federated/FederatedScreen";
import { phoneFederated } from "../federated/PhoneFederated";
import type { RunView } from "../hooks/useRun";
import { CentralisedScreen } from "./CentralisedScreen";
import { phoneCentralised } from "./PhoneCentralised";
import { PhoneFrame } from "./PhoneFrame";
import { RunHeader, useCopyLink } from "./RunHeader";
import "./run.css";
import { badgeOf } from "./state";
import { clockTime, durationWords } from "./time";

const PHONE = "(max-width: 719.98px)";

interface Props {
  view: RunView;
  model: RunModel;
  now: number;
  tryNow: () => void;
  websocketBlocked: boolean;
}

/** One run: centralised or federated by its mode, on a desktop or a phone, with whatever there is to say beside it. */
export function RunScreen({ view, model, now, tryNow, websocketBlocked }: Props) {
  const { sentence, line } = view;
  const [cursor] = useState(() => new Cursor());
  const [stopping, setStopping] = useState(false);
  const [logShown, setLogShown] = useState(false);
  // An end that was there when the page was opened stands in its place; one that comes live must move nothing.
  const [endInPlace, setEndInPlace] = useState(model.end !== null);
  const phone = useMediaQuery(PHONE, window.matchMedia(PHONE).matches, { getInitialValueInEffect: false });
  useTitle(model.name, { back: "/" });
  useSpoken(sentence.first, model);

  const quiet = silentFor(model.state, now);
  const badge = badgeOf(model, line, quiet !== null);
  const silentSince = quiet !== null && model.lastHeard !== null ? clockTime(model.lastHeard) : null;
  const age = line.kind === "away" ? `${durationWords(now - line.since)} old` : null;
  const onStop = model.end || model.cancelAsked ? null : () => setStopping(true);
  const link = useCopyLink();
  useShortcut("Shift+S", "stop the run (asks first)", () => onStop?.(), "In a run");
  useShortcut("l", "copy a link to this moment", link.copy, "In a run");

  const showLog = () => setLogShown(true);
  const end = endInPlace && <EndFace model={model} sentence={sentence.first} onShowLog={showLog} />;
  const told = view.told;
  const screen = { model, cursor, now, age };
  return (
    <>
      {phone ? (
        <PhoneFrame
          model={model}
          sentence={sentence}
          badge={badge}
          onStop={onStop}
          end={end}
          tabs={
            model.federated
              ? phoneFederated({ ...screen, told })
              : phoneCentralised({ ...screen, silentSince })
          }
        />
      ) : (
        <div className="run-page">
          <RunHeader model={model} sentence={sentence} badge={badge} onStop={onStop} />
          {end}
          {model.federated ? (
            <FederatedScreen {...screen} told={told} />
          ) : (
            <CentralisedScreen {...screen} silentSince={silentSince} />
          )}
        </div>
      )}
      <Dock
        view={view}
        model={model}
        now={now}
        silentSeconds={quiet}
        websocketBlocked={websocketBlocked}
        tryNow={tryNow}
        onShowLog={showLog}
        end={endInPlace ? null : endNotice(model)}
        onShowEnd={() => {
          setEndInPlace(true);
          window.scrollTo({ top: 0 });
        }}
      />
      <StopDialog model={model} opened={stopping} onClose={() => setStopping(false)} onAsked={view.refresh} />
      <LogDialog runId={model.runId} opened={logShown} onClose={() => setLogShown(false)} />
    </>
  );
}

/** The page's one voice says the status sentence; a failure does not wait its turn. */
function useSpoken(sentence: string, model: RunModel): void {
  const failed = model.status === "failed";
  useEffect(() => speak(sentence, failed), [sentence, failed]);
}
