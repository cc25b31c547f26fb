import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useState } from "react";
import { Problem } from "../client/api";
import { GoTo } from "./GoTo";
import { Routes } from "./Routes";
import { Shell } from "./Shell";
import { theme, variables } from "./theme";

const schemes = localStorageColorSchemeManager({ key: "fpd.theme" });

/** Only what may pass by itself is asked again: no answer, or a server in trouble. */
function retry(failures: number, error: Error): boolean {
  const passing = error instanceof Problem && (error.status === 0 || error.status >= 500);
  return passing && failures < 2;
}

export function App() {
  const [client] = useState(
    () =>
      new QueryClient({
        defaultOptions: { queries: { retry, staleTime: 2_000, refetchOnWindowFocus: true } },
      }),
  );
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      colorSchemeManager={schemes}
    >
      <QueryClientProvider client={client}>
        <Shell>
          <Routes />
        </Shell>
        <GoTo />
      </QueryClientProvider>
    </MantineProvider>
  );
}
