import io

import pytest
from rich.console import Console

from federated_pneumonia_detection.cli.journals import Journals
from federated_pneumonia_detection.cli.watch import follow, view


def _drawn(state, lines=("03:04:05 a line of the run that is rather long",), width=100):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False, color_system=None)
    console.print(view(state, lines, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
def test_a_run_fits_any_terminal(centralized_run, federated_run, width):
    for state in Journals(centralized_run()).runs() + Journals(federated_run()).runs():
        drawn = _drawn(state, width=width)
        assert max(len(row) for row in drawn.splitlines()) <= width
        assert "client_0"[:4] in drawn or not state["clients"]


def test_the_sentence_the_progress_and_the_numbers_are_there(centralized_run):
    drawn = _drawn(Journals(centralized_run()).run("run-a"))
    assert "run-a" in drawn
    assert "Finished" in drawn
    assert "epoch 2 of 2" in drawn
    assert "loss 0.400, AUROC 0.900 (n not reported)" in drawn


def test_a_run_on_phantoms_says_so(centralized_run):
    state = {**Journals(centralized_run()).run("run-a"), "phantom": True}
    assert "phantoms, not X-rays" in _drawn(state)


def test_what_a_run_is_called_is_no_markup(centralized_run):
    state = {**Journals(centralized_run()).run("run-a"), "name": "[red]x[/] \x1b[2J"}
    drawn = _drawn(state)
    assert "[red]x[/]" in drawn
    assert "\x1b[2J" not in drawn


def test_a_run_that_ends_ends_the_watching_with_its_status(centralized_run, capsys):
    directory = centralized_run()
    assert follow(Journals(directory), "run-a") == "completed"
    told = capsys.readouterr().out.splitlines()
    assert told[-1].endswith("complete: test AUROC 0.950")
    assert len(told) == 6


def test_a_run_that_never_begins_can_be_stopped_waiting_for(tmp_path):
    assert follow(Journals(tmp_path), "nobody", stop=lambda: True) is None
