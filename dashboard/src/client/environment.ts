/** What a line needs of the browser it runs in. */

import type { Environment } from "./connection";

export function browserEnvironment(): Environment {
  return {
    WebSocket,
    EventSource,
    fetch: (...request) => fetch(...request),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    now: () => Date.now(),
    random: () => Math.random(),
    origin: window.location.origin,
  };
}
