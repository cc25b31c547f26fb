/** Every screen and state without a server, from recorded runs. For development only; not part of the build. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import "@mantine/core/styles.layer.css";
import "@mantine/spotlight/styles.layer.css";
import "uplot/dist/uPlot.min.css";
import "../src/app/tokens.css";
import "../src/app/base.css";
import "../src/app/shell.css";
import { Shell } from "../src/app/Shell";
import { theme, variables } from "../src/app/theme";
import { RunScreen } from "../src/run/RunScreen";
import { SCENES } from "./scenes";

const asked = new URLSearchParams(location.search).get("scene") ?? "live";
const scheme = new URLSearchParams(location.search).get("theme") === "dark" ? "dark" : "light";
const make = SCENES[asked];

function Gallery() {
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
