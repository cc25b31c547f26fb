import { useSyncExternalStore } from "react";
import { mayOperate, type Session, session } from "../client/session";

/** Who this page is to the server. */
export function useSession(): Session {
  return useSyncExternalStore(session.subscribe, session.get);
}

/** Whether to offer what starts, stops or deletes. */
export function useMayOperate(): boolean {
  return mayOperate(useSession());
}
