import { Tooltip } from "@mantine/core";
import { IconHistory, IconLock, IconPlugConnectedX, IconRefresh } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import type { Line } from "../client/model";
import { useLine } from "../hooks/useLine";

/** Catching up is over so soon most times that saying it would only flicker. */
const CATCHING_UP_AFTER_MS = 400;

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

/** Holds "catching up" and "connecting" back for a moment. */
function useSlow(line: Line): Line {
  const [shown, setShown] = useState(line);
  useEffect(() => {
    const wait =
      (line.kind === "catching_up" && shown.kind !== "catching_up") ||
      (line.kind === "connecting" && shown.kind === "live");
    if (!wait) {
      setShown(line);
      return;
    }
    const timer = setTimeout(() => setShown(line), CATCHING_UP_AFTER_MS);
    return () => clearTimeout(timer);
  }, [line, shown.kind]);
  return shown;
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
