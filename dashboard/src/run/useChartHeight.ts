import { useViewportSize } from "@mantine/hooks";

/** What stands above and below two rows of charts, in CSS pixels. */
const REST = 476;

/** The height of a chart when two rows of them shall fill the window: 212 px on a laptop, more on a large screen. */
export function useChartHeight(): number {
  const { height } = useViewportSize();
  return Math.round(Math.min(340, Math.max(212, (height - REST) / 2)));
}
