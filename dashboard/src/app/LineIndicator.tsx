import { Tooltip } from "@mantine/core";
import { IconFileText, IconHistory, IconLock, IconPlugConnectedX, IconRefresh } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { Line } from "../client/model";
import { useLine } from "../hooks/useLine";

/** Catching up is over so soon most times that saying it would only flicker. */
const CATCHING_UP_AFTER_MS = 400;
/** So is a line that was cut and comes up again at the first try, on a network that cuts what is idle. */
const AWAY_AFTER_MS = 1_500;

/** The state of the line between page and server, in words. It is never the state of a run. */
export function LineIndicator() {
  const { line } = useLine();
  const shown = useSlow(line);
  const words = lineWords(shown);
  return (
    <Tooltip label={words.hint}>
      {/* Focusable, so that the explanation can be had without a pointer. */}
      <button type="button" className={`line line-${words.tone}`}>
        <span className="visually-hidden">Line to the server: </span>
        {words.icon}
        <span className="line-first">{words.first}</span>
        {words.second !== "" && <span className="line-second">{words.second}</span>}
      </button>
    </Tooltip>
  );
}

/** Holds "catching up", "connecting" and a first "away" back for a moment. */
function useSlow(line: Line): Line {
  const [shown, setShown] = useState(line);
  useEffect(() => {
    const wait = heldBackMs(line, shown);
    if (wait === 0) {
      setShown(line);
      return;
    }
    const timer = setTimeout(() => setShown(line), wait);
    return () => clearTimeout(timer);
  }, [line, shown]);
  return shown;
}

function heldBackMs(line: Line, shown: Line): number {
  if (line.kind === "catching_up") return shown.kind === "catching_up" ? 0 : CATCHING_UP_AFTER_MS;
  if (line.kind === "connecting") return shown.kind === "live" ? CATCHING_UP_AFTER_MS : 0;
  return line.kind === "away" && line.tries === 1 && shown.kind === "live" ? AWAY_AFTER_MS : 0;
}

interface LineWords {
  readonly first: string;
  readonly second: string;
  readonly hint: string;
  readonly tone: "ok" | "act" | "warn" | "plain";
  readonly icon: React.ReactNode;
}

export function lineWords(line: Line): LineWords {
  switch (line.kind) {
    case "connecting":
      return {
        first: "Connecting",
        second: "",
        hint: "Opening the line to the server.",
        tone: "plain",
        icon: <IconRefresh size={16} aria-hidden />,
      };
    case "live":
      if (line.via === "poll")
        return {
          first: "Polling",
          second: "every 2 s",
          hint: "WebSocket and Server-Sent Events are blocked on this network. The same messages arrive, up to 2 s later.",
          tone: "plain",
          icon: <IconRefresh size={16} aria-hidden />,
        };
      if (line.via === "document")
        return {
          first: "Document",
          second: "every 2 s",
          hint: "Only the run's JSON document comes through this network. The same messages arrive, up to 2 s later.",
          tone: "plain",
          icon: <IconFileText size={16} aria-hidden />,
        };
      return {
        first: "Live",
        second: line.via === "sse" ? "by SSE" : "by WebSocket",
        hint:
          line.via === "sse"
            ? "WebSocket is blocked on this network; the same messages come by Server-Sent Events."
            : "Every message arrives the moment it is written.",
        tone: "ok",
        icon: <span className="line-dot" aria-hidden="true" />,
      };
    case "file":
      return {
        first: "A file",
        second: `saved ${new Date(line.savedAt).toLocaleString()}`,
        hint: "This page is one file with one run in it, as it was then. It follows nothing and asks nobody.",
        tone: "plain",
        icon: <IconFileText size={16} aria-hidden />,
      };
    case "catching_up":
      return {
        first: "Catching up",
        second: "",
        hint: `Message ${line.offset} of ${line.top}; nothing was lost.`,
        tone: "act",
        icon: <IconHistory size={16} aria-hidden />,
      };
    case "away":
      return {
        first: "Server away",
        second: "",
        hint: "The server does not answer. Training does not need it.",
        tone: "warn",
        icon: <IconPlugConnectedX size={16} aria-hidden />,
      };
    case "refused":
      return {
        first: "Refused",
        second: "",
        hint: line.reason,
        tone: "warn",
        icon: <IconLock size={16} aria-hidden />,
      };
  }
}
