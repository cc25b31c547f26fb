import { Button, NativeSelect } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay, IconPlayerTrackNext } from "@tabler/icons-react";
import { useMemo } from "react";
import { useShortcut } from "../app/keys";
import type { RunModel } from "../client/model";
import { digestOf, ticksOf } from "../client/replay";
import { clockTime } from "./time";
import { type Player, SPEEDS, type Speed } from "./useReplay";

/** The run played from its log: play, speed, a scrubber with epochs or rounds as ticks, and the way back to live. */
export function PlayerBar({ player, live }: { readonly player: Player; readonly live: RunModel | null }) {
  const { replay, place, playing, speed } = player;
  const { length, frames } = replay.recording;
  const ticks = useMemo(() => ticksOf(replay.recording), [replay]);
  const number = ticks.findLast((tick) => tick.place <= place)?.number;
  const unit = player.model.federated ? "round" : "epoch";
  const said = [number === undefined ? "" : `${unit} ${number}, `, clockTime(player.time)].join("");
  useShortcut("p", "play or pause the replay", player.toggle, "In a replay");
  useShortcut(",", "one message back", () => player.step(-1), "In a replay");
  useShortcut(".", "one message on", () => player.step(1), "In a replay");
  useShortcut("Escape", "back to live", player.leave, "In a replay");
  return (
    <section className="player" aria-label="Replay">
      <Button
        size="compact-sm"
        variant="default"
        onClick={player.toggle}
        leftSection={
          playing ? <IconPlayerPause size={16} aria-hidden /> : <IconPlayerPlay size={16} aria-hidden />
        }
      >
        {playing ? "Pause" : "Play"}
      </Button>
      <NativeSelect
        size="xs"
        aria-label="Speed"
        value={speed}
        onChange={(event) => player.setSpeed(event.currentTarget.value as Speed)}
        data={SPEEDS.map((each) => ({ value: each, label: each === "max" ? "max" : `${each} ×` }))}
      />
      <div className="player-track">
        <input
          type="range"
          aria-label="Moment of the run"
          aria-valuetext={said}
          min={0}
          max={Math.max(1, length)}
          step="any"
          value={place}
          onChange={(event) => player.seek(Number(event.currentTarget.value))}
          onKeyDown={(event) => {
            // A key moves by a message: a share of an hour is of no use to anybody.
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            event.preventDefault();
            player.step(event.key === "ArrowLeft" ? -1 : 1);
          }}
        />
        <div className="player-ticks" aria-hidden="true">
          {ticks.length <= 120 &&
            ticks.map((tick) => (
              <span key={tick.place} style={{ left: `${(100 * tick.place) / Math.max(1, length)}%` }} />
            ))}
        </div>
      </div>
      <span className="player-said t-note">{said}</span>
      {place >= length && <End player={player} live={live} frames={frames.length} />}
      <Button
        size="compact-sm"
        variant="default"
        onClick={player.leave}
        leftSection={<IconPlayerTrackNext size={16} aria-hidden />}
      >
        Back to live
      </Button>
    </section>
  );
}

/** At the end it is told whether the replay has come to the state that the page has live. */
function End({
  player,
  live,
  frames,
}: {
  readonly player: Player;
  readonly live: RunModel | null;
  readonly frames: number;
}) {
  const end = useMemo(() => digestOf(player.replay.modelAfter(frames)), [player.replay, frames]);
  const now = useMemo(() => (live === null ? null : digestOf(live)), [live]);
  return (
    <span
      className="player-end t-note"
      data-replayed={end}
      data-live={now}
      title={`${end} replayed, ${now} live`}
    >
      {end === now ? "The end: equal to live" : "The end of what was recorded"}
    </span>
  );
}
