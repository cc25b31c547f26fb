// biome-ignore-all lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
import { Button, Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Problem, runLog } from "../client/api";

/** The output of the training process, as far as this server has it. */
export function LogDialog({
  runId,
  opened,
  onClose,
}: {
  runId: string;
  opened: boolean;
  onClose: () => void;
}) {
  const log = useQuery<string, Problem>({
    queryKey: ["log", runId],
    queryFn: ({ signal }) => runLog(runId, signal),
    enabled: opened,
    staleTime: 0,
  });
  const lines = (log.data ?? "").trimEnd().split("\n");
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Output of the training"
      size="xl"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {log.isPending && <p className="text3">Reading the output …</p>}
      {log.error && (
        <p className="text2">
          <b>{log.error.title}</b> {log.error.detail}
        </p>
      )}
      {log.data !== undefined && (
        <>
          <section className="log" aria-label="Output" tabIndex={0}>
            <pre className="detail">{lines.slice(-400).join("\n") || "It printed nothing."}</pre>
          </section>
          <p className="t-note text3">
            {lines.length > 400 ? `the last 400 of ${lines.length} lines` : `${lines.length} lines`}
          </p>
        </>
      )}
      <div className="stop-actions">
        <Button variant="default" onClick={() => void log.refetch()} loading={log.isFetching}>
          Read again
        </Button>
      </div>
    </Modal>
  );
}
