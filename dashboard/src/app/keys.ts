/** Keyboard shortcuts: one table, one listener, never in a text field, single letters can be switched off. */

import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  /** `/`, `g r` (one after the other), `Shift+S`, `Ctrl+K` (also Cmd), `ArrowLeft`. */
  readonly keys: string;
  readonly does: string;
  /** The group in the list that `?` opens. */
  readonly where: string;
}

interface Registered extends Shortcut {
  readonly action: () => void;
}

const OFF_KEY = "fpd.letters-off";
/** How long the first key of a pair waits for the second. */
const PAIR_MS = 1_500;

export class Keys {
  private readonly all = new Set<Registered>();
  private readonly readers = new Set<() => void>();
  private listed: readonly Shortcut[] = [];
  private first: { readonly key: string; readonly at: number } | null = null;
  private off: boolean;

  constructor(
    private readonly storage: Pick<Storage, "getItem" | "setItem"> | null,
    private readonly now: () => number = () => Date.now(),
  ) {
    this.off = storage?.getItem(OFF_KEY) === "1";
  }

  readonly subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  readonly list = (): readonly Shortcut[] => this.listed;
  readonly lettersOff = (): boolean => this.off;

  setLettersOff(off: boolean): void {
    this.off = off;
    this.storage?.setItem(OFF_KEY, off ? "1" : "0");
    this.tell();
  }

  register(shortcut: Registered): () => void {
    this.all.add(shortcut);
    this.tell();
    return () => {
      this.all.delete(shortcut);
      this.tell();
    };
  }

  /** Acts on a key that was pressed; true when it was one of ours. */
  press(event: KeyboardEvent): boolean {
    if (event.defaultPrevented || event.isComposing || event.altKey) return false;
    const key = nameOf(event);
    const modified = event.ctrlKey || event.metaKey;
    if (!modified && isTyping(event.target)) return false;
    if (this.off && !modified && isLetter(event)) return false;
    const before = this.first !== null && this.now() - this.first.at < PAIR_MS ? this.first.key : null;
    this.first = null;
    const found = (before === null ? undefined : this.find(`${before} ${key}`)) ?? this.find(key);
    if (found !== undefined) {
      event.preventDefault();
      found.action();
      return true;
    }
    if (!modified && [...this.all].some((each) => each.keys.startsWith(`${key} `))) {
      this.first = { key, at: this.now() };
    }
    return false;
  }

  /** The one registered last wins: what lies on top answers. */
  private find(keys: string): Registered | undefined {
    return [...this.all].reverse().find((each) => each.keys === keys);
  }

  private tell(): void {
    this.listed = [...this.all].map(({ keys, does, where }) => ({ keys, does, where }));
    for (const reader of [...this.readers]) reader();
  }
}

function nameOf(event: KeyboardEvent): string {
  if (event.ctrlKey || event.metaKey) return `Ctrl+${event.key.toUpperCase()}`;
  if (event.shiftKey && /^[a-z]$/i.test(event.key)) return `Shift+${event.key.toUpperCase()}`;
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

function isLetter(event: KeyboardEvent): boolean {
  return event.key.length === 1;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  )
    return true;
  return (
    target instanceof HTMLInputElement &&
    !["checkbox", "radio", "button", "submit", "range"].includes(target.type)
  );
}

function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null; // Forbidden by the browser's settings: the switch lasts as long as the page.
  }
}

export const keys = new Keys(storage());

/** Makes a shortcut work as long as the component is there and it is enabled. */
export function useShortcut(
  combination: string,
  does: string,
  action: () => void,
  where = "Everywhere",
  enabled = true,
): void {
  const latest = useRef(action);
  useEffect(() => {
    latest.current = action;
  });
  useEffect(
    () =>
      enabled ? keys.register({ keys: combination, does, where, action: () => latest.current() }) : undefined,
    [combination, does, where, enabled],
  );
}

/** Listens to the keyboard, for as long as the page is there. */
export function useKeyboard(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      keys.press(event);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

export function useShortcuts(): { readonly list: readonly Shortcut[]; readonly lettersOff: boolean } {
  const list = useSyncExternalStore(keys.subscribe, keys.list);
  const lettersOff = useSyncExternalStore(keys.subscribe, keys.lettersOff);
  return { list, lettersOff };
}
