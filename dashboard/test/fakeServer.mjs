// The page on recorded runs, without Python: `node test/fakeServer.mjs [--port 8123] [--speed 1] [--empty] [--no-ws] [--no-sse] [--built]`.
// Source files are served as they are (changes show at once); with --built the built page is.
import { createServer as createHttp } from "node:http";
import { createServer } from "vite";

const arg = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? otherwise : (process.argv[at + 1] ?? otherwise);
};
const has = (name) => process.argv.includes(`--${name}`);
const port = Number(arg("port", "8123"));

const http = createHttp();
const vite = await createServer({
  server: { middlewareMode: true, hmr: false, proxy: {}, watch: has("built") ? null : {} },
  appType: "spa",
});
const { FakeServer } = await vite.ssrLoadModule("/test/fakeServer.ts");
const fake = new FakeServer({
  speed: Number(arg("speed", "1")),
  empty: has("empty"),
  webSocket: !has("no-ws"),
  sse: !has("no-sse"),
});
http.on("request", (request, response) => {
  if (!fake.answer(request, response)) vite.middlewares(request, response);
});
http.on("upgrade", (request, socket, head) => fake.upgrade(request, socket, head));
http.listen(port, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${port}\n`));
