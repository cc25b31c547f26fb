import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { listRuns } from "../client/api";
import type { Other } from "./useOther";

/** Which run to show beside this one. */
export function OtherRun({ runId, other }: { runId: string; other: Other }) {
  const [opened, setOpened] = useState(false);
  const { data } = useQuery({
    queryKey: ["beside"],
    queryFn: ({ signal }) => listRuns({ limit: 100 }, signal),
    enabled: opened,
  });
  const listed = (data?.runs ?? [])
    .filter((run) => run.run_id !== runId)
    .map((run) => ({ value: run.run_id, label: `${run.name || run.experiment_name} (${run.mode})` }));
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
      nothingFoundMessage={data ? "No other run" : "Loading"}
      comboboxProps={{ width: 320, position: "bottom-end" }}
      error={other.isUnknown}
    />
  );
}
