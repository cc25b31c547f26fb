import { Tooltip } from "@mantine/core";
import {
  IconCircleCheck,
  IconCircleX,
  IconClockExclamation,
  IconClockQuestion,
  IconHourglass,
  IconPlayerPlay,
  IconPlugConnectedX,
} from "@tabler/icons-react";
import { Mark } from "../charts/Mark";
import { rate } from "../client/numbers";
import type { Row } from "./board";
import type { HospitalState, Panel, PanelRow } from "./openPanel";
import { LOW_ROW, type RowSight } from "./useRowsInSight";

const ICONS: Readonly<Record<HospitalState, typeof IconCircleCheck>> = {
  sent: IconCircleCheck,
  late: IconClockExclamation,
  training: IconPlayerPlay,
  failed: IconCircleX,
  waiting: IconHourglass,
  silent: IconClockQuestion,
  lost: IconPlugConnectedX,
};

/** The open round: a line for each hospital, beside its row on the board. */
export function OpenRows({ panel, rows, sight }: { panel: Panel; rows: readonly Row[]; sight: RowSight }) {
  const { from, to } = sight.window;
  return (
    <table className="open-rows">
      <thead>
        <tr className="board-head">
          <th scope="col" data-open={panel.open}>
            {panel.title}
          </th>
          <th scope="col">Local progress</th>
          <th scope="col">Time in round</th>
          <th scope="col" className="right">
            Loss
          </th>
        </tr>
      </thead>
      <tbody className="board-body" ref={sight.attach}>
        {from > 0 && <Space rows={from} />}
        {panel.rows.slice(from, to).map((row, i) => (
          <OpenRow row={row} board={rows[from + i]} key={rows[from + i]?.key ?? from + i} />
        ))}
        {to < panel.rows.length && <Space rows={panel.rows.length - to} />}
      </tbody>
    </table>
  );
}

/** The place of rows that are out of sight. */
function Space({ rows }: { rows: number }) {
  return (
    <tr className="space" style={{ height: rows * LOW_ROW }}>
      <td colSpan={4} />
    </tr>
  );
}

function OpenRow({ row, board }: { row: PanelRow; board: Row | undefined }) {
  return (
    <tr>
      <th scope="row">
        <span className="open-name">
          {board && <Mark look={board.look} />}
          {board?.name}
        </span>
        <HospitalWords row={row} words={row.words} />
      </th>
      <td>
        <span className="open-progress">
          <Segments done={row.done} whole={row.whole} />
          {row.progress}
        </span>
      </td>
      <td>{row.time}</td>
      <td className="right">{row.loss === null ? <span className="text3">none</span> : rate(row.loss)}</td>
    </tr>
  );
}

/** The state of a hospital in words, with its icon; all of a failure on hover. */
export function HospitalWords({ row, words }: { row: PanelRow; words: string }) {
  const Icon = ICONS[row.state];
  const text = (
    <span className="hospital-words" data-state={row.state}>
      <Icon size={16} stroke={1.75} aria-hidden="true" />
      <span>{words}</span>
    </span>
  );
  return row.full && row.full !== words ? (
    <Tooltip label={row.full} multiline maw={360}>
      {text}
    </Tooltip>
  ) : (
    text
  );
}

/** Local epochs as segments; more than eight become one bar. */
export function Segments({ done, whole }: { done: number; whole: number }) {
  const count = whole > 8 ? 1 : Math.max(1, whole);
  const scale = count === 1 ? done / Math.max(1, whole) : done;
  return (
    <span className="segments" aria-hidden="true">
      {Array.from({ length: count }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a segment is its number
        <span key={i}>
          <span style={{ width: `${Math.min(1, Math.max(0, scale - i)) * 100}%` }} />
        </span>
      ))}
    </span>
  );
}
