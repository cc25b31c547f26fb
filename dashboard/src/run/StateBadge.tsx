import {
  IconCircleCheck,
  IconCircleX,
  IconClock,
  IconClockExclamation,
  IconHourglass,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlugConnectedX,
  IconSquare,
} from "@tabler/icons-react";
import type { StateBadge as Badge } from "./state";

const ICONS = {
  play: IconPlayerPlay,
  done: IconCircleCheck,
  failed: IconCircleX,
  stop: IconSquare,
  pause: IconPlayerPause,
  silent: IconClockExclamation,
  wait: IconHourglass,
  lost: IconPlugConnectedX,
  heard: IconClock,
} as const;

/** A word and its icon on a tint; the colour is the third sign. */
export function StateBadge({ badge }: { badge: Badge }) {
  const Icon = ICONS[badge.icon];
  return (
    <span className="state-badge" data-tone={badge.tone}>
      <Icon size={14} stroke={1.9} aria-hidden="true" />
      {badge.word}
    </span>
  );
}

/** Beside the run's name in every view, where the pictures are generated. */
export function PhantomBanner({ phantom }: { phantom: boolean }) {
  if (!phantom) return null;
  return <span className="phantom">phantoms, not X-rays</span>;
}
