import { useEffect, useMemo, useSyncExternalStore } from "react";
import { feeds } from "../client/feeds";
import type { RunView } from "../client/runFeed";

/** Several runs, each live on a line of its own; the same array as long as none of them has changed. */
export function useCompared(ids: readonly string[]): readonly RunView[] {
  const key = ids.join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the names decide, not the array they stand in
  const group = useMemo(() => {
    const held = ids.map((id) => feeds().run(id));
    let views: readonly RunView[] = [];
    return {
      held,
      get: (): readonly RunView[] => {
        const now = held.map((feed) => feed.store.get());
        if (now.length !== views.length || now.some((view, i) => view !== views[i])) views = now;
        return views;
      },
      subscribe: (reader: () => void): (() => void) => {
        const stops = held.map((feed) => feed.store.subscribe(reader));
        return () => {
          for (const stop of stops) stop();
        };
      },
    };
  }, [key]);
  useEffect(() => {
    const letGo = group.held.map((feed) => feeds().hold(feed));
    return () => {
      for (const each of letGo) each();
    };
  }, [group]);
  return useSyncExternalStore(group.subscribe, group.get);
}
