"""Writes what the Python side says about each recorded run: `python tests/recordings/expect.py`.

`<name>.axes.json` says where each figure of the run lies on the axes that runs share; the page's rules for that are in
`dashboard/src/client/axes.ts`.

A recording is what a viewer got (`<name>.jsonl`); `<name>.expected.json` says in which words the run and its hospitals
stand after so many of its messages, at a moment, and where the run was begun more than once what its attempts have
come to. The page's own copy of the rules (`dashboard/src/client/words.ts`) is
tested on the same files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from federated_pneumonia_detection.hub.axes import AXES, Axes, Place
from federated_pneumonia_detection.hub.fold import fold
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.words import described

_OF_ATTEMPTS = (
    "attempt",
    "epoch",
    "round",
    "aggregated_round",
    "metrics",
    "metrics_at",
    "n",
    "best",
    "key_series",
    "rounds_with_failures",
    "attempts",
)

HERE = Path(__file__).parent


def messages_of(path: Path) -> list[dict[str, Any]]:
    """The messages of a recording."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def told(state: RunState, now: datetime) -> dict[str, Any]:
    """The words for a state at a moment."""
    run = described(state, now)
    words: dict[str, Any] = {
        "status": run.status,
        "condition": run.condition,
        "sentence": run.sentence,
        "detail_sentence": run.detail_sentence,
    }
    if run.attempts:
        numbers = {name: getattr(run, name) for name in _OF_ATTEMPTS}
        words["numbers"] = json.loads(msgspec.json.encode(numbers))
    if not run.clients:
        return words
    clients = [{"client_id": each.client_id, "status": each.status, "words": each.words} for each in run.clients]
    return {**words, "clients": clients}


def moments(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The words after each message, and some time later where nothing came for a while; only where they change."""
    state, before = RunState(messages[0]["run_id"]), None
    for after, message in enumerate(messages, 1):
        state = fold(state, message)
        for wait_s in _waits(message, after):
            now = datetime.fromisoformat(message.get("received") or message["timestamp"]) + timedelta(seconds=wait_s)
            words = told(state, now)
            if words != before:
                yield {"after": after, "now": now.isoformat(), **words}
            before = words


def _waits(message: dict[str, Any], after: int) -> tuple[int, ...]:
    if message["type"] == "step":
        return (4, 200) if after % 4 == 0 else ()
    if message["type"] in ("stage", "client_failed", "alert"):
        return (0, 20)
    return (0, 90) if message["type"] in ("round_start", "local_epoch") and "client_id" in message else (0,)


def reached(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How far the run had come, on every axis, when it said each figure of its own."""
    axes = Axes(messages)
    for message in messages:
        if "client_id" in message:
            continue
        number = message.get("round")
        if message["type"] == "epoch_end" and message["phase"] == "val":
            place = Place(epoch=message["epoch"], timestamp=message["timestamp"])
            number = message["epoch"]
        elif message["type"] == "round_aggregated":
            place = Place(round=number, timestamp=message["timestamp"])
        else:
            continue
        found = {axis: axes.at(place, axis) for axis in AXES}
        yield {"number": number, **{axis: at if at is None else round(at, 3) for axis, at in found.items()}}


def main() -> None:
    """Write the expectations of every recording."""
    for path in sorted(HERE.glob("*.jsonl")):
        lines = [json.dumps(moment, ensure_ascii=False) for moment in moments(messages_of(path))]
        path.with_suffix(".expected.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        places = [json.dumps(place) for place in reached(messages_of(path))]
        path.with_suffix(".axes.json").write_text("[\n" + ",\n".join(places) + "\n]\n", encoding="utf-8")
        sys.stdout.write(f"{path.stem}: {len(lines)} moments\n")


if __name__ == "__main__":
    main()
