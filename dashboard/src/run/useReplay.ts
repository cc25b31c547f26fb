import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "wouter";
import { getRunOpening, getSeries } from "../client/api";
import type { RunModel } from "../client/model";
import { Replay, recordingOf } from "../client/replay";
import { described } from "../client/words";
import type { RunView } from "../hooks/useRun";

export const SPEEDS = ["1", "2", "5", "10", "30", "100", "max"] as const;
export type Speed = (typeof SPEEDS)[number];

/** At "max" a whole run takes about this long, whatever its length. */
const WHOLE_RUN_MS = 2_000;
/** The place rests this long before it is written into the URL. */
const REST_MS = 300;

export interface Player {
  readonly replay: Replay;
  readonly model: RunModel;
  /** On the player's axis, in milliseconds. */
  readonly place: number;
  /** The run's own time there. */
  readonly time: number;
  readonly playing: boolean;
  readonly speed: Speed;
  readonly setSpeed: (speed: Speed) => void;
  readonly seek: (place: number) => void;
  /** One message on, or back. */
  readonly step: (by: 1 | -1) => void;
  readonly toggle: () => void;
  readonly leave: () => void;
}

/** A run played from its log while the URL has `at`: an offset of the log, or a time. */
export function useReplay(runId: string): { readonly player: Player | null; readonly enter: () => void } {
  const [params, setParams] = useSearchParams();
  const wanted = params.get("at");
  const on = wanted !== null;
  const [replay, setReplay] = useState<Replay | null>(null);
  const [place, setPlace] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<Speed>("10");

  const write = useCallback(
    (at: string | null) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (at === null) after.delete("at");
          else after.set("at", at);
          return after;
        },
        { replace: true },
      ),
    [setParams],
  );

  const first = useRef(wanted);
  if (on && first.current === null) first.current = wanted;
  useEffect(() => {
    if (!on) {
      setReplay(null);
      setPlaying(false);
      first.current = null;
      return;
    }
    const abort = new AbortController();
    void recorded(runId, abort.signal).then(
      (made) => {
        if (abort.signal.aborted) return;
        setReplay(made);
        setPlace(made.placeOf(first.current ?? "0") ?? 0);
      },
      () => {
        if (!abort.signal.aborted) write(null);
      },
    );
    return () => abort.abort();
  }, [on, runId, write]);

  usePlaying(replay, playing, speed, setPlace, setPlaying);

  useEffect(() => {
    if (replay === null || playing) return;
    const timer = setTimeout(() => write(replay.linkTo(place)), REST_MS);
    return () => clearTimeout(timer);
  }, [replay, place, playing, write]);

  const player = useMemo((): Player | null => {
    if (replay === null) return null;
    const count = Math.max(1, replay.countAt(place));
    const { frames, length } = replay.recording;
    return {
      replay,
      model: replay.modelAfter(count),
      place,
      time: replay.timeAt(place),
      playing,
      speed,
      setSpeed,
      seek: (to) => setPlace(Math.min(Math.max(0, to), length)),
      step: (by) => {
        setPlaying(false);
        const before = frames.findLast((frame) => frame.place < place);
        setPlace((by === 1 ? frames[count] : before)?.place ?? place);
      },
      toggle: () => {
        if (!playing && place >= length) setPlace(0);
        setPlaying(!playing);
      },
      leave: () => write(null),
    };
  }, [replay, place, playing, speed, write]);
  return { player, enter: () => write("0") };
}

async function recorded(runId: string, signal: AbortSignal): Promise<Replay> {
  const opening = await getRunOpening(runId, signal);
  // The opening has the run's own steps; those of hospitals are asked for where there are any.
  const federated = opening.state.mode === "federated";
  const steps = federated ? await getSeries(runId, { attempt: "all" }, signal).catch(() => null) : null;
  return new Replay(recordingOf(opening, steps));
}

/** Moves the place on with each animation frame while it plays, to the end. */
function usePlaying(
  replay: Replay | null,
  playing: boolean,
  speed: Speed,
  setPlace: (move: (place: number) => number) => void,
  setPlaying: (playing: boolean) => void,
): void {
  useEffect(() => {
    if (replay === null || !playing) return;
    const { length } = replay.recording;
    const rate = speed === "max" ? length / WHOLE_RUN_MS : Number(speed);
    let last = performance.now();
    let frame = requestAnimationFrame(function move(now) {
      const gone = Math.max(0, now - last) * rate;
      last = now;
      setPlace((place) => Math.min(length, place + gone));
      frame = requestAnimationFrame(move);
    });
    return () => cancelAnimationFrame(frame);
  }, [replay, playing, speed, setPlace]);
  useEffect(() => {
    if (replay === null || !playing) return;
    // The end is looked for apart from the frames: an update of state has no effects of its own.
    const timer = setInterval(
      () =>
        setPlace((place) => {
          if (place >= replay.recording.length) queueMicrotask(() => setPlaying(false));
          return place;
        }),
      100,
    );
    return () => clearInterval(timer);
  }, [replay, playing, setPlace, setPlaying]);
}

/** What the run's screen gets of a player: the state of then in the words of then. */
export function replayed(player: Player, live: RunView): RunView {
  const told = described(player.model.state, player.time);
  return {
    ...live,
    model: player.model,
    told,
    sentence: { first: told.sentence, second: told.detail_sentence },
    state: "ready",
    complete: true,
    rebuilt: false,
  };
}
