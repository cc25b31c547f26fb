import { Button } from "@mantine/core";
import {
  IconCheck,
  IconChevronDown,
  IconChevronRight,
  IconCopy,
  IconPlayerTrackNext,
} from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import type { RunModel, Sentence } from "../client/model";
import { useMayOperate } from "../hooks/useSession";
import { Notice } from "./Notice";
import { endNotice, report } from "./notices";

interface Props {
  model: RunModel;
  sentence: Sentence;
  onShowLog: () => void;
  /** Asks from where the run shall go on. */
  onGoOn: () => void;
}

/** How many lines of the detail are shown before one asks for all. */
const LINES = 6;

/** A run that failed, was stopped or lost: the reason first, then what is safe, then the detail, folded. */
export function EndFace({ model, sentence, onShowLog, onGoOn }: Props) {
  const operates = useMayOperate();
  const notice = endNotice(model, sentence);
  if (!notice) return null;
  return (
    <section className="end-face" aria-label="How it ended">
      <Notice notice={notice} />
      <div className="end-actions">
        {operates && (
          <Button onClick={onGoOn} leftSection={<IconPlayerTrackNext size={16} stroke={1.75} />}>
            Go on…
          </Button>
        )}
        {operates && (
          <Button variant="default" component={Link} href={`/new?from=${encodeURIComponent(model.runId)}`}>
            Run again with changes
          </Button>
        )}
        <CopyReport text={() => report(model, sentence.first)} />
        <Button variant="subtle" color="ink" onClick={onShowLog}>
          Show log
        </Button>
      </div>
      {model.end?.detail && <Detail text={model.end.detail} />}
    </section>
  );
}

function CopyReport({ text }: { text: () => string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard
      ?.writeText(text())
      .then(() => {
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      })
      // Without permission nothing was copied, and nothing is said to have been.
      .catch(() => setCopied(false));
  };
  const Icon = copied ? IconCheck : IconCopy;
  return (
    <Button
      variant="default"
      leftSection={<Icon size={16} stroke={1.75} aria-hidden="true" />}
      onClick={copy}
    >
      {copied ? "Copied" : "Copy report"}
    </Button>
  );
}

/** The detail of an error: its last lines, and all of it on demand. */
function Detail({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const [all, setAll] = useState(false);
  const lines = text.trimEnd().split("\n");
  const shown = all ? lines : lines.slice(-LINES);
  const Icon = open ? IconChevronDown : IconChevronRight;
  return (
    <div className="card end-detail">
      <button
        type="button"
        className="plain end-detail-head"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon size={16} stroke={1.75} aria-hidden="true" />
        <b>Detail</b>
        <span className="text3 t-note">
          {all || lines.length <= LINES ? `${lines.length} lines` : `last ${LINES} of ${lines.length} lines`}
        </span>
      </button>
      {open && <pre className="detail">{shown.join("\n")}</pre>}
      {open && lines.length > LINES && (
        <button type="button" className="link t-note" onClick={() => setAll(!all)}>
          {all ? "only the last lines" : "all lines"}
        </button>
      )}
    </div>
  );
}
