/** Every screen and state without a server, from recorded runs. For development only; not part of the build. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import "@mantine/core/styles.layer.css";
import "@mantine/spotlight/styles.layer.css";
import "uplot/dist/uPlot.min.css";
import "../src/app/tokens.css";
import "../src/app/base.css";
import "../src/app/controls.css";
import "../src/app/shell.css";
import { Shell } from "../src/app/Shell";
import { theme, variables } from "../src/app/theme";
import { RunScreen } from "../src/run/RunScreen";
import { useReplay } from "./replay";
import { SCENES } from "./scenes";

const asked = new URLSearchParams(location.search).get("scene") ?? "live";
const scheme = new URLSearchParams(location.search).get("theme") === "dark" ? "dark" : "light";
const replayed = /^replay-(.*)$/.exec(asked)?.[1];
const make = SCENES[asked];

/** A recorded run as it would come live, in some ten seconds. */
function Replay({ name }: { name: string }) {
  const { view, now, done } = useReplay(name);
  if (!view.model) return null;
  return (
    <div data-done={done}>
      <RunScreen view={view} model={view.model} now={now} tryNow={() => undefined} websocketBlocked={false} />
    </div>
  );
}

function Gallery() {
  if (replayed) return <Replay name={replayed} />;
  if (!make) return <p>Scenes: {Object.keys(SCENES).join(", ")}</p>;
  const { view, now } = make();
  if (!view.model) return null;
  return (
    <RunScreen
      view={view}
      model={view.model}
      now={now}
      tryNow={() => undefined}
      websocketBlocked={asked === "polling"}
    />
  );
}

const root = document.getElementById("root");
// The font first: what moves while it arrives is not what a replay is for.
await Promise.all(
  [400, 500, 600, 650].map((weight) => document.fonts.load(`${weight} 14px "Inter Variable"`)),
);
if (root) {
  createRoot(root).render(
    <MantineProvider theme={theme} cssVariablesResolver={variables} forceColorScheme={scheme}>
      <QueryClientProvider client={new QueryClient()}>
        <Shell>
          <Gallery />
        </Shell>
      </QueryClientProvider>
    </MantineProvider>,
  );
}
