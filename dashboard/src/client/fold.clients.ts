/** What one more message tells of one client (`hub/fold_client.py`). */

import { partAfter } from "./fold.part";
import { withheldAfter } from "./fold.withheld";
import type { KnownMessage } from "./messages.generated";
import type { Said } from "./model";
import { byName, textOrEmpty, whole } from "./reading";
import type { ClientState, Pace, RunState, Seen } from "./state";
import { emptyClient } from "./state";
import { before, earlier, later, seconds } from "./times";
import { withWait } from "./waits";

/** Said by the hub (or a server through it) about a run: signs of a hub's life, not of the run's. */
export const HUB_SAYS: ReadonlySet<string> = new Set<KnownMessage["type"]>([
  "run_queued",
  "run_edited",
  "alert",
  "client_failed",
  // What a site withholds is its shipper's word.
  "withheld",
]);
const KEPT_GAPS = 20;

type Changes = { -readonly [Key in keyof ClientState]?: ClientState[Key] };

export function foldClient(
  state: RunState,
  type: string,
  clientId: string,
  message: Said,
  time: string,
): RunState {
  const place = state.clients.findIndex((client) => client.client_id === clientId);
  const before_ = state.clients[place] ?? emptyClient(clientId);
  const client = clientAfter(before_, type, message, time);
  const clients = [...state.clients];
  if (place < 0) clients.push(client);
  else clients[place] = client;
  // By name: neither by who was read first nor by anybody's clock.
  if (place < 0) clients.sort((a, b) => byName(a.client_id, b.client_id));
  return { ...state, clients };
}

function clientAfter(client: ClientState, type: string, message: Said, time: string): ClientState {
  const round = whole(message.round);
  const changes: Changes = { first_seen: earlier(client.first_seen, time) };
  if (!HUB_SAYS.has(type)) {
    changes.pace = paced(client.pace, time, type);
    changes.last_seen = later(client.last_seen, time);
    changes.heard = later(client.heard, textOrEmpty(message.received) || time);
  } else if (type === "alert") {
    Object.assign(changes, judged(client, message, time));
  }
  if (round !== null && round > client.round && type !== "client_failed") {
    Object.assign(changes, { round, local_epoch: 0, step: null, total_steps: null });
  }
  if (type === "round_end" || type === "client_failed") {
    changes.bytes_down = more(client.bytes_down, message.bytes_down);
    changes.bytes_up = more(client.bytes_up, message.bytes_up);
  }
  const current = Math.max(client.round, round ?? 0);
  const here = round === null || round === current;
  if (type === "local_epoch" && here) {
    changes.local_epoch = Math.max(
      changes.local_epoch ?? client.local_epoch,
      whole(message.local_epoch) || 0,
    );
  } else if (type === "step" && here) {
    changes.step = whole(message.step);
    changes.total_steps = whole(message.total_steps);
  } else if (type === "training_paused") {
    changes.waits = withWait(client.waits, time, false);
    if (client.resumed === null || before(client.resumed, time)) changes.paused = later(client.paused, time);
  } else if (type === "training_resumed") {
    changes.waits = withWait(client.waits, time, true);
    changes.resumed = later(client.resumed, time);
    if (!before(time, client.paused)) changes.paused = null;
  }
  if ("withheld" in message) changes.withheld = withheldAfter(client.withheld, message);
  if (type === "client_failed" || type === "training_error") {
    Object.assign(changes, fell(client, message, type, round || current, time));
  }
  return partAfter({ ...client, ...changes }, type, message, round, time);
}

/** Who says that it failed: the hub, which has seen its process gone, or the server, which counts on it no more. */
function fell(client: ClientState, message: Said, type: string, round: number, time: string): Changes {
  if (textOrEmpty(message.about).startsWith("death:")) {
    const seen: Seen = [textOrEmpty(message.received) || time, textOrEmpty(message.error)];
    return { died: newest(client.died, seen) };
  }
  return type === "client_failed" ? { given_up: Math.max(client.given_up, round) } : {};
}

/** What the hub has seen of it, or somebody's warning. */
function judged(client: ClientState, message: Said, time: string): Changes {
  const about = textOrEmpty(message.about);
  const seen: Seen = [textOrEmpty(message.received) || time, textOrEmpty(message.text)];
  if (about.startsWith("heard:")) return { heard: later(client.heard, time) };
  if (about.startsWith("lost:")) return { lost: newest(client.lost, seen) };
  if (about.startsWith("halted:")) return { halted: newest(client.halted, seen) };
  if (about.startsWith("death:")) return { died: newest(client.died, seen) };
  return message.level === "error" ? { trouble: newest(client.trouble, seen) } : {};
}

/** The later one of what was seen at two times. */
export function newest(known: Seen | null, seen: Seen): Seen {
  return known !== null && !before(known[0], seen[0]) ? known : seen;
}

/** The pace after a message of that time; how long somebody waited on request is nobody's usual gap. */
export function paced(pace: Pace, time: string, type: string): Pace {
  const last = seconds(pace.last);
  const now = seconds(time);
  if (now === null || (last !== null && now < last)) return pace;
  if (type === "training_resumed") return { ...pace, last: time };
  if (last === null) return { last: time, gaps: [], longest: 0 };
  const gap = now - last;
  return { last: time, gaps: [...pace.gaps, gap].slice(-KEPT_GAPS), longest: Math.max(pace.longest, gap) };
}

/** A count after what a message adds to it; what is no count adds nothing. */
export function more(before_: number | null, told: unknown): number | null {
  const added = whole(told);
  return added === null || added < 0 ? before_ : (before_ ?? 0) + added;
}
