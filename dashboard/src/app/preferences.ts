/** What this browser remembers about how the page is to be. Nobody else sees it, and no server knows it. */

import { useSyncExternalStore } from "react";

export type Zone = "local" | "utc";

export interface Preferences {
  /** Whether times are written by this machine's clock, or in UTC. */
  readonly zone: Zone;
  /** At most so often does the page speak to a screen reader, in seconds; failures are said at once. */
  readonly speakEvery: number;
  /** Whether this browser tells of what becomes of runs, while a page of this server is open in it. */
  readonly notify: boolean;
  readonly notifyOf: readonly Event[];
}

export type Event = "finished" | "failed" | "stalled" | "rules";

export const DEFAULTS: Preferences = {
  zone: "local",
  speakEvery: 10,
  notify: false,
  notifyOf: ["finished", "failed", "stalled", "rules"],
};
const KEY = "fpd.preferences";
const EVENTS: readonly Event[] = ["finished", "failed", "stalled", "rules"];
export const PACES: readonly number[] = [5, 10, 30, 60];

/** What was remembered; what is not of the form it should be is the default. */
export function readPreferences(text: string | null): Preferences {
  let told: Partial<Record<keyof Preferences, unknown>>;
  try {
    told = Object(JSON.parse(text ?? "{}"));
  } catch {
    return DEFAULTS;
  }
  return {
    zone: told.zone === "utc" ? "utc" : "local",
    speakEvery: PACES.find((pace) => pace === told.speakEvery) ?? DEFAULTS.speakEvery,
    notify: told.notify === true,
    notifyOf: Array.isArray(told.notifyOf)
      ? EVENTS.filter((event) => (told.notifyOf as unknown[]).includes(event))
      : DEFAULTS.notifyOf,
  };
}

export class PreferenceStore {
  private current: Preferences;
  private readonly readers = new Set<() => void>();

  constructor(private readonly storage: Pick<Storage, "getItem" | "setItem"> | null) {
    this.current = readPreferences(storage?.getItem(KEY) ?? null);
  }

  readonly get = (): Preferences => this.current;

  readonly subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  change(part: Partial<Preferences>): void {
    this.current = { ...this.current, ...part };
    this.storage?.setItem(KEY, JSON.stringify(this.current));
    for (const reader of [...this.readers]) reader();
  }
}

export function browserStorage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null; // Forbidden by the browser's settings: what is chosen lasts as long as the page.
  }
}

export const preferences = new PreferenceStore(browserStorage());

export function usePreferences(): Preferences {
  return useSyncExternalStore(preferences.subscribe, preferences.get);
}
