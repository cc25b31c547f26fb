import { useEffect } from "react";
import { useSearchParams } from "wouter";
import type { Cursor } from "../charts/cursor";

/** The cursor rests this long before it is written into the URL. */
const REST_MS = 300;

/** A link shows what was read off when it was copied: the cursor stands in the URL. */
export function useCursorInUrl(cursor: Cursor, name: "at" | "cursor" = "at"): void {
  const [params, setParams] = useSearchParams();
  const told = params.get(name);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only what the page was opened with moves the cursor
  useEffect(() => {
    const x = told === null ? Number.NaN : Number(told);
    if (!Number.isFinite(x)) return;
    cursor.held = true;
    cursor.set({ x, source: "url" });
  }, [cursor]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const write = () => {
      timer = null;
      const x = cursor.get()?.x;
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (x === undefined) after.delete(name);
          else after.set(name, String(Number(x.toPrecision(6))));
          return after;
        },
        { replace: true },
      );
    };
    const stop = cursor.subscribe(() => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(write, REST_MS);
    });
    return () => {
      stop();
      if (timer !== null) clearTimeout(timer);
    };
  }, [cursor, name, setParams]);
}
