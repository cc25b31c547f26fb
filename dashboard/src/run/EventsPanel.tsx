// biome-ignore-all lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
import { SegmentedControl } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCheck,
  IconCircleCheck,
  IconCircleX,
  IconClockExclamation,
  IconFlag,
  IconNote,
  IconPlayerPause,
  IconPlayerPlay,
  IconRotate2,
  IconSquare,
} from "@tabler/icons-react";
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import type { EventIcon, EventLine } from "./events";
import { clockTime, utcTime } from "./time";

const ICONS: Readonly<Record<EventIcon, { icon: typeof IconCheck; color: string }>> = {
  play: { icon: IconPlayerPlay, color: "var(--act)" },
  again: { icon: IconRotate2, color: "var(--act)" },
  check: { icon: IconCheck, color: "var(--text3)" },
  best: { icon: IconFlag, color: "var(--ok)" },
  alert: { icon: IconAlertTriangle, color: "var(--warn)" },
  late: { icon: IconClockExclamation, color: "var(--warn)" },
  failed: { icon: IconCircleX, color: "var(--bad)" },
  done: { icon: IconCircleCheck, color: "var(--ok)" },
  pause: { icon: IconPlayerPause, color: "var(--text2)" },
  stop: { icon: IconSquare, color: "var(--text2)" },
  flag: { icon: IconFlag, color: "var(--text3)" },
  note: { icon: IconNote, color: "var(--text3)" },
};

/** Events in words, newest first. A list that was scrolled is never moved: the newer ones are counted above it. */
export function EventsPanel({ lines, about }: { lines: readonly EventLine[]; about?: ReactNode }) {
  const [only, setOnly] = useState<"all" | "alerts">("all");
  const alerts = lines.filter((line) => line.alert).length;
  const shown = only === "alerts" ? lines.filter((line) => line.alert) : lines;
  return (
    <section className="events" aria-label="Events">
      <div className="chart-head">
        <h2>Events</h2>
        {about && <span className="about">{about}</span>}
        <span className="tools">
          <SegmentedControl
            size="xs"
            aria-label="Which events"
            value={only}
            onChange={(value) => setOnly(value === "alerts" ? "alerts" : "all")}
            data={[
              { value: "all", label: "All" },
              { value: "alerts", label: `Alerts ${alerts}` },
            ]}
          />
        </span>
      </div>
      <EventList lines={shown} />
    </section>
  );
}

/** The list alone, which fills the height it is given. */
export function EventList({ lines }: { lines: readonly EventLine[] }) {
  const list = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState<string | null>(null);
  const height = useRef(0);
  const newest = lines[0]?.key ?? null;
  const newer =
    seen === null
      ? 0
      : Math.max(
          0,
          lines.findIndex((line) => line.key === seen),
        );

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new first line is what moves the list
  useLayoutEffect(() => {
    const element = list.current;
    // Who has not scrolled sees the newest: no need to ask the browser how high all of it is.
    if (!element || seen === null) return;
    // The reader stays at the line they read: what came above it is added to the scroll position.
    if (element.scrollTop > 0) element.scrollTop += element.scrollHeight - height.current;
    height.current = element.scrollHeight;
  }, [newest, lines.length]);

  return (
    <div className="event-frame">
      {newer > 0 && (
        <button
          type="button"
          className="event-newer"
          onClick={() => {
            setSeen(null);
            list.current?.scrollTo({ top: 0 });
          }}
        >
          {newer} newer
        </button>
      )}
      <section
        ref={list}
        className="event-list"
        aria-label="Events, newest first"
        tabIndex={0}
        onScroll={(event) => {
          const scrolled = event.currentTarget.scrollTop > 0;
          height.current = event.currentTarget.scrollHeight;
          setSeen((before) => (scrolled ? (before ?? newest) : null));
        }}
      >
        {lines.length === 0 && <p className="text3 t-note">No event yet.</p>}
        <EventRows lines={lines} />
      </section>
    </div>
  );
}

/**
 * The rows, newest on top. They are laid out from the oldest upwards and moved down by their own height, so that a new
 * row shifts nothing in the layout.
 */
function EventRows({ lines }: { lines: readonly EventLine[] }) {
  return (
    <div className="event-rows">
      <ol>
        {lines.map((line) => (
          <EventRow line={line} key={line.key} />
        ))}
      </ol>
    </div>
  );
}

/** Made anew only when its words change: a run of a hundred hospitals has many, and steps change none of them. */
const EventRow = memo(Row, (before, after) => {
  const [a, b] = [before.line, after.line];
  return (
    a.at === b.at &&
    a.icon === b.icon &&
    a.strong === b.strong &&
    a.rest === b.rest &&
    (a.detail ?? null) === (b.detail ?? null)
  );
});

function Row({ line }: { line: EventLine }) {
  const { icon: Icon, color } = ICONS[line.icon];
  const [open, setOpen] = useState(false);
  return (
    <li className="event">
      {line.at > 0 ? (
        // The browser's own hover: three hundred tooltips that come and go cost more than all else on the page.
        <time dateTime={new Date(line.at).toISOString()} title={utcTime(line.at)}>
          {clockTime(line.at)}
        </time>
      ) : (
        <span className="text3">–</span>
      )}
      <Icon size={16} stroke={1.75} color={color} aria-hidden="true" />
      <span>
        {line.strong && <b>{line.strong}</b>} {line.rest}
        {line.detail && (
          <>
            {" "}
            <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
              details
            </button>
            {open && <pre className="detail">{line.detail}</pre>}
          </>
        )}
      </span>
    </li>
  );
}
