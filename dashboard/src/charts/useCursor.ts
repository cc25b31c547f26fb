import { useSyncExternalStore } from "react";
import type { Cursor } from "./cursor";

/** The x of the shared cursor, `null` while there is none. */
export function useCursorX(cursor: Cursor): number | null {
  return useSyncExternalStore(cursor.subscribe, () => cursor.get()?.x ?? null);
}
