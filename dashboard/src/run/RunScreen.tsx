import { useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { useTitle } from "../app/title";
import { Cursor } from "../charts/cursor";
import { silentFor } from "../client/words";
import { FederatedScreen } from "../federated/FederatedScreen";
import type { RunView } from "../hooks/useRun";
import { CentralisedScreen } from "./CentralisedScreen";
import { RunHeader } from "./RunHeader";
import "./run.css";
import { badgeOf } from "./state";
import { clockTime, durationWords } from "./time";

export const PHONE = "(max-width: 719.98px)";

interface Props {
  view: RunView;
  now: number;
  tryNow: () => void;
  websocketBlocked: boolean;
}

/** One run: centralised or federated by its mode, on a desktop or a phone. */
export function RunScreen({ view, now }: Props) {
  const { model, sentence, line } = view;
  const [cursor] = useState(() => new Cursor());
  const phone = useMediaQuery(PHONE, window.matchMedia(PHONE).matches, { getInitialValueInEffect: false });
  useTitle(model?.name ?? "", { back: "/" });
  if (!model) return null;
  const quiet = silentFor(model.state, now);
  const badge = badgeOf(model, line, quiet !== null);
  const silentSince = quiet !== null && model.lastHeard !== null ? clockTime(model.lastHeard) : null;
  const age = line.kind === "away" ? `${durationWords(now - line.since)} old` : null;
  void phone;
  return (
    <div className="run-page">
      <RunHeader model={model} sentence={sentence} badge={badge} onStop={null} />
      {model.federated ? (
        <FederatedScreen model={model} told={view.told} cursor={cursor} now={now} age={age} />
      ) : (
        <CentralisedScreen model={model} cursor={cursor} now={now} silentSince={silentSince} age={age} />
      )}
    </div>
  );
}
