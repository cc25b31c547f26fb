/** A run in a notebook's cell, by the page's own code: what `fpd.watch(run)` shows. Built for anywidget. */

import { createRoot } from "react-dom/client";
import uplot from "uplot/dist/uPlot.min.css?inline";
import base from "../app/base.css?raw";
import tokens from "../app/tokens.css?raw";
import charts from "../charts/charts.css?raw";
import { paintedBy } from "../charts/theme";
import federated from "../federated/federated.css?raw";
import run from "../run/run.css?raw";
import own from "./notebook.css?raw";
import { isDark, whenThemeChanges } from "./notebookTheme";
import { RunCell } from "./RunCell";
import type { Widget } from "./relay";
import { scoped } from "./scoped";
import { CellSource } from "./source";

const STYLE = [tokens, base, run, charts, federated, uplot, own].map(scoped).join("\n");

function render({ model, el }: { model: Widget; el: HTMLElement }): () => void {
  const host = document.createElement("div");
  host.className = "fpd-run";
  el.append(host);
  // The page's styles stay in here, and the notebook's out there.
  const shadow = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = STYLE;
  const root = document.createElement("div");
  root.className = "cell-root";
  shadow.append(style, root);
  const paint = () => host.setAttribute("data-mantine-color-scheme", isDark() ? "dark" : "light");
  paint();
  paintedBy(host);
  const forget = whenThemeChanges(paint);
  const source = new CellSource(model);
  source.start();
  const react = createRoot(root);
  react.render(<RunCell source={source} />);
  return () => {
    forget();
    source.stop();
    react.unmount();
    host.remove();
  };
}

export default { render };
