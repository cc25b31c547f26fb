/** Where one stands on the board. */

export interface Place {
  row: number;
  column: number;
}

export function cellId(place: Place): string {
  return `cell-${place.row}-${place.column}`;
}

/** The next cell after a key; `null` for a key that walks nowhere. */
export function move(
  from: Place,
  key: string,
  board: { rows: readonly unknown[]; columns: readonly unknown[] },
): Place | null {
  const rows = board.rows.length - 1;
  const columns = board.columns.length - 1;
  const clamp = (value: number, most: number) => Math.min(Math.max(0, value), Math.max(0, most));
  switch (key) {
    case "ArrowLeft":
      return { ...from, column: clamp(from.column - 1, columns) };
    case "ArrowRight":
      return { ...from, column: clamp(from.column + 1, columns) };
    case "ArrowUp":
      return { ...from, row: clamp(from.row - 1, rows) };
    case "ArrowDown":
      return { ...from, row: clamp(from.row + 1, rows) };
    case "Home":
      return { ...from, column: 0 };
    case "End":
      return { ...from, column: Math.max(0, columns) };
    default:
      return null;
  }
}
