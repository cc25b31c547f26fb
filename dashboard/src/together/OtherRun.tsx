import { Select } from "@mantine/core";
import { useState } from "react";
import { useListedRuns } from "./useListedRuns";
import type { Other } from "./useOther";

/** Which run to show beside this one. */
export function OtherRun({ runId, other }: { runId: string; other: Other }) {
  const [opened, setOpened] = useState(false);
  const all = useListedRuns(opened);
  const listed = (all ?? []).filter(({ value }) => value !== runId);
  const chosen = other.runId;
  const named = chosen !== null && !listed.some(({ value }) => value === chosen);
  const label = other.model === null ? (chosen ?? "") : `${other.model.name} (${other.model.mode})`;
  return (
    <Select
      size="xs"
      w={190}
      aria-label="Beside another run"
      placeholder="Beside another run"
      searchable
      clearable
      value={chosen}
      onChange={other.choose}
      onDropdownOpen={() => setOpened(true)}
      data={named ? [{ value: chosen, label }, ...listed] : listed}
      nothingFoundMessage={all ? "No other run" : "Loading"}
      comboboxProps={{ width: 320, position: "bottom-end" }}
      error={other.isUnknown}
    />
  );
}
