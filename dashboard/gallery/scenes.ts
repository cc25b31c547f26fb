/** The scenes of the gallery: a recorded run, folded, and the state of the line. */

import { fold } from "../src/client/fold";
import { emptyModel, type Line, type Message, type RunModel } from "../src/client/model";
import { described } from "../src/client/words";
import type { RunView } from "../src/hooks/useRun";
import { centralised } from "../test/fixtures/centralised";
import { federated } from "../test/fixtures/federated";

const LIVE: Line = { kind: "live", via: "websocket" };

export interface Scene {
  view: RunView;
  now: number;
}

export function sceneOf(model: RunModel, now: number, line: Line): Scene {
  const told = described(model.state, now);
  return {
    now,
    view: {
      model,
      told,
      sentence: { first: told.sentence, second: told.detail_sentence },
      line,
      state: "ready",
      complete: line.kind !== "catching_up",
      rebuilt: false,
      closeRebuilt: () => undefined,
      refresh: () => undefined,
    },
  };
}

function scene(run: { messages: Message[]; now: number }, line: Line = LIVE, later = 0): Scene {
  const folded = fold(emptyModel(run.messages[0]?.run_id ?? "run"), run.messages);
  // What only the server knows: whether the trainer hears a stop.
  return sceneOf({ ...folded, hearsCancel: true }, run.now + later, line);
}

/** The messages until round 6, while the server stands in round 8. */
function catching(): Scene {
  const run = federated();
  const whole = scene(run);
  const part = scene(
    { messages: run.messages.slice(0, Math.floor(run.messages.length * 0.65)), now: run.now },
    { kind: "catching_up", via: "websocket", offset: 154, from: 0, top: 235 },
  );
  return { now: run.now, view: { ...part.view, told: whole.view.told, sentence: whole.view.sentence } };
}

/** Stopped in epoch 8, gone on from epoch 5, now in epoch 9. */
function resumed(): Scene {
  const first = centralised({ upTo: 7.4 }).messages;
  const whole = centralised({ upTo: 8.6 });
  const last = first.at(-1);
  const offset = Math.max(...first.map((each) => each.offset ?? 0));
  const rows = Math.max(...first.map((each) => each.row ?? 0));
  const gone = whole.messages.filter((each) => each.type === "run_start" || Number(each.epoch) >= 6);
  const from = Date.parse(gone[1]?.timestamp ?? "");
  const shift = Date.parse(last?.timestamp ?? "") + 90_000 - from;
  let said = offset;
  let row = rows;
  const again = gone.map((each, i): Message => {
    const { offset: _, row: __, ...rest } = each;
    const at = i === 0 ? from - 1000 : Date.parse(each.timestamp);
    return {
      ...rest,
      ...(each.type === "step" ? { row: ++row } : { offset: ++said }),
      ...(each.type === "run_start" ? { from_epoch: 5 } : {}),
      attempt: 2,
      timestamp: new Date(at + shift).toISOString(),
    };
  });
  return scene({ messages: [...first, ...again], now: whole.now + shift });
}

export const SCENES: Record<string, () => Scene> = {
  live: () => scene(centralised({ upTo: 6.615 })),
  start: () => scene(centralised({ upTo: 0.2 })),
  finished: () => scene(centralised()),
  bare: () => scene(centralised({ bare: true, upTo: 4 })),
  phantom: () => scene(centralised({ phantom: true, upTo: 6.615 })),
  failed: () => scene(centralised({ upTo: 1.41, end: "failed", name: "resnet18-lr-0.01" })),
  stopped: () => scene(centralised({ upTo: 6.63, end: "cancelled" })),
  silent: () =>
    scene(centralised({ upTo: 3.1, pause: 26_000, name: "densenet121-pretrained" }), LIVE, 100_000),
  away: () =>
    scene(
      centralised({ upTo: 6.615 }),
      {
        kind: "away",
        since: centralised({ upTo: 6.615 }).now,
        tries: 6,
        nextTry: centralised({ upTo: 6.615 }).now + 45_000,
        offset: 21,
      },
      42_000,
    ),
  polling: () => scene(centralised({ upTo: 6.615 }), { kind: "live", via: "poll" }),
  catching,
  resumed,
  federated: () => scene(federated()),
  fedstart: () => scene(federated({ open: 1 })),
  feddone: () => scene(federated({ open: 21 })),
  fedthree: () => scene(federated({ open: 3, hospitals: 3, totalRounds: 3, localEpochs: 1, phantom: true })),
  fedlong: () => scene(federated({ open: 140, hospitals: 30, totalRounds: 200 })),
  fedmany: () => scene(federated({ open: 18, hospitals: 14, totalRounds: 30 })),
};
