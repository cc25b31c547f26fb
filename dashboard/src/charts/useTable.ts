import { type KeyboardEvent, useState } from "react";
import { keys } from "../app/keys";

/** Whether a chart shows its table, and the key `t` that turns it, which acts only inside the chart's own card. */
export function useTable(): {
  tabular: boolean;
  toggle: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
} {
  const [tabular, setTabular] = useState(false);
  const toggle = () => setTabular((before) => !before);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "t" || event.ctrlKey || event.metaKey || event.altKey || keys.lettersOff()) return;
    if (event.target instanceof HTMLInputElement && event.target.type !== "radio") return;
    toggle();
    event.stopPropagation();
  };
  return { tabular, toggle, onKeyDown };
}
