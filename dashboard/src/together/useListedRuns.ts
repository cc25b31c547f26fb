import { useQuery } from "@tanstack/react-query";
import { listRuns } from "../client/api";

/** The newest runs, to choose from; asked for once somebody wants to choose. `null` until they are here. */
export function useListedRuns(wanted: boolean): readonly { value: string; label: string }[] | null {
  const { data } = useQuery({
    queryKey: ["beside"],
    queryFn: ({ signal }) => listRuns({ limit: 100 }, signal),
    enabled: wanted,
  });
  if (data === undefined) return null;
  return data.runs.map((run) => ({
    value: run.run_id,
    label: `${run.name || run.experiment_name} (${run.mode === "federated" ? "federated" : "centralised"})`,
  }));
}
