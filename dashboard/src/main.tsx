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

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
