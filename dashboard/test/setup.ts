import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

// jsdom has none of these; Mantine and the page ask for them.
window.matchMedia ??= (query: string): MediaQueryList => ({
  matches: false,
  media: query,
  onchange: null,
  addListener: () => undefined,
  removeListener: () => undefined,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  dispatchEvent: () => false,
});

class NoResizeObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
window.ResizeObserver ??= NoResizeObserver;
Element.prototype.scrollIntoView ??= () => undefined;

// jsdom draws nothing; axe and uPlot only ask.
HTMLCanvasElement.prototype.getContext = () => null;

afterEach(() => {
  cleanup();
});
