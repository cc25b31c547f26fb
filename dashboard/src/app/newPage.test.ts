import { expect, it } from "vitest";
import { isAnotherPage } from "./newPage";

const html = (name: string) => `<script type="module" crossorigin src="/assets/${name}"></script>`;

it("knows another page by the names of its scripts", () => {
  expect(isAnotherPage(["/assets/index-1.js"], html("index-1.js"))).toBe(false);
  expect(isAnotherPage(["/assets/index-1.js"], html("index-2.js"))).toBe(true);
});

it("takes a sign-in page of something in between for no page of ours", () => {
  expect(isAnotherPage(["/assets/index-1.js"], "<h1>Please sign in</h1>")).toBe(false);
});
