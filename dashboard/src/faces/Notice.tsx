import {
  IconAlertTriangle,
  IconCircleX,
  IconClockExclamation,
  IconDatabase,
  IconHistory,
  IconLock,
  IconPlugConnectedX,
  IconRefresh,
  IconSquare,
} from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { NoticeKind, Notice as Words } from "./notices";

const ICONS: Readonly<Record<NoticeKind, typeof IconRefresh>> = {
  catching_up: IconHistory,
  away: IconPlugConnectedX,
  refused: IconLock,
  rebuilt: IconDatabase,
  polling: IconRefresh,
  silent: IconClockExclamation,
  failed: IconCircleX,
  stopped: IconSquare,
  lost: IconAlertTriangle,
};

/** One thing the page has to say, with what one can do about it. */
export function Notice({ notice, children }: { notice: Words; children?: ReactNode }) {
  const Icon = ICONS[notice.kind];
  return (
    <div className="notice" data-tone={notice.tone} data-kind={notice.kind}>
      <Icon size={18} stroke={1.75} aria-hidden="true" />
      <div className="notice-words">
        <p>
          <b>{notice.first}</b> {notice.rest}
        </p>
        {notice.progress !== undefined && (
          <progress
            className="notice-progress"
            value={notice.progress}
            max={1}
            aria-label="Messages that are here"
          />
        )}
      </div>
      {children && <div className="notice-actions">{children}</div>}
    </div>
  );
}
