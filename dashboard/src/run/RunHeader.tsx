import { Button, Menu, Tooltip } from "@mantine/core";
import {
  IconCheck,
  IconDownload,
  IconLink,
  IconPlayerPlay,
  IconRepeat,
  IconSquare,
} from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { exportUrl } from "../client/api";
import type { RunModel, Sentence } from "../client/model";
import { useMayOperate } from "../hooks/useSession";
import { AttemptHistory } from "./Attempts";
import { PauseButton } from "./PauseButton";
import type { Pausing } from "./pause";
import { PhantomBanner, StateBadge } from "./StateBadge";
import { metaWords } from "./setup";
import type { StateBadge as Badge } from "./state";
import { clockTime, utcTime } from "./time";

interface Props {
  model: RunModel;
  /** `null` where something else says it in its place. */
  sentence: Sentence | null;
  badge: Badge;
  /** Opens the question; `null` where there is nothing to stop. */
  onStop: (() => void) | null;
  pausing: Pausing;
  onReplay?: (() => void) | undefined;
}

/** The run's name, its state in a word, what it is, and what one can do with it; below it the status sentence. */
export function RunHeader({ model, sentence, badge, onStop, pausing, onReplay }: Props) {
  return (
    <header className="run-header">
      <div className="run-top">
        <div className="run-name">
          <Link href="/" className="crumb">
            Runs
          </Link>
          <span className="crumb" aria-hidden="true">
            /
          </span>
          <h1 className="t-h1" title={model.name}>
            {model.name}
          </h1>
          <StateBadge badge={badge} />
          <PhantomBanner phantom={model.data.phantom} key={`phantom ${badge.word}`} />
          <Meta model={model} key={badge.word} />
        </div>
        <Actions model={model} onStop={onStop} pausing={pausing} onReplay={onReplay} />
      </div>
      {sentence && <StatusSentence sentence={sentence} />}
    </header>
  );
}

/** The first half says what is happening and why, the second the counts and the time left. */
export function StatusSentence({ sentence }: { sentence: Sentence }) {
  return (
    <p className="status-sentence t-sentence">
      {/* Each half is put there anew when it changes: words are replaced, none are pushed along. */}
      <b key={`first ${sentence.first}`}>{sentence.first}</b>
      <span key={`second ${sentence.first}${sentence.second}`}> {sentence.second}</span>
    </p>
  );
}

function Meta({ model }: { model: RunModel }) {
  return (
    <span className="run-meta">
      {metaWords(model)}
      {model.started !== null && (
        <Tooltip label={utcTime(model.started)}>
          <span>, started {clockTime(model.started)}</span>
        </Tooltip>
      )}
      {model.attempts.length > 0 && (
        <>
          , <AttemptHistory model={model} />
        </>
      )}
    </span>
  );
}

/** @param moment An offset of the log: the link shows the run as it was then, unless the URL has an instant already. */
export function useCopyLink(moment?: number): { copied: boolean; copy: () => void } {
  const [copied, setCopied] = useState(false);
  return {
    copied,
    copy: () => {
      navigator.clipboard
        ?.writeText(linkTo(moment))
        .then(() => {
          setCopied(true);
          setTimeout(() => setCopied(false), 1500);
        })
        // Without permission the address bar still has the link.
        .catch(() => setCopied(false));
    },
  };
}

function linkTo(moment: number | undefined): string {
  const url = new URL(window.location.href);
  if (moment !== undefined && !url.searchParams.has("at")) url.searchParams.set("at", String(moment));
  return url.href;
}

function Actions({
  model,
  onStop,
  pausing,
  onReplay,
}: Pick<Props, "model" | "onStop" | "pausing" | "onReplay">) {
  const { copied, copy } = useCopyLink();
  const id = model.runId;
  const operates = useMayOperate();
  return (
    <div className="run-actions">
      {/* First in a row that ends at the right, and its place stays: when it goes, nothing moves. */}
      <div className="pause-place">
        <PauseButton model={model} pausing={pausing} />
      </div>
      <Button
        variant="default"
        onClick={copy}
        leftSection={copied ? <IconCheck size={16} stroke={1.75} /> : <IconLink size={16} stroke={1.75} />}
      >
        {copied ? "Copied" : "Copy link"}
      </Button>
      {onReplay && (
        <Button variant="default" onClick={onReplay} leftSection={<IconPlayerPlay size={16} stroke={1.75} />}>
          Replay
        </Button>
      )}
      <Menu>
        <Menu.Target>
          <Button variant="default" leftSection={<IconDownload size={16} stroke={1.75} />}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component="a" href={exportUrl(id, "csv")} download>
            Metrics as CSV
          </Menu.Item>
          <Menu.Item component="a" href={exportUrl(id, "jsonl")} download>
            All messages as JSON Lines
          </Menu.Item>
          <Menu.Item component="a" href={`/api/runs/${encodeURIComponent(id)}/document`} target="_blank">
            The whole document
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {model.end && operates && (
        <Button
          component={Link}
          href={`/new?from=${encodeURIComponent(id)}`}
          variant="default"
          className="stop"
          leftSection={<IconRepeat size={16} stroke={1.75} />}
        >
          Run again
        </Button>
      )}
      {!model.end && <StopButton model={model} onStop={onStop} />}
    </div>
  );
}

/** Asked once: then it says so, and waits for the answer of the training. Nothing for who may not ask. */
export function StopButton({ model, onStop }: { model: RunModel; onStop: (() => void) | null }) {
  const operates = useMayOperate();
  if (model.cancelAsked) {
    return (
      <Button variant="outline" color="bad" disabled leftSection={<IconSquare size={16} stroke={1.75} />}>
        Stopping, asked {clockTime(model.cancelAsked.at)}
      </Button>
    );
  }
  if (!operates) return null;
  // Whether a trainer hears is known to the server alone, and it says so when it is asked.
  return (
    <Button
      variant="outline"
      color="bad"
      className="stop"
      disabled={!onStop}
      onClick={onStop ?? undefined}
      leftSection={<IconSquare size={16} stroke={1.75} />}
    >
      Stop run
    </Button>
  );
}
