import { Button, Modal } from "@mantine/core";
import { IconSquare } from "@tabler/icons-react";
import { useState } from "react";
import { cancelRun, Problem } from "../client/api";
import type { RunModel } from "../client/model";
import { stopWords } from "./notices";

interface Props {
  model: RunModel;
  opened: boolean;
  onClose: () => void;
  /** The request was taken; the training answers with its next batch. */
  onAsked: () => void;
}

/** Asks once whether a run shall stop, and says what is kept. */
export function StopDialog({ model, opened, onClose, onAsked }: Props) {
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const close = () => {
    setProblem(null);
    onClose();
  };
  const ask = async () => {
    setAsking(true);
    setProblem(null);
    try {
      await cancelRun(model.runId, "asked on the page");
      onAsked();
      close();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setAsking(false);
    }
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={`Stop ${model.name}?`}
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ title: "stop-title" }}
    >
      <p className="text2">{stopWords(model)}</p>
      {problem && (
        <p className="stop-problem" role="alert">
          <b>{problem.title}</b> {problem.detail}
        </p>
      )}
      <div className="stop-actions">
        <Button variant="default" onClick={close} data-autofocus>
          Keep training
        </Button>
        <Button
          color="bad"
          loading={asking}
          onClick={ask}
          leftSection={<IconSquare size={16} stroke={1.75} />}
        >
          Stop run
        </Button>
      </div>
    </Modal>
  );
}
