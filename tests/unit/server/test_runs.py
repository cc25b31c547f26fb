from typing import Any

import pytest

from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.server.runs import select


def _run(run_id: str, **fields: Any) -> RunState:
    return RunState(run_id, **fields)


RUNS = [
    _run("old", experiment_name="Zebra", status="completed", start_time="2026-01-01", updated_at="2026-01-05"),
    _run("live", experiment_name="apple", status="running", start_time="2026-01-02", updated_at="2026-01-04"),
    _run("new", experiment_name="mango", mode="federated", status="failed", start_time="2026-01-03", tags=("Paper",)),
    _run("waiting", experiment_name="banana", status="queued"),
]


def _ids(**wanted: Any) -> list[str]:
    chosen: dict[str, Any] = {"q": "", "status": frozenset(), "mode": None, "sort": "live"} | wanted
    return [run.run_id for run in select(RUNS, **chosen)]


def test_live_runs_stand_first_then_the_newest() -> None:
    assert _ids() == ["waiting", "live", "new", "old"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("start_time", ["old", "live", "new", "waiting"]),
        ("-start_time", ["waiting", "new", "live", "old"]),
        ("name", ["live", "waiting", "new", "old"]),
        ("-name", ["old", "new", "waiting", "live"]),
        ("-updated_at", ["old", "live", "waiting", "new"]),
        ("status", ["old", "new", "waiting", "live"]),
    ],
)
def test_they_can_be_sorted(sort: str, order: list[str]) -> None:
    assert _ids(sort=sort) == order


def test_they_can_be_filtered() -> None:
    assert _ids(status=frozenset({"failed", "queued"})) == ["waiting", "new"]
    assert _ids(mode="federated") == ["new"]
    assert _ids(q="PAPER") == ["new"]
    assert _ids(q="zeb") == ["old"]
    assert _ids(q="nothing like it") == []
