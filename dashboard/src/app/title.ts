import { type ReactNode, useEffect, useSyncExternalStore } from "react";

export interface Title {
  readonly title: string;
  /** On a phone the header shows the title, and an arrow back to here instead of the page's name. */
  readonly back: string | null;
  readonly menu: ReactNode;
}

const NAME = "Pneumonia training";
let current: Title = { title: "", back: null, menu: null };
const readers = new Set<() => void>();

function set(next: Title): void {
  current = next;
  document.title = next.title === "" ? NAME : `${next.title} · ${NAME}`;
  for (const reader of readers) reader();
}

function subscribe(reader: () => void): () => void {
  readers.add(reader);
  return () => {
    readers.delete(reader);
  };
}

/** Names the screen: in the browser's tab, and with `phone.back` in the phone's header. */
export function useTitle(title: string, phone?: { readonly back?: string; readonly menu?: ReactNode }): void {
  const back = phone?.back ?? null;
  const menu = phone?.menu ?? null;
  useEffect(() => {
    set({ title, back, menu });
    return () => set({ title: "", back: null, menu: null });
  }, [title, back, menu]);
}

/** What the header shows. */
export function useCurrentTitle(): Title {
  return useSyncExternalStore(subscribe, () => current);
}
