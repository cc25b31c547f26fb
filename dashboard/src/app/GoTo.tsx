import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconArrowsDiff, IconBell, IconList, IconPlus, IconSearch, IconSettings } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { listRuns } from "../client/api";
import { useMayOperate } from "../hooks/useSession";

/** `Ctrl K`: to any run, or to a screen. */
export function GoTo() {
  const [, go] = useLocation();
  const operates = useMayOperate();
  const { data } = useQuery({
    queryKey: ["go-to"],
    queryFn: ({ signal }) => listRuns({ limit: 100 }, signal),
  });
  const screens: SpotlightActionData[] = [
    { id: "runs", label: "All runs", leftSection: <IconList size={16} />, onClick: () => go("/") },
    {
      id: "compare",
      label: "Compare runs",
      leftSection: <IconArrowsDiff size={16} />,
      onClick: () => go("/compare"),
    },
    { id: "alerts", label: "Alerts", leftSection: <IconBell size={16} />, onClick: () => go("/alerts") },
    {
      id: "settings",
      label: "Settings",
      leftSection: <IconSettings size={16} />,
      onClick: () => go("/settings"),
    },
  ];
  if (operates)
    screens.push({
      id: "new",
      label: "New run",
      leftSection: <IconPlus size={16} />,
      onClick: () => go("/new"),
    });
  const runs: SpotlightActionData[] = (data?.runs ?? []).map((run) => ({
    id: `run-${run.run_id}`,
    label: run.name || run.experiment_name || run.run_id,
    description: run.sentence,
    keywords: [run.run_id, ...run.tags],
    onClick: () => go(`/runs/${encodeURIComponent(run.run_id)}`),
  }));
  const actions: SpotlightActionGroupData[] = [
    { group: "Screens", actions: screens },
    { group: "Runs, newest first", actions: runs },
  ];
  return (
    <Spotlight
      actions={actions}
      shortcut={null}
      limit={20}
      scrollable
      highlightQuery
      overlayProps={{ blur: 0 }}
      attributes={{ content: { "aria-label": "Go to run or action" } }}
      nothingFound="No run and no action is called that"
      transitionProps={{ duration: 0 }}
      searchProps={{
        leftSection: <IconSearch size={16} />,
        placeholder: "Go to run or action",
        "aria-label": "Go to run or action",
      }}
    />
  );
}
