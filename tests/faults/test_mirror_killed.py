"""`kill -9` of a server amid everything it does with a shipped batch: what was acknowledged is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import kill_mirrors
import msgspec

from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader


def test_what_was_acknowledged_is_there_and_sending_again_completes_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(kill_mirrors.__file__)), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    points = Counter(kill["point"] for kill in kills)
    assert {"write", "link", "flock", "fdatasync"} <= set(points)
    assert len(kills) >= 40

    batches = [parse(batch) for batch in kill_mirrors.BATCHES]
    expected = [(line.n, msgspec.json.decode(line.body)) for batch in batches for line in batch.lines]
    for kill in kills:
        mirrors = Mirrors(tmp_path / kill["directory"])
        there = mirrors.take(parse(kill_mirrors.body()), Delivery("site"))
        assert there >= kill["acked"], kill
        for batch in batches:
            mirrors.take(batch, Delivery("site"))
        (journal,) = (tmp_path / kill["directory"]).glob("*.jsonl")
        said = []
        for entry in JournalReader(journal).read():
            assert isinstance(entry, Line), (kill, entry)
            message = msgspec.json.decode(entry.body)
            assert message.pop("received")
            said.append((entry.n, message))
        assert said == expected, kill
    print(f"\n{len(kills)} kills ({dict(points)}): acknowledged and lost 0, twice 0")
