import { ActionIcon, Menu, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy, IconDownload, IconTable, IconZoomReset } from "@tabler/icons-react";
import { type ReactNode, useMemo, useState } from "react";
import { minus } from "./axis";
import type { Cursor } from "./cursor";
import type { FileKind } from "./download";
import { Legend, type ReadingRow } from "./Legend";
import { LineChart } from "./LineChart";
import type { PlotSpec } from "./plot";
import { type ChartTable, csv, tableOf } from "./table";
import { usePalette } from "./theme";
import { useZoom } from "./useCursor";
import { useTable } from "./useTable";

export type { Reading, ReadingRow } from "./Legend";

interface Props {
  id: string;
  title: string;
  about?: string;
  tools?: ReactNode;
  spec: PlotSpec;
  cursor: Cursor;
  height: number;
  /** The legend row at an x, or at the newest point for `null`. */
  read: (x: number | null) => ReadingRow;
  xName: string;
  /** Stands in the plot while there is nothing to draw. */
  empty?: string | null;
}

/** A chart with its title, the legend row that becomes the reading, and the table behind it. */
export function ChartCard({ id, title, about, tools, spec, cursor, height, read, xName, empty }: Props) {
  const { tabular, toggle, onKeyDown } = useTable();
  const palette = usePalette();
  const zoomed = useZoom(cursor, xName);
  const save = async (kind: FileKind) => {
    const { saveChart } = await import("./download");
    await saveChart(kind, spec, { title, about: about ?? "", xName }, palette, zoomed);
  };
  const label = about ? `${title}, ${about}` : title;
  const words = (x: number) => {
    const row = read(x);
    return `${row.at}: ${row.entries.map((each) => `${each.label} ${each.value} ${each.extra ?? ""}`).join(", ")}`;
  };
  return (
    <section className="card chart-card" aria-label={title} onKeyDown={onKeyDown}>
      <div className="chart-head">
        <h2>{title}</h2>
        {about && (
          <span className="about" key={label}>
            {about}
          </span>
        )}
        <span className="tools">
          <CardActions
            tabular={tabular}
            onTable={toggle}
            table={() => tableOf(spec, xName)}
            save={(kind) => save(kind)}
          />
          {tools}
        </span>
      </div>
      <Legend cursor={cursor} read={read} />
      <div className="chart-body" style={{ height }}>
        {tabular ? (
          <TableBehind table={tableOf(spec, xName)} height={height} label={label} />
        ) : (
          <LineChart
            spec={spec}
            id={id}
            label={label}
            cursor={cursor}
            height={height}
            reading={words}
            axis={xName}
          />
        )}
        {zoomed && !tabular && (
          <button type="button" className="zoom-reset" onClick={() => cursor.setZoom(null)}>
            <IconZoomReset size={14} stroke={1.75} aria-hidden /> Whole run (0)
          </button>
        )}
        {empty && !tabular && <p className="chart-empty">{empty}</p>}
      </div>
    </section>
  );
}

const FILES = [
  ["png", "Picture (PNG)"],
  ["svg", "Drawing (SVG)"],
  ["csv", "Numbers (CSV)"],
] as const;

function CardActions({
  tabular,
  onTable,
  table,
  save,
}: {
  tabular: boolean;
  onTable: () => void;
  table: () => ChartTable;
  save: (kind: FileKind) => void;
}) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(csv(table()));
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Without permission nothing is copied; the table can still be selected by hand.
      onTable();
    }
  };
  return (
    <span className="card-actions">
      <Tooltip label={tabular ? "Chart (t)" : "Table (t)"}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size={28}
          aria-label={tabular ? "Show the chart" : "Show the table"}
          aria-pressed={tabular}
          onClick={onTable}
        >
          <IconTable size={16} stroke={1.75} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={copied ? "Copied" : "Copy as CSV"}>
        <ActionIcon variant="subtle" color="gray" size={28} aria-label="Copy as CSV" onClick={copy}>
          {copied ? <IconCheck size={16} stroke={1.75} /> : <IconCopy size={16} stroke={1.75} />}
        </ActionIcon>
      </Tooltip>
      <Menu position="bottom-end">
        <Menu.Target>
          <Tooltip label="Save the chart">
            <ActionIcon variant="subtle" color="gray" size={28} aria-label="Save the chart">
              <IconDownload size={16} stroke={1.75} />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          {FILES.map(([kind, name]) => (
            <Menu.Item key={kind} onClick={() => save(kind)}>
              {name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </span>
  );
}

/** Four digits are enough to read; the CSV has all of them. An epoch in the first column needs none. */
function cell(value: number | string | null, column: number): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  return minus(column === 0 && Number.isInteger(value) ? String(value) : value.toFixed(4));
}

export function TableBehind({ table, height, label }: { table: ChartTable; height: number; label: string }) {
  const rows = useMemo(
    () => table.rows.map((row) => ({ key: String(row[0]), cells: row.map(cell) })),
    [table],
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="chart-table" style={{ height }} aria-label={`${label}, as a table`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.columns.map((name, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the columns of one chart never change places
              <th scope="col" key={i}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              {row.cells.map((text, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the columns of one chart never change places
                <td key={i}>{text}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
