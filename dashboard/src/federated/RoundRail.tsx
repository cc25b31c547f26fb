import type { Board, Column } from "./board";

/** One segment for each round; a round without all hospitals is half full and framed in red. */
export function RoundRail({ board, now }: { board: Board; now: string }) {
  const short = board.columns.findLast((column) => column.state === "past" && column.sent < column.of);
  const done = board.columns.filter((column) => column.state === "past").length;
  return (
    <div className="rail">
      <span className="rail-left">
        {short ? `round ${short.round}: ${short.sent} of ${short.of} hospitals` : ""}
      </span>
      <div
        className="rail-bar"
        role="progressbar"
        aria-label="rounds done"
        aria-valuemin={0}
        aria-valuemax={board.columns.length}
        aria-valuenow={done}
        data-many={board.columns.length > 40}
      >
        {board.columns.map((column) => (
          <span
            className="rail-segment"
            key={column.round}
            data-short={column.state === "past" && column.sent < column.of}
          >
            <span style={{ width: `${share(column) * 100}%` }} />
          </span>
        ))}
      </div>
      <span className="rail-right" key={now}>
        {now.charAt(0).toLowerCase() + now.slice(1)}
      </span>
    </div>
  );
}

function share(column: Column): number {
  if (column.state === "past") return 1;
  return column.state === "open" && column.of > 0 ? column.sent / column.of : 0;
}
