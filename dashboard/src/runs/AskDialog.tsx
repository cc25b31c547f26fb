import { Button, Group, Modal } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Notice } from "../app/Notice";
import { cancelRun, deleteRun, type Problem } from "../client/api";
import type { RunState } from "../client/state";
import type { RowAction } from "./RunMenu";
import { runName } from "./row";

interface Props {
  /** What is asked; `null`: nothing. */
  readonly asked: { readonly action: RowAction; readonly run: RunState } | null;
  readonly close: () => void;
}

/** Asks before a run is stopped or deleted, and says what is kept. */
export function AskDialog({ asked, close }: Props) {
  const client = useQueryClient();
  const act = useMutation<void, Problem, { action: RowAction; run: RunState }>({
    mutationFn: ({ action, run }) => (action === "stop" ? cancelRun(run.run_id) : deleteRun(run.run_id)),
    onSuccess: () => {
      void client.invalidateQueries();
      close();
    },
  });
  const stop = asked?.action === "stop";
  return (
    <Modal
      opened={asked !== null}
      onClose={() => {
        act.reset();
        close();
      }}
      title={asked === null ? "" : `${stop ? "Stop" : "Delete"} ${runName(asked.run)}?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <p className="text2">
        {stop
          ? "It ends after the current batch. The best checkpoint so far is kept; the open epoch or round is lost. This cannot be undone."
          : "Its messages, its document and its output are deleted. Its checkpoints stay where they are. This cannot be undone."}
      </p>
      {act.error !== null && (
        <Notice color="bad" title={act.error.title} mt="md">
          {act.error.detail}
        </Notice>
      )}
      <Group justify="flex-end" mt="xl" gap="sm">
        <Button variant="default" onClick={close} data-autofocus>
          {stop ? "Keep training" : "Keep it"}
        </Button>
        <Button color="bad" loading={act.isPending} onClick={() => asked !== null && act.mutate(asked)}>
          {stop ? "Stop run" : "Delete run"}
        </Button>
      </Group>
    </Modal>
  );
}
