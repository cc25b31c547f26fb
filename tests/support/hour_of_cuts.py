"""A run whose hospitals are elsewhere, over a line that is cut again and again, for real: no death may be told.

`python tests/support/hour_of_cuts.py --minutes 60` prints what was told, and ends with 1 where anybody who lived was
called dead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

from direct_line import DirectLine
from puppet import Puppet

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore


def cuts(minutes: float, *, seed: int = 1) -> Counter[str]:
    """Let a run be cut for so many minutes; how often each condition was seen, and `false deaths`."""
    random, seen = Random(seed), Counter[str]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here, site = folder / "here", folder / "beta"
        here.mkdir()
        site.mkdir()
        hub = Hub(MemoryStore())
        stack.callback(hub.close)
        hub.follow(str(here))
        hub.start()
        line = stack.enter_context(DirectLine(site, here))
        leader, far = stack.enter_context(Puppet(here)), stack.enter_context(Puppet(site, "far"))
        leader.say("log_run_start", config={"num_clients": 1}, total_rounds=1)
        leader.say("log_round_start", 1, 1)
        leader.say("log_stage", "training", round_num=1, expected=1, connected=["far"])
        far.say("log_round_start", 1, 1)
        far.train(0.5)
        over = time.monotonic() + minutes * 60
        while time.monotonic() < over:
            line.is_cut = not line.is_cut
            longest_s = 180.0 if line.is_cut else 60.0
            until = min(over, time.monotonic() + random.uniform(1.0, longest_s))
            while time.monotonic() < until:
                state = hub.run("run")
                if state is not None:
                    seen[state.condition] += 1
                    died = state.status == "failed" or any(client.status == "failed" for client in state.clients)
                    seen["false deaths"] += died
                time.sleep(0.25)
    return seen


def main() -> int:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    seen = cuts(asked.minutes, seed=asked.seed)
    for what, count in sorted(seen.items()):
        print(f"{what}: {count}")
    print(f"{seen['false deaths']} false deaths in {asked.minutes:g} minutes of cuts")
    return 1 if seen["false deaths"] else 0


if __name__ == "__main__":
    sys.exit(main())
