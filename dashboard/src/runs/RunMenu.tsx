import { ActionIcon, Menu } from "@mantine/core";
import {
  IconDots,
  IconDownload,
  IconLink,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlayerTrackNext,
  IconRepeat,
  IconTag,
  IconTrash,
} from "@tabler/icons-react";
import { Link } from "wouter";
import { exportUrl } from "../client/api";
import type { RunState } from "../client/state";
import { useMayOperate } from "../hooks/useSession";
import { isLive } from "./placement";
import { runName } from "./row";

export type RowAction = "edit" | "stop" | "delete" | "pause" | "go_on" | "resume";

interface Props {
  readonly run: RunState;
  readonly ask: (action: RowAction, run: RunState) => void;
  readonly size?: number;
}

/** What can be done with a run from the list. */
export function RunMenu({ run, ask, size = 28 }: Props) {
  const operates = useMayOperate();
  const address = `${window.location.origin}/runs/${encodeURIComponent(run.run_id)}`;
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon variant="subtle" color="ink" size={size} aria-label={`More for ${runName(run)}`}>
          <IconDots size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconLink size={16} />}
          onClick={() => void navigator.clipboard?.writeText(address)}
        >
          Copy link
        </Menu.Item>
        <Menu.Item
          component="a"
          href={exportUrl(run.run_id, "csv")}
          download
          leftSection={<IconDownload size={16} />}
        >
          Export as CSV
        </Menu.Item>
        <Menu.Item
          component="a"
          href={exportUrl(run.run_id, "jsonl")}
          download
          leftSection={<IconDownload size={16} />}
        >
          Export as JSON Lines
        </Menu.Item>
        {operates && <Menu.Divider />}
        {operates && (
          <Menu.Item leftSection={<IconTag size={16} />} onClick={() => ask("edit", run)}>
            Name, tags and notes…
          </Menu.Item>
        )}
        {operates && (
          <Menu.Item
            component={Link}
            href={`/new?from=${encodeURIComponent(run.run_id)}`}
            leftSection={<IconRepeat size={16} />}
          >
            Run again with changes
          </Menu.Item>
        )}
        {operates && isLive(run) && run.paused === null && run.hears_pause && run.cancel_asked === null && (
          <Menu.Item leftSection={<IconPlayerPause size={16} />} onClick={() => ask("pause", run)}>
            Pause run
          </Menu.Item>
        )}
        {operates && isLive(run) && run.paused !== null && (
          <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => ask("go_on", run)}>
            Let it go on
          </Menu.Item>
        )}
        {operates && !isLive(run) && run.status !== "completed" && (
          <Menu.Item leftSection={<IconPlayerTrackNext size={16} />} onClick={() => ask("resume", run)}>
            Go on…
          </Menu.Item>
        )}
        {operates && isLive(run) && (
          <Menu.Item color="bad" leftSection={<IconPlayerStop size={16} />} onClick={() => ask("stop", run)}>
            Stop run…
          </Menu.Item>
        )}
        {operates && !isLive(run) && (
          <Menu.Item color="bad" leftSection={<IconTrash size={16} />} onClick={() => ask("delete", run)}>
            Delete run…
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
