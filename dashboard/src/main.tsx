import "@mantine/core/styles.layer.css";
import "@mantine/spotlight/styles.layer.css";
import "uplot/dist/uPlot.min.css";
import "./app/tokens.css";
import "./app/base.css";
import "./app/controls.css";
import "./app/shell.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { preferences } from "./app/preferences";
import { writeTimesInUtc } from "./client/clock";
import { session } from "./client/session";

/**
 * The longest that the first picture waits for the page's own font (words that change their width would move) and for
 * the server to say who this page is (else the screens would be shown to be taken away).
 */
const FIRST_WAIT_MS = 600;

async function begin(root: HTMLElement): Promise<void> {
  writeTimesInUtc(preferences.get().zone === "utc");
  const font = Promise.all(
    ["400", "600"].map((weight) => document.fonts.load(`${weight} 14px "Inter Variable"`)),
  );
  const ready = Promise.all([font, session.ask()]);
  await Promise.race([ready, new Promise((done) => setTimeout(done, FIRST_WAIT_MS))]).catch(() => undefined);
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

const root = document.getElementById("root");
if (root !== null) void begin(root);
