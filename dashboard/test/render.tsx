/** Renders a screen as the page does, over a server that the test plays. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import axe from "axe-core";
import type { ReactNode } from "react";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { Shell } from "../src/app/Shell";
import { theme, variables } from "../src/app/theme";

export function renderScreen(screen: ReactNode, path = "/") {
  const { hook, history, searchHook } = memoryLocation({ path, record: true });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const shown = render(
    <MantineProvider theme={theme} cssVariablesResolver={variables} env="test">
      <QueryClientProvider client={client}>
        <Router hook={hook} searchHook={searchHook}>
          <Shell>{screen}</Shell>
        </Router>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { ...shown, history };
}

/** What axe finds; contrast is measured in a real browser, where there are colours. */
export async function findings(node: Element): Promise<readonly string[]> {
  const { violations } = await axe.run(node, { rules: { "color-contrast": { enabled: false } } });
  return violations.map((each) => `${each.id}: ${each.nodes.map((one) => one.html).join(" ")}`);
}
