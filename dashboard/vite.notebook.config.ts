import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The same code as the page's, for a notebook's cell: one module that anywidget loads. */
export default defineConfig({
  plugins: [react()],
  publicDir: false,
  build: {
    outDir: "../federated_pneumonia_detection/notebook/page",
    emptyOutDir: true,
    modulePreload: false,
    sourcemap: false,
    target: "es2022",
    cssCodeSplit: false,
    rollupOptions: {
      input: "src/notebook/cell.tsx",
      // What anywidget calls is what the module exports; as a page's it would be thrown away.
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "cell.js", format: "es" },
    },
  },
});
