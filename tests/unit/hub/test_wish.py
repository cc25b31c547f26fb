"""What a server wishes of trainings elsewhere: that they stop when their run does, and nothing else."""

from __future__ import annotations

import pytest

from federated_pneumonia_detection.hub.shipping.wish import Wish, wish_of
from federated_pneumonia_detection.hub.state import End, RunState
from federated_pneumonia_detection.progress.cancel import Cancel

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
