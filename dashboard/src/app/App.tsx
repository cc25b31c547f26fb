import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Problem } from "../client/api";
import { resetFeeds } from "../client/feeds";
import { SignIn } from "../faces/SignIn";
import { useSession } from "../hooks/useSession";
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
        <Page />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** The screens, or the question for a token where the server needs one. */
export function Page() {
  const session = useSession();
  const queries = useQueryClient();
  const needed = session.kind === "needed";
  useEffect(() => {
    if (!needed) return;
    // Nothing of what the last token saw stays for the next one.
    resetFeeds();
    queries.clear();
  }, [needed, queries]);
  if (needed) return <SignIn ended={session.ended} />;
  return (
    <>
      <Shell>
        <Routes />
      </Shell>
      <GoTo />
    </>
  );
}
