"""Writes what Python forecasts for some paces: `python tests/recordings/forecasts.py`.

`forecasts.json` holds the page's own copy of the arithmetic (`dashboard/src/client/forecast.ts`) to the same figures.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import msgspec

from federated_pneumonia_detection.hub.forecast import EarlyStop, Open, Seen, forecast

FILE = Path(__file__).with_suffix(".json")


def seen(seed: int) -> Seen:
    """What might be known of a run: of each kind some."""
    draw = random.Random(seed)
    count = seed % 21
    durations = [round(60 * draw.lognormvariate(0, 0.3), 3) for _ in range(count)]
    waiting, closing = (), ()
    if seed % 3 == 0:
        waiting = tuple(
            Open(tuple(round(40 * draw.lognormvariate(0, 0.2), 3) for _ in range(min(5, count))), draw.uniform(0, 90))
            for _ in range(draw.randint(0, 4))
        )
        closing = tuple(round(draw.uniform(0, 8), 3) for _ in range(count))
    losses = tuple(round(0.5 * 0.8**n + draw.gauss(0.3, 0.02), 4) for n in range(count))
    early = EarlyStop(draw.randint(1, 8), losses) if seed % 4 == 1 and losses else None
    elapsed = None if seed % 5 == 4 else round(draw.uniform(0, 200), 3)
    return Seen(tuple(durations), draw.randint(0, 250), elapsed, waiting, closing, early)


def recorded() -> list[dict[str, object]]:
    """Each pace with its forecast."""
    return [
        {"seen": msgspec.to_builtins(seen(seed)), "forecast": msgspec.to_builtins(forecast(seen(seed)))}
        for seed in range(80)
    ]


def main() -> None:
    """Write them."""
    lines = [json.dumps(each) for each in recorded()]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {len(lines)} paces\n")


if __name__ == "__main__":
    main()
