"""What a server wishes of trainings elsewhere: that they stop, wait and go on when their run does."""

from __future__ import annotations

import pytest

from federated_pneumonia_detection.hub.shipping.wish import Wish, wish_of
from federated_pneumonia_detection.hub.state import End, RunState
from federated_pneumonia_detection.progress.cancel import Cancel
from federated_pneumonia_detection.progress.pause import GoOn, Pause

NOW = "2026-11-26T01:00:00+00:00"


def test_a_run_that_goes_on_or_is_not_known_is_wished_nothing() -> None:
    assert wish_of(None, None) is None
    assert wish_of(RunState("run", status="running", led=True), None) is None


def test_whoever_was_asked_to_stop_is_told_by_whom_and_why() -> None:
    run = RunState("run", status="running", led=True, cancel_asked=NOW)
    assert wish_of(run, Cancel("enough", "Ada")) == Wish("stop", "enough", "Ada")
    assert wish_of(run, None) == Wish("stop")


@pytest.mark.parametrize(
    ("status", "wish"),
    [
        ("cancelled", Wish("stop", "enough", "Ada")),
        ("failed", Wish("stop", "the run has failed: no disk")),
        ("completed", None),
    ],
)
def test_an_end_of_the_run_is_told_to_those_who_still_train(status: str, wish: Wish | None) -> None:
    end = End(status, NOW)  # type: ignore[arg-type]
    run = RunState("run", status="running", led=True, end=end, stopped_by="Ada", reason="enough", error="no disk")
    assert wish_of(run, None) == wish


def test_where_nobody_leads_one_clients_end_is_not_the_others() -> None:
    assert wish_of(RunState("run", status="failed", end=End("failed", NOW)), None) is None


def test_whoever_is_to_wait_is_told_so_and_who_let_them_go_on() -> None:
    run = RunState("run", status="running", led=True)
    assert wish_of(run, None, Pause("the card is needed", "Ada")) == Wish("pause", "the card is needed", "Ada")
    assert wish_of(run, None, GoOn("Bob")) == Wish("go_on", by="Bob")


def test_a_stop_goes_before_a_pause() -> None:
    run = RunState("run", status="running", led=True)
    assert wish_of(run, Cancel("enough", "Ada"), Pause(by="Bob")) == Wish("stop", "enough", "Ada")
    ended = RunState("run", status="cancelled", led=True, end=End("cancelled", NOW), stopped_by="Ada")
    assert wish_of(ended, None, Pause(by="Bob")) == Wish("stop", None, "Ada")
