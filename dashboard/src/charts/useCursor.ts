import { useSyncExternalStore } from "react";
import type { Cursor } from "./cursor";

/** The x of the shared cursor, `null` while there is none. */
export function useCursorX(cursor: Cursor): number | null {
  return useSyncExternalStore(cursor.subscribe, () => cursor.get()?.x ?? null);
}

/** The x range that is shown of an axis, `null` while all of it is. */
export function useZoom(cursor: Cursor, axis: string): readonly [number, number] | null {
  const zoom = useSyncExternalStore(cursor.subscribe, cursor.getZoom);
  return zoom?.axis === axis ? zoom.range : null;
}
