"""The words for recorded runs: the page's copy of the rules is held to the same files."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from federated_pneumonia_detection.hub.fold import fold
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.words import described

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_recorded_run_is_told_in_the_expected_words(path: Path) -> None:
    messages = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    state, folded = RunState(messages[0]["run_id"]), 0
    for moment in json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8")):
        for message in messages[folded : moment["after"]]:
            state = fold(state, message)
        folded = moment["after"]
        run = described(state, datetime.fromisoformat(moment["now"]))
        assert (run.status, run.condition, run.sentence, run.detail_sentence) == (
            moment["status"],
            moment["condition"],
            moment["sentence"],
            moment["detail_sentence"],
        )
        expected = [(each["client_id"], each["status"], each["words"]) for each in moment.get("clients", ())]
        assert [(each.client_id, each.status, each.words) for each in run.clients] == expected


def test_there_are_recordings_of_both_modes() -> None:
    modes = {json.loads(path.read_text().splitlines()[0])["mode"] for path in RECORDINGS.glob("*.jsonl")}
    assert modes == {"centralized", "federated"}
