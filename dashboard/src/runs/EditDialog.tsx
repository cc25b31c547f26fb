import { Button, Group, Modal, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Notice } from "../app/Notice";
import { editRun, type Problem } from "../client/api";
import type { RunState } from "../client/state";
import { runName } from "./row";

interface Props {
  /** The run that is edited; `null`: none. */
  readonly run: RunState | null;
  readonly close: () => void;
  readonly done: () => void;
}

/** How a run is called, what it is found by, and what somebody noted about it. */
export function EditDialog({ run, close, done }: Props) {
  return (
    <Modal
      opened={run !== null}
      onClose={close}
      title={run === null ? "" : `Name, tags and notes of ${runName(run)}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {run !== null && <Form key={run.run_id} run={run} close={close} done={done} />}
    </Modal>
  );
}

function Form({ run, close, done }: Props & { readonly run: RunState }) {
  const [name, setName] = useState(run.name);
  const [tags, setTags] = useState<readonly string[]>(run.tags);
  const [notes, setNotes] = useState(run.notes);
  const edit = useMutation<RunState, Problem>({
    mutationFn: () => editRun(run.run_id, { name: name.trim(), tags, notes }),
    onSuccess: () => {
      done();
      close();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    edit.mutate();
  };
  return (
    <form onSubmit={submit} className="edit-run">
      <TextInput
        label="Name"
        placeholder={run.experiment_name}
        value={name}
        maxLength={200}
        data-autofocus
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TagsInput
        label="Tags"
        description="Enter ends one; at most 20."
        value={[...tags]}
        maxTags={20}
        onChange={setTags}
      />
      <Textarea
        label="Notes"
        value={notes}
        maxLength={10_000}
        autosize
        minRows={3}
        maxRows={12}
        onChange={(event) => setNotes(event.currentTarget.value)}
      />
      {edit.error !== null && (
        <Notice color="bad" title={edit.error.title}>
          {edit.error.detail}
        </Notice>
      )}
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={close}>
          Leave it
        </Button>
        <Button type="submit" loading={edit.isPending}>
          Save
        </Button>
      </Group>
    </form>
  );
}
