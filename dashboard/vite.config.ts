import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.FPD_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    // The built page is part of the Python package: `fpd serve` hands it out.
    outDir: "../federated_pneumonia_detection/server/page",
    emptyOutDir: true,
    // Nothing is inlined as data: URLs, so the page works under a Content-Security-Policy of 'self'.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    // One chunk of Mantine, React and Query from one's own machine is quicker than several.
    chunkSizeWarningLimit: 800,
    target: "es2022",
  },
  server: {
    port: 5173,
    proxy: {
      "/api": { target: server, changeOrigin: true },
      "/ws": { target: server, ws: true, changeOrigin: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.ts", "src/**/*.test.tsx"],
    setupFiles: ["./test/setup.ts"],
    restoreMocks: true,
    testTimeout: 20_000,
    // Two cores are enough; more threads only wait for each other on small machines.
    maxWorkers: 2,
  },
});
