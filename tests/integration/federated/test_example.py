"""The examples for federated training of one's own run as they stand."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.local_engine import run_local
from federated_pneumonia_detection.federated.roster import Roster

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "federated_own_loop.py"


def test_three_clients_that_nobody_named_a_run_for_are_one_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "logs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    heads = [json.loads(path.read_text().splitlines()[0]) for path in (tmp_path / "logs").glob("*.jsonl")]
    assert {head["client_id"] for head in heads} == {"client_0", "client_1", "client_2"}
    assert {head["run_id"] for head in heads} == {done.stdout.split()[-1]}
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


FLOWER_EXAMPLE = EXAMPLE.with_name("flower_own_app.py")


def told(log_dir: Path) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for path in log_dir.glob("*.jsonl"):
        first, *lines = map(json.loads, path.read_text().splitlines())
        kinds = [line["type"] for line in lines if line["type"] not in ("step", "stage", "journal_end")]
        found.setdefault(first["client_id"], []).extend(kinds)
    return found


SERVER = ["run_start", *["round_start", "round_aggregated", "round_end"] * 4, "training_complete"]


def test_the_flower_example_runs_on_any_engine(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("flower_own_app", FLOWER_EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server, client = module.make_apps(str(tmp_path))
    guarded = ServerApp()

    @guarded.main()
    def main(grid: Grid, context: Context) -> None:
        server(GuardedGrid(grid, roster=Roster(), check=lambda: None), context)

    run_local(guarded, client, [{"partition-id": number} for number in range(3)])

    messages = told(tmp_path)
    assert messages[None] == SERVER
    assert all(messages[f"client_{number}"] == ["round_start", "round_end"] * 4 for number in range(3))


@pytest.mark.long
def test_the_flower_example_runs_as_it_stands(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FLOWER_EXAMPLE), "logs"], cwd=tmp_path, capture_output=True, check=True)

    messages = told(tmp_path / "logs")
    assert messages[None] == SERVER
    assert sorted(messages["client_1"]) == ["round_end"] * 4 + ["round_start"] * 4
