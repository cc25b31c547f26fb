import { ActionIcon, Button } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { RunModel } from "../client/model";
import type { RunView } from "../hooks/useRun";
import { Notice } from "./Notice";
import { lineNotice, REBUILT, silentNotice, type Notice as Words } from "./notices";

interface Props {
  view: RunView;
  model: RunModel;
  now: number;
  silentSeconds: number | null;
  websocketBlocked: boolean;
  tryNow: () => void;
  onShowLog: () => void;
  /** An end that came while one was looking; the page puts it into its place when asked. */
  end: Words | null;
  onShowEnd: () => void;
}

/** Catching up is over so soon most times that saying it would only flicker. */
const CATCHING_UP_AFTER_MS = 400;

/**
 * What comes and goes while one reads lies over the foot of the page: it moves nothing. Each is closed by what it
 * tells of ending, or by hand.
 */
export function Dock(props: Props) {
  const { view, model, now, silentSeconds, websocketBlocked, tryNow, onShowLog, end, onShowEnd } = props;
  const line = useSlow(lineNotice(view.line, websocketBlocked, now));
  const [closed, setClosed] = useState<string | null>(null);
  const polling = line?.kind === "polling";
  return (
    <div className="dock">
      {end && (
        <Notice notice={end}>
          <Button size="compact-sm" variant="default" onClick={onShowEnd}>
            Show detail
          </Button>
        </Notice>
      )}
      {view.rebuilt && (
        <Notice notice={REBUILT}>
          <Close onClose={view.closeRebuilt} />
        </Notice>
      )}
      {silentSeconds !== null && line?.kind !== "away" && (
        <Notice notice={silentNotice(model, silentSeconds)}>
          <Button size="compact-sm" variant="default" onClick={onShowLog}>
            Show log
          </Button>
        </Notice>
      )}
      {line && !(polling && closed === line.first) && (
        <Notice notice={line}>
          {line.kind === "away" && (
            <Button size="compact-sm" variant="default" onClick={tryNow}>
              Try now
            </Button>
          )}
          {polling && <Close onClose={() => setClosed(line.first)} />}
        </Notice>
      )}
    </div>
  );
}

function Close({ onClose }: { onClose: () => void }) {
  return (
    <ActionIcon variant="subtle" color="ink" aria-label="Close" onClick={onClose}>
      <IconX size={16} aria-hidden="true" />
    </ActionIcon>
  );
}

/** Holds "catching up" back for a moment. */
function useSlow(notice: Words | null): Words | null {
  const catching = notice?.kind === "catching_up";
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    if (!catching) {
      setWaited(false);
      return;
    }
    const timer = setTimeout(() => setWaited(true), CATCHING_UP_AFTER_MS);
    return () => clearTimeout(timer);
  }, [catching]);
  return catching && !waited ? null : notice;
}
