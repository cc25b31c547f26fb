/**
 * Who this page is to the server: `GET /api/session`, and the cookie that a token is given for.
 *
 * The token itself is never kept here: it is sent once, and the browser keeps a cookie that no script reads.
 */

import { deleteSession, getSession, Problem, postSession, whenUnauthenticated } from "./api";

export type Session =
  /** Not told yet, or the server does not answer. What the page may is the server's to say, request by request. */
  | { readonly kind: "unknown" }
  | { readonly kind: "known"; readonly name: string; readonly role: string; readonly tokens: boolean }
  /** A token is needed. `ended`: there was one, and it holds no more. */
  | { readonly kind: "needed"; readonly ended: boolean };

export class SessionStore {
  private current: Session = { kind: "unknown" };
  private readonly readers = new Set<() => void>();

  readonly get = (): Session => this.current;

  readonly subscribe = (reader: () => void): (() => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  /** Asks the server who one is. A server that says nothing leaves it unknown. */
  async ask(): Promise<void> {
    try {
      this.set({ kind: "known", ...(await getSession()) });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.set({ kind: "needed", ended: false });
    }
  }

  /** Gives the token to the server for a cookie; throws its `Problem` where it is not taken. */
  async signIn(token: string): Promise<void> {
    this.set({ kind: "known", ...(await postSession(token)) });
  }

  async signOut(): Promise<void> {
    await deleteSession();
    this.set({ kind: "needed", ended: false });
  }

  /** The server has refused somebody without a token that holds. */
  readonly refused = (): void => {
    if (this.current.kind !== "needed") this.set({ kind: "needed", ended: this.current.kind === "known" });
  };

  /** Each test begins anew. */
  reset(): void {
    this.set({ kind: "unknown" });
  }

  private set(next: Session): void {
    this.current = next;
    for (const reader of [...this.readers]) reader();
  }
}

/** The session of this page. */
export const session = new SessionStore();
whenUnauthenticated(session.refused);

/** Whether the page offers to start, stop and delete. Where nobody said, it does, and the server decides. */
export function mayOperate(of: Session): boolean {
  return of.kind !== "known" || of.role === "operator";
}
