import { useMemo } from "react";
import type { RunModel } from "../client/model";
import { type EventLine, eventLines } from "./events";

/** The events in words, made anew when one came: steps alone change nothing in them. */
export function useEventLines(model: RunModel): readonly EventLine[] {
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the model only these are read
  return useMemo(() => eventLines(model), [model.events, model.epoch, model.end, model.best]);
}
