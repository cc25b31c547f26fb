import { Button, Code, CopyButton } from "@mantine/core";
import { IconAlertTriangle, IconClock, IconCopy } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useLocation } from "wouter";
import { Notice } from "../app/Notice";
import { useTitle } from "../app/title";
import { type Problem, startCentralized } from "../client/api";
import { clockTime } from "../client/clock";
import { useMayOperate } from "../hooks/useSession";
import "./runs.css";

const TERMINAL = `fpd train centralized your-images/ --epochs 10
fpd train federated   your-images/ --clients 6 --rounds 20`;

const LOOP = `from federated_pneumonia_detection.src.utils.loggers import progress_logger
log = progress_logger.ProgressLogger(experiment_name="first")
log.log_epoch_end(epoch, {"val_recall": recall}, phase="val")`;

/** 05 d: a newcomer's first page. It becomes the run the moment there is one. */
export function EmptyRuns() {
  useTitle("No runs yet");
  const [since] = useState(() => Date.now());
  const [, go] = useLocation();
  const operates = useMayOperate();
  const start = useMutation<{ run_id: string }, Problem>({
    mutationFn: () => startCentralized({ experiment_name: "demo" }),
    onSuccess: ({ run_id }) => go(`/runs/${encodeURIComponent(run_id)}`),
  });
  return (
    <div className="empty">
      <h1 className="t-h1">No runs yet</h1>
      <p className="text2">
        Do any one of these {operates ? "three" : "two"}. This page shows the run the moment its first message
        is written.
      </p>
      <ol>
        {operates && (
          <Way number={1} title="A real run on public X-rays, about 2 min on a laptop">
            <Button loading={start.isPending} onClick={() => start.mutate()}>
              Start the demo run
            </Button>
          </Way>
        )}
        <Way number={operates ? 2 : 1} title="Your own images, from a terminal" code={TERMINAL} />
        <Way number={operates ? 3 : 2} title="Your own training loop, three lines" code={LOOP} />
      </ol>
      {start.error !== null && (
        <Notice color="bad" variant="light" icon={<IconAlertTriangle size={16} />} title={start.error.title}>
          {start.error.detail}
        </Notice>
      )}
      <p className="t-note text3 empty-since">
        <IconClock size={14} aria-hidden /> Listening since {clockTime(since)}. No message so far.
      </p>
    </div>
  );
}

interface WayProps {
  readonly number: number;
  readonly title: string;
  readonly code?: string;
  readonly children?: ReactNode;
}

function Way({ number, title, code, children }: WayProps) {
  return (
    <li className="card empty-way">
      <div className="empty-head">
        <span className="empty-number" aria-hidden="true">
          {number}
        </span>
        <h2 className="t-title">{title}</h2>
        {code === undefined ? (
          children
        ) : (
          <CopyButton value={code}>
            {({ copied, copy }) => (
              <Button
                variant="default"
                leftSection={<IconCopy size={16} aria-hidden />}
                onClick={copy}
                aria-label={`Copy: ${title}`}
              >
                {copied ? "Copied" : "Copy"}
              </Button>
            )}
          </CopyButton>
        )}
      </div>
      {code !== undefined && (
        <Code block tabIndex={0}>
          {code}
        </Code>
      )}
    </li>
  );
}
