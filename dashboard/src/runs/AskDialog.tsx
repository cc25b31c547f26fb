import { Button, Group, Modal } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Notice } from "../app/Notice";
import { cancelRun, deleteRun, type Problem, pauseRun, resumeRun } from "../client/api";
import type { RunState } from "../client/state";
import { ResumeDialog } from "../faces/ResumeDialog";
import { EditDialog } from "./EditDialog";
import type { RowAction } from "./RunMenu";
import { runName } from "./row";

interface Props {
  /** What is asked; `null`: nothing. */
  readonly asked: { readonly action: RowAction; readonly run: RunState } | null;
  readonly close: () => void;
}

interface Question {
  readonly verb: string;
  readonly words: string;
  readonly no: string;
  readonly yes: string;
  readonly color: "bad" | undefined;
  readonly act: (runId: string) => Promise<unknown>;
}

const QUESTIONS: Readonly<Record<Exclude<RowAction, "resume" | "edit">, Question>> = {
  stop: {
    verb: "Stop",
    words:
      "It ends after the current batch. The best checkpoint so far is kept; the open epoch or round is lost. Later it can go on from a checkpoint.",
    no: "Keep training",
    yes: "Stop run",
    color: "bad",
    act: (runId) => cancelRun(runId),
  },
  pause: {
    verb: "Pause",
    words: "It waits after the current batch, and holds its memory meanwhile. Nothing is lost.",
    no: "Keep training",
    yes: "Pause run",
    color: undefined,
    act: (runId) => pauseRun(runId),
  },
  go_on: {
    verb: "Go on with",
    words: "It goes on where it waits, with the next batch.",
    no: "Let it wait",
    yes: "Go on",
    color: undefined,
    act: (runId) => resumeRun(runId),
  },
  delete: {
    verb: "Delete",
    words:
      "Its messages, its document and its output are deleted. Its checkpoints stay where they are. This cannot be undone.",
    no: "Keep it",
    yes: "Delete run",
    color: "bad",
    act: (runId) => deleteRun(runId),
  },
};

/** Asks before something is done to a run, and says what is kept. */
export function AskDialog({ asked, close }: Props) {
  const client = useQueryClient();
  const done = () => void client.invalidateQueries();
  const resume = asked?.action === "resume" ? asked.run : null;
  return (
    <>
      <Ask
        asked={asked?.action === "resume" || asked?.action === "edit" ? null : asked}
        close={close}
        done={done}
      />
      <EditDialog run={asked?.action === "edit" ? asked.run : null} close={close} done={done} />
      <ResumeDialog
        runId={resume?.run_id ?? ""}
        name={resume === null ? "" : runName(resume)}
        attempt={resume?.attempt ?? 1}
        opened={resume !== null}
        onClose={close}
        onAsked={done}
      />
    </>
  );
}

function Ask({ asked, close, done }: Props & { readonly done: () => void }) {
  const act = useMutation<unknown, Problem, { question: Question; run: RunState }>({
    mutationFn: ({ question, run }) => question.act(run.run_id),
    onSuccess: () => {
      done();
      close();
    },
  });
  const question =
    asked === null || asked.action === "resume" || asked.action === "edit" ? null : QUESTIONS[asked.action];
  return (
    <Modal
      opened={question !== null}
      onClose={() => {
        act.reset();
        close();
      }}
      title={asked === null || question === null ? "" : `${question.verb} ${runName(asked.run)}?`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <p className="text2">{question?.words}</p>
      {act.error !== null && (
        <Notice color="bad" title={act.error.title} mt="md">
          {act.error.detail}
        </Notice>
      )}
      <Group justify="flex-end" mt="xl" gap="sm">
        <Button variant="default" onClick={close} data-autofocus>
          {question?.no}
        </Button>
        <Button
          {...(question?.color ? { color: question.color } : {})}
          loading={act.isPending}
          onClick={() => asked !== null && question !== null && act.mutate({ question, run: asked.run })}
        >
          {question?.yes}
        </Button>
      </Group>
    </Modal>
  );
}
