"""From a hospital's local epoch to the screen: 8 simulated hospitals × 5 local epochs × 3 rounds, on either engine.

`fpd serve` follows the run and Chromium shows it, on the machine whose cores all train. The page itself keeps when each
local epoch stands on it (after the frame in which it was drawn); the journals say when it was said, and when its
round's aggregate was. `python -m benchmarks.inside_the_round local` names the engine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks._browser import browser_page, wait_for_run
from benchmarks._figures import figure
from benchmarks._server import serving

CLIENTS, LOCAL_EPOCHS, ROUNDS = 8, 5, 3
RUN = "inside"
GOAL_MS = 250.0
WITHIN_S = 900.0

# Whether k local epochs of a hospital stand in the open round's rows: "3 of 5 epochs", or "epoch 4, step 2/9".
WATCH = """
window.fpdSeen = {};
const look = () => {
  const title = document.querySelector('.open-rows thead th')?.textContent ?? '';
  const round = Number(/Round (\\d+)/.exec(title)?.[1]);
  if (!round) return;
  const now = performance.timeOrigin + performance.now();
  for (const row of document.querySelectorAll('.open-rows tbody tr')) {
    const client = row.querySelector('.open-name')?.textContent ?? '';
    const words = row.querySelector('.open-progress')?.textContent ?? '';
    const done = Number(/^(\\d+) of/.exec(words)?.[1] ?? Number(/^epoch (\\d+)/.exec(words)?.[1] ?? 1) - 1);
    for (let epoch = 1; epoch <= done; epoch++) window.fpdSeen[`${round}/${client}/${epoch}`] ??= now;
  }
};
let waiting = false;
new MutationObserver(() => {
  if (waiting) return;
  waiting = true;
  // After the frame in which the change is drawn.
  requestAnimationFrame(() => setTimeout(() => { waiting = false; look(); }));
}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
"""

Said = dict[str, Any]


def told(log_dir: Path) -> list[Said]:
    """All messages of the run's journals."""
    lines = [line for path in log_dir.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def ms_of(message: Said) -> float:
    """When it was said, in milliseconds since 1970."""
    return datetime.fromisoformat(message["timestamp"]).timestamp() * 1e3


def run(engine: str, folder: Path) -> tuple[dict[str, float], list[Said]]:
    """Train with the page open: when each local epoch stood on it, and what the journals say."""
    log_dir = folder / "progress"
    config = folder / "config.yaml"
    config.write_text(f"device: cpu\nthreads: {os.cpu_count() if engine == 'local' else 1}\n")
    command = [sys.executable, "-m", "federated_pneumonia_detection", "train", "federated", "--engine", engine]
    counts = {"clients": CLIENTS, "rounds": ROUNDS, "local-epochs": LOCAL_EPOCHS}
    options = [part for name, number in counts.items() for part in (f"--{name}", str(number))]
    places = ["--log-dir", str(log_dir), "--checkpoint-dir", str(folder / "checkpoints"), "--run-id", RUN]
    with serving(log_dir) as server, browser_page() as page:
        base = f"http://127.0.0.1:{server.port}"
        page.add_init_script(WATCH)
        page.goto(base)
        with (folder / "out.txt").open("w") as out:
            training = subprocess.Popen([*command, *options, *places, "--config", str(config)], stdout=out, stderr=out)
        try:
            wait_for_run(f"{base}/api/runs/{RUN}", 120)
            page.goto(f"{base}/runs/{RUN}")
            deadline = time.monotonic() + WITHIN_S
            while training.poll() is None and time.monotonic() < deadline:
                page.wait_for_timeout(200)
            page.wait_for_timeout(1000)
            if training.returncode != 0:
                raise SystemExit((folder / "out.txt").read_text()[-2000:])
            return page.evaluate("window.fpdSeen"), told(log_dir)
        finally:
            training.kill()
            training.wait()


def main() -> int:
    """Print for each engine how many local epochs were seen in time, and how late each was."""
    for engine in sys.argv[1:] or ["local", "ray"]:
        with tempfile.TemporaryDirectory() as folder:
            seen, messages = run(engine, Path(folder))
        aggregated = {m["round"]: ms_of(m) for m in messages if m["type"] == "round_aggregated"}
        epochs = {
            f"{m['round']}/{m['client_id']}/{m['local_epoch']}": (m["round"], ms_of(m))
            for m in messages
            if m["type"] == "local_epoch"
        }
        late = sorted(seen[key] - said for key, (_, said) in epochs.items() if key in seen)
        in_time = [key for key, (round_, _) in epochs.items() if seen.get(key, float("inf")) < aggregated[round_]]
        expected = CLIENTS * LOCAL_EPOCHS * ROUNDS
        print(f"{engine}: {len(epochs)} local epochs told, {len(late)} seen, load {os.getloadavg()[0]:.1f}", flush=True)
        figure(f"local epochs on the page before their aggregate, {engine}", len(in_time), "", at_least=expected)
        figure(f"local epoch → page, {engine}, median", statistics.median(late), "ms")
        note = f"slowest {late[-1]:.0f} ms, load {os.getloadavg()[0]:.1f}"
        figure(f"local epoch → page, {engine}, 95 %", late[int(len(late) * 0.95)], "ms", at_most=GOAL_MS, note=note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
