import { Button, Modal, Radio } from "@mantine/core";
import { IconPlayerTrackNext } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Checkpoints, getCheckpoints, Problem, resumeRun } from "../client/api";
import { beginningWords, goOnWords, pointWords } from "./resume";

interface Props {
  runId: string;
  name: string;
  /** The attempt that has ended. */
  attempt: number;
  opened: boolean;
  onClose: () => void;
  /** The request was taken; the run goes on when there is room for it. */
  onAsked: () => void;
}

/** Asks from where a run that has ended shall go on, and says what becomes of what came after. */
export function ResumeDialog({ runId, name, attempt, opened, onClose, onAsked }: Props) {
  const found = useQuery<Checkpoints, Problem>({
    queryKey: ["checkpoints", runId, attempt],
    queryFn: ({ signal }) => getCheckpoints(runId, signal),
    enabled: opened,
    staleTime: 0,
    retry: false,
  });
  const [chosen, setChosen] = useState<number | null>(null);
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const close = () => {
    setProblem(null);
    setChosen(null);
    onClose();
  };
  const from = chosen ?? found.data?.points.at(-1) ?? 0;
  const ask = async () => {
    setAsking(true);
    setProblem(null);
    try {
      await resumeRun(runId, from);
      onAsked();
      close();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setAsking(false);
    }
  };
  const wrong = problem ?? found.error;
  const whyNot = found.data?.why_not ?? null;
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={`Go on with ${name}?`}
      closeButtonProps={{ "aria-label": "Close" }}
      classNames={{ title: "stop-title" }}
    >
      {found.data && whyNot === null && (
        <>
          <p className="text2">{goOnWords(found.data, attempt)}</p>
          <Radio.Group
            label="From"
            className="resume-points"
            value={String(from)}
            onChange={(value) => setChosen(Number(value))}
          >
            {[...found.data.points].reverse().map((point, index) => (
              <Radio
                key={point}
                value={String(point)}
                label={pointWords(found.data, point, index === 0)}
                data-autofocus={index === 0 || undefined}
              />
            ))}
            <Radio value="0" label={beginningWords(found.data)} />
          </Radio.Group>
        </>
      )}
      {found.isPending && <p className="text2">Looking for checkpoints …</p>}
      {whyNot !== null && (
        <p className="stop-problem" role="alert">
          {whyNot}
        </p>
      )}
      {wrong && (
        <p className="stop-problem" role="alert">
          <b>{wrong.title}</b> {wrong.detail}
        </p>
      )}
      <div className="stop-actions">
        <Button variant="default" onClick={close}>
          {whyNot === null ? "Leave it" : "Close"}
        </Button>
        {whyNot === null && (
          <Button
            loading={asking}
            disabled={!found.data}
            onClick={ask}
            leftSection={<IconPlayerTrackNext size={16} stroke={1.75} />}
          >
            {from === 0 ? "Start over" : `Go on from ${found.data?.unit ?? "epoch"} ${from}`}
          </Button>
        )}
      </div>
    </Modal>
  );
}
