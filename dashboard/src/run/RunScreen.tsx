import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useMemo, useState } from "react";
import { useShortcut } from "../app/keys";
import { useTitle } from "../app/title";
import { speak } from "../app/voice";
import { Cursor } from "../charts/cursor";
import { silentFor } from "../client/lateness";
import type { RunModel, Sentence } from "../client/model";
import type { RunState } from "../client/state";
import { described } from "../client/words";
import { Dock } from "../faces/Dock";
import { EndFace } from "../faces/EndFace";
import "../faces/faces.css";
import { LogDialog } from "../faces/LogDialog";
import { endNotice } from "../faces/notices";
import { ResumeDialog } from "../faces/ResumeDialog";
import { StopDialog } from "../faces/StopDialog";
import { FederatedScreen } from "../federated/FederatedScreen";
import { phoneFederated } from "../federated/PhoneFederated";
import type { RunView } from "../hooks/useRun";
import { useMayOperate } from "../hooks/useSession";
import { CentralisedScreen } from "./CentralisedScreen";
import { phoneCentralised } from "./PhoneCentralised";
import { PhoneFrame } from "./PhoneFrame";
import { usePausing } from "./pause";
import { RunHeader, useCopyLink } from "./RunHeader";
import "./run.css";
import { badgeOf } from "./state";
import { clockTime, durationWords } from "./time";
import { useCursorInUrl } from "./useCursorInUrl";

const PHONE = "(max-width: 719.98px)";

interface Props {
  view: RunView;
  model: RunModel;
  now: number;
  tryNow: () => void;
  websocketBlocked: boolean;
  /** Plays the run from its log; none where that is what is shown, and then nothing can be asked of the run. */
  onReplay?: () => void;
}

/** One run: centralised or federated by its mode, on a desktop or a phone, with whatever there is to say beside it. */
export function RunScreen({ view, model, now, tryNow, websocketBlocked, onReplay }: Props) {
  const { line } = view;
  const [cursor] = useState(() => new Cursor());
  useCursorInUrl(cursor, "cursor");
  const [stopping, setStopping] = useState(false);
  const [resuming, setResuming] = useState(false);
  const [logShown, setLogShown] = useState(false);
  // An end that was there when the page was opened stands in its place; one that comes live must move nothing.
  const [endInPlace, setEndInPlace] = useState(model.end !== null);
  const phone = useMediaQuery(PHONE, window.matchMedia(PHONE).matches, { getInitialValueInEffect: false });
  useTitle(model.name, { back: "/" });

  // While the server is away nothing is known of the run: the page stands as it was when the line broke.
  const away = line.kind === "away" ? line : null;
  const at = away ? Math.min(now, away.since) : now;
  const told = useMemo(
    () => (away ? described(model.state, at) : view.told),
    [away, model.state, at, view.told],
  );
  const sentence = away && told ? agedSentence(told, away.since, now) : view.sentence;
  useSpoken(sentence.first, model);

  const quiet = silentFor(model.state, at);
  const badge = badgeOf(model, line, quiet !== null);
  const silentSince = quiet !== null && model.lastHeard !== null ? clockTime(model.lastHeard) : null;
  const age = away ? `${durationWords(now - away.since)} old` : null;
  const onStop = model.end || model.cancelAsked ? null : () => setStopping(true);
  const pausing = usePausing(model, view.refresh);
  const canGoOn = model.end !== null && model.end.status !== "completed";
  const link = useCopyLink(model.offset);
  useShortcut("Shift+S", "stop the run (asks first)", () => onStop?.(), "In a run", useMayOperate());
  useShortcut("Shift+P", "pause the run, or let it go on", pausing.toggle, "In a run", useMayOperate());
  useShortcut(
    "r",
    "replay the run from its beginning",
    () => onReplay?.(),
    "In a run",
    onReplay !== undefined,
  );
  useShortcut("l", "copy a link to this moment", link.copy, "In a run");

  const showLog = () => setLogShown(true);
  const ended = endInPlace && endNotice(model, sentence) !== null;
  const end = ended ? (
    <EndFace model={model} sentence={sentence} onShowLog={showLog} onGoOn={() => setResuming(true)} />
  ) : null;
  // The end stands in the place of the sentence: the reason is said once.
  const header = end ? null : sentence;
  const arriving = view.complete || !view.told ? null : model.federated ? view.told.round : view.told.epoch;
  const screen = { model, cursor, now: at, age, arriving };
  // A queued run has neither plan nor hospitals: its places are made anew, at once, when it begins.
  const begun = model.started === null ? "queued" : "begun";
  return (
    <>
      {phone ? (
        <PhoneFrame
          key={begun}
          model={model}
          sentence={header}
          badge={badge}
          onStop={onStop}
          pausing={pausing}
          end={end}
          tabs={
            model.federated
              ? phoneFederated({ ...screen, told })
              : phoneCentralised({ ...screen, silentSince })
          }
        />
      ) : (
        <div className="run-page" data-federated={model.federated}>
          <RunHeader
            model={model}
            sentence={header}
            badge={badge}
            onStop={onStop}
            pausing={pausing}
            onReplay={onReplay}
          />
          {end}
          {model.federated ? (
            <FederatedScreen key={begun} {...screen} told={told} />
          ) : (
            <CentralisedScreen key={begun} {...screen} silentSince={silentSince} />
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
        end={endInPlace ? null : endNotice(model, sentence)}
        onShowEnd={() => {
          setEndInPlace(true);
          window.scrollTo({ top: 0 });
        }}
      />
      <StopDialog model={model} opened={stopping} onClose={() => setStopping(false)} onAsked={view.refresh} />
      <ResumeDialog
        runId={model.runId}
        name={model.name}
        attempt={model.attempt}
        opened={resuming && canGoOn}
        onClose={() => setResuming(false)}
        onAsked={view.refresh}
      />
      <LogDialog runId={model.runId} opened={logShown} onClose={() => setLogShown(false)} />
    </>
  );
}

/** What was so when the line broke, and how long ago that is. */
function agedSentence(told: RunState, since: number, now: number): Sentence {
  return { first: told.sentence, second: `As of ${clockTime(since)}, ${durationWords(now - since)} ago.` };
}

/** The page's one voice says the status sentence; a failure does not wait its turn. */
function useSpoken(sentence: string, model: RunModel): void {
  const failed = model.status === "failed";
  // A sentence that differs only in how long it has been so is no news.
  const news = sentence.replaceAll(/\d+ (?:s|min|h)\b/g, "");
  // biome-ignore lint/correctness/useExhaustiveDependencies: spoken when the news changes, with the time of then
  useEffect(() => speak(sentence, failed), [news, failed]);
}
