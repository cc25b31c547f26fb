import { Button, Tooltip } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import type { RunModel } from "../client/model";
import { useMayOperate } from "../hooks/useSession";
import { type Pausing, pauseState } from "./pause";

interface Props {
  model: RunModel;
  pausing: Pausing;
}

/** Lets a run wait, or go on where it waits. Nothing for who may not ask, and for a run that is being stopped. */
export function PauseButton({ model, pausing }: Props) {
  const operates = useMayOperate();
  const { kind, words, why } = pauseState(model, pausing.asked);
  if (!operates || kind === "none") return null;
  const Icon = kind === "go_on" ? IconPlayerPlay : IconPlayerPause;
  const told = pausing.problem ?? why;
  const off = why !== "";
  return (
    <Tooltip label={told} disabled={told === ""} multiline maw={300}>
      <Button
        variant="default"
        className="stop"
        // Not `disabled`: such a button says nothing to whoever points at it or comes to it by the keyboard.
        {...(off ? { "data-disabled": true, "aria-disabled": true } : {})}
        {...(told === "" ? {} : { "aria-description": told })}
        loading={pausing.asked !== null}
        onClick={(event) => (off ? event.preventDefault() : pausing.toggle())}
        leftSection={<Icon size={16} stroke={1.75} />}
      >
        {words}
      </Button>
    </Tooltip>
  );
}
