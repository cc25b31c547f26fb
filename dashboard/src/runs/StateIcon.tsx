import {
  IconCircleCheck,
  IconCircleX,
  IconClockExclamation,
  IconHelpCircle,
  IconHourglass,
  IconPlayerPlay,
  IconSquare,
} from "@tabler/icons-react";
import type { Sign } from "./row";

const ICONS = {
  running: IconPlayerPlay,
  silent: IconClockExclamation,
  waiting: IconHourglass,
  done: IconCircleCheck,
  failed: IconCircleX,
  stopped: IconSquare,
  lost: IconHelpCircle,
} satisfies Record<Sign, typeof IconSquare>;

/** The sign of a state; the words beside it say the same. */
export function StateIcon({ sign }: { readonly sign: Sign }) {
  const Icon = ICONS[sign];
  return <Icon size={16} stroke={1.7} aria-hidden="true" />;
}
