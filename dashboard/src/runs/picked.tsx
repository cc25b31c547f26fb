import { Button, Checkbox } from "@mantine/core";
import { IconArrowsDiff } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { useShortcut } from "../app/keys";
import type { RunState } from "../client/state";
import { MOST_RUNS, runsText } from "../together/runsInUrl";
import { runName } from "./row";

/** Which runs are ticked, in the order in which they were: the first is what the others are compared with. */
export interface Picked {
  readonly ids: readonly string[];
  readonly toggle: (id: string) => void;
}

/** The ticks of the list of runs, and its keys `x` and `c`. */
export function usePicked(): Picked {
  const [, go] = useLocation();
  const [ids, setIds] = useState<readonly string[]>([]);
  const toggle = (id: string) =>
    setIds((before) =>
      before.includes(id) ? before.filter((each) => each !== id) : [...before, id].slice(0, MOST_RUNS),
    );
  useShortcut(
    "x",
    "tick a run for comparing",
    () => document.activeElement?.closest("tr, li")?.querySelector<HTMLElement>(".pick input")?.click(),
    "In the list of runs",
  );
  useShortcut(
    "c",
    "compare the ticked runs",
    () => ids.length > 1 && go(compareUrl(ids)),
    "In the list of runs",
  );
  return { ids, toggle };
}

export function compareUrl(ids: readonly string[]): string {
  return `/compare?${new URLSearchParams({ runs: runsText(ids) })}`;
}

export function PickRun({ run, picked }: { readonly run: RunState; readonly picked: Picked }) {
  const isPicked = picked.ids.includes(run.run_id);
  return (
    <Checkbox
      className="pick"
      size="xs"
      aria-label={`Compare ${runName(run)}`}
      checked={isPicked}
      disabled={!isPicked && picked.ids.length >= MOST_RUNS}
      onChange={() => picked.toggle(run.run_id)}
    />
  );
}

/** Always there, so that nothing moves when the second run is ticked. */
export function CompareButton({ picked }: { readonly picked: Picked }) {
  const { ids } = picked;
  const icon = <IconArrowsDiff size={16} aria-hidden />;
  if (ids.length < 2) {
    return (
      <Button variant="default" className="compare-button" leftSection={icon} disabled>
        Compare: pick two
      </Button>
    );
  }
  return (
    <Button
      variant="default"
      className="compare-button"
      component={Link}
      href={compareUrl(ids)}
      leftSection={icon}
    >
      Compare {ids.length} runs
    </Button>
  );
}
