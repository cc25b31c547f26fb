"""Journals cut and flipped anywhere: one alert that names writer, number, file and byte; every other line is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import journals
import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader

EPOCHS = 6
DAMAGED = 4
"""The line that is flipped: the message of this number."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(MemoryStore())
    hub.follow(str(tmp_path))
    yield hub
    hub.close()


def said(hub: Hub, run_id: str) -> tuple[list[int], list[str], list[str]]:
    """The epochs of a run, the texts of its alerts, and how it ended, as a viewer gets them."""
    messages: list[dict[str, Any]] = [json.loads(m) for m in hub.events(run_id=run_id, after=0, limit=99).messages]
    epochs = [m["epoch"] for m in messages if m["type"] == "epoch_end"]
    alerts = [m["text"] for m in messages if m["type"] == "alert"]
    return epochs, alerts, [m["type"] for m in messages if m["type"] == "training_error"]


def test_a_journal_cut_at_any_byte_of_its_last_line_keeps_every_whole_line(
    tmp_path: Path, hub: Hub, wait_until: Callable[..., None]
) -> None:
    cuts: dict[str, tuple[str, int, int]] = {}
    last = journals.lines(journals.header("x"), journals.epochs(EPOCHS))[-1]
    for cut in range(len(last)):
        run_id = f"cut-{cut}"
        first = journals.header(run_id)
        lines = journals.lines(first, journals.epochs(EPOCHS))
        whole = b"".join(lines[:-1])
        journals.put(tmp_path, f"{run_id}.jsonl", whole + lines[-1][:cut])
        cuts[run_id] = first.writer, len(whole), cut
    hub.start()

    wait_until(lambda: all(said(hub, run_id)[2] for run_id in cuts), "each death is told")
    wait_until(lambda: len(list(tmp_path.glob("*.json"))) == len(cuts), "each document is completed")
    for run_id, (writer, byte, cut) in cuts.items():
        epochs, alerts, ends = said(hub, run_id)
        assert epochs == list(range(1, EPOCHS))
        assert ends == ["training_error"]
        assert len(alerts) == (1 if cut else 0), run_id
        for text in alerts:
            assert f"writer {writer}" in text
            assert f"at byte {byte} of {run_id}.jsonl (message {EPOCHS + 1})" in text
        document = json.loads((tmp_path / f"{run_id}.json").read_bytes())
        assert [m["epoch"] for m in document["epochs"] if m["type"] == "epoch_end"] == epochs
        assert document["metadata"]["status"] == "failed"
    print(f"{len(cuts)} cuts: whole lines kept: all")


def test_a_byte_flipped_anywhere_in_a_line_is_one_alert_and_costs_that_line_alone(
    tmp_path: Path, hub: Hub, wait_until: Callable[..., None]
) -> None:
    flips: dict[str, tuple[str, int]] = {}
    length = len(journals.lines(journals.header("x"), journals.epochs(EPOCHS))[DAMAGED])
    for at in range(length):
        run_id = f"flip-{at}"
        first = journals.header(run_id)
        lines = journals.lines(first, journals.epochs(EPOCHS))
        flipped = bytearray(lines[DAMAGED])
        flipped[at] ^= 1 << (at % 8)
        journals.put(tmp_path, f"{run_id}.jsonl", b"".join([*lines[:DAMAGED], bytes(flipped), *lines[DAMAGED + 1 :]]))
        flips[run_id] = first.writer, sum(map(len, lines[:DAMAGED]))
    hub.start()

    wait_until(lambda: all(said(hub, run_id)[1] for run_id in flips), "each flip is told")
    for run_id, (writer, byte) in flips.items():
        epochs, alerts, _ = said(hub, run_id)
        assert epochs == [n for n in range(1, EPOCHS + 1) if n + 1 != DAMAGED], run_id
        (text,) = alerts
        assert f"writer {writer}" in text
        assert f"at byte {byte} of {run_id}.jsonl (message {DAMAGED})" in text, run_id
    print(f"{len(flips)} flipped bytes: not noticed 0")


def test_no_flipped_bit_is_taken_for_a_message(tmp_path: Path) -> None:
    lines = journals.lines(journals.header("run"), journals.epochs(EPOCHS))
    before, line, behind = b"".join(lines[:DAMAGED]), lines[DAMAGED], b"".join(lines[DAMAGED + 1 :])
    others = [n for n in range(1, EPOCHS + 2) if n != DAMAGED]
    path = tmp_path / "run.jsonl"
    valid_json = 0
    for bit in range(len(line) * 8):
        flipped = bytearray(line)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(before + bytes(flipped) + behind)
        entries = JournalReader(path).read()
        assert [entry.n for entry in entries if isinstance(entry, Line)] == others, bit
        assert len(entries) == len(others) + 1, bit
        try:
            json.loads(bytes(flipped))
            valid_json += 1
        except ValueError:
            continue
    print(f"{len(line) * 8} flipped bits: not noticed 0, of which {valid_json} left valid JSON")
