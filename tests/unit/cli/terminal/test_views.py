"""What the full screen shows of recorded runs, at every width."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from federated_pneumonia_detection.cli.terminal import views
from federated_pneumonia_detection.cli.terminal.story import Story
from federated_pneumonia_detection.hub.fold import fold
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.words import described

RECORDINGS = sorted((Path(__file__).parents[3] / "recordings").glob("*.jsonl"))
WIDTHS = (20, 40, 60, 80, 120, 200)


def _recorded(path, upto=None):
    story, run = Story(), None
    for line in path.read_bytes().splitlines()[:upto]:
        message = msgspec.json.decode(line)
        run = fold(run or RunState(message["run_id"]), message)
        story.take(message)
    at = datetime.fromisoformat(run.updated_at or run.start_time)
    return msgspec.to_builtins(described(run, at)), story.seen()


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_every_recorded_run_fits_every_width_at_every_moment(path):
    length = len(path.read_bytes().splitlines())
    for upto in {1, length // 3, length // 2, length - 1, length} - {0}:
        state, seen = _recorded(path, upto)
        for width in WIDTHS:
            texts = [
                views.row(state, width, views.key_range([state])),
                views.progress(state, width),
                views.numbers(state, max(width, 40)),
            ]
            if state["clients"]:
                texts.append(views.hospitals(state, seen, width))
            for text in texts:
                assert max(len(row) for row in text.plain.split("\n")) <= max(width, 44), (width, text.plain)
            for chart in views.charts(state, seen):
                assert all(len(row) <= width for row in views.chart_rows(chart, state, width, 8))


def test_a_row_says_name_progress_value_and_the_sentence():
    state, _ = _recorded(RECORDINGS[0].with_name("centralised-finishes.jsonl"))
    for width in (80, 200):
        first, second = views.row(state, width, (0.0, 1.0)).plain.split("\n")
        assert views.title(state) in first
        assert f"epoch {state['epoch']}/{state['total_epochs']}" in first
        assert state["sentence"][:40] in second


def test_a_late_hospital_is_late_in_words_and_by_a_mark():
    path = RECORDINGS[0].with_name("federated-straggler.jsonl")
    state, seen = _recorded(path)
    client = {**state["clients"][0], "status": "late", "words": "Late by 48 s"}
    shown = {**state, "clients": [client, *state["clients"][1:]]}
    for width in (80, 200):
        drawn = views.hospitals(shown, seen, width).plain
        assert "Late by 48 s" in drawn
        assert "! " in drawn


def test_live_runs_are_on_top_and_else_stay_as_they_are():
    runs = [{"status": "completed", "n": 1}, {"status": "running", "n": 2}, {"status": "queued", "n": 3}]
    assert [run["n"] for run in views.ordered(runs)] == [2, 3, 1]


def test_a_filter_looks_at_name_tags_and_state():
    state = {"name": "Baseline", "experiment_name": "x", "run_id": "r", "status": "failed", "mode": "federated"}
    assert views.fits({**state, "tags": ["paper"]}, "base PAPER failed")
    assert not views.fits(state, "base completed")


def test_numbers_without_n_say_so(centralized_run):
    from federated_pneumonia_detection.cli.journals import Journals

    state = Journals(centralized_run(end=False)).run("run-a")
    assert views.numbers(state, 80).plain.startswith("validation, epoch 2 (n not reported): loss 0.400, AUROC 0.900")


def test_what_a_run_is_called_moves_no_cursor():
    state, _ = _recorded(RECORDINGS[0])
    drawn = views.row({**state, "name": "\x1b[2Jx\n"}, 80, (0, 1))
    assert "\x1b" not in drawn.plain
    assert drawn.plain.count("\n") == 1
