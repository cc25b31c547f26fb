import { createContext, useContext, useSyncExternalStore } from "react";
import { mayOperate, type Session, session } from "../client/session";

/** Who this page is to the server. */
export function useSession(): Session {
  return useSyncExternalStore(session.subscribe, session.get);
}

/** True round what shows a run as it was: of that nothing can be asked. */
export const ReadOnly = createContext(false);

/** Whether to offer what starts, stops or deletes. */
export function useMayOperate(): boolean {
  const readOnly = useContext(ReadOnly);
  return mayOperate(useSession()) && !readOnly;
}
