import { SegmentedControl, Select } from "@mantine/core";
import { SMOOTHINGS, type Smoothing } from "../charts/smooth";
import { useSmoothing, useYRange, type YRange } from "./useLooking";

/** Smoothing of all charts of the page; the raw line stays beside the smoothed one. */
export function SmoothingControl() {
  const [smoothing, setSmoothing] = useSmoothing();
  return (
    <Select
      size="xs"
      w={138}
      aria-label="Smoothing"
      allowDeselect={false}
      value={smoothing}
      onChange={(value) => setSmoothing((value ?? "off") as Smoothing)}
      data={[
        { value: "off", label: "No smoothing" },
        { value: "some", label: `Smooth ${SMOOTHINGS.some}` },
        { value: "much", label: `Smooth ${SMOOTHINGS.much}` },
      ]}
    />
  );
}

/** Linear without what would flatten the rest, logarithmic, or with every value in it. */
export function YRangeControl() {
  const [range, setRange] = useYRange();
  return (
    <SegmentedControl
      size="xs"
      aria-label="y axis"
      value={range}
      onChange={(value) => setRange(value as YRange)}
      data={[
        { value: "linear", label: "Linear" },
        { value: "log", label: "Log" },
        { value: "full", label: "Full" },
      ]}
    />
  );
}
