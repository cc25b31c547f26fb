"""Runs to MLflow, W&B (offline) and Trackio, read back by these packages (W&B's file by its own message types).

They pull in other versions than ours, so they live in the peers' environment (`.venv-peers`), made here where
it is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import PEERS
from benchmarks.peers.environment import PYTHON, ROOT, install

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

WRITE = """
import importlib, json, pathlib, sys
from federated_pneumonia_detection.neighbours.points import Exported, Point
out = pathlib.Path(sys.argv[2])
points = [Point("val_loss", epoch, 0.5 / epoch, 1700000000.0 + epoch) for epoch in (1, 2)]
module = importlib.import_module("federated_pneumonia_detection.neighbours." + sys.argv[1])
told = module.write(Exported("run-a", "pneumonia", {"seed": 7}), points, out)
"""

READ = {
    "mlflow_store": """
import mlflow
client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{out / 'mlflow.db'}")
(run,) = client.search_runs([client.get_experiment_by_name("pneumonia").experiment_id])
history = client.get_metric_history(run.info.run_id, "val_loss")
found = [[one.step, one.value, one.timestamp / 1000] for one in history], run.data.params["seed"]
""",
    "wandb_offline": """
from benchmarks.peers.reading import level_db_records
from benchmarks.peers.wandb_offline import FILE_HEAD_BYTES
from wandb.proto import wandb_internal_pb2
(path,) = out.glob("wandb/offline-run-*/*.wandb")
rows, seed = [], None
for data, _ in level_db_records(path.read_bytes(), FILE_HEAD_BYTES):
    record = wandb_internal_pb2.Record.FromString(data)
    items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
    if "val_loss" in items:
        rows.append([items["at"], items["val_loss"], items["measured_at"]])
    for item in record.run.config.update:
        seed = json.loads(item.value_json) if item.key == "seed" else seed
found = rows, str(seed)
""",
    "trackio_local": """
from trackio.sqlite_storage import SQLiteStorage
logs = SQLiteStorage.get_logs("pneumonia", "run-a")
rows = [[one["step"], one["val_loss"], one["measured_at"]] for one in logs]
found = rows, str(SQLiteStorage.get_run_config("pneumonia", "run-a")["seed"])
""",
}


@pytest.fixture(scope="module")
def python() -> Path:
    failed = install(PEERS, print)
    if not PYTHON.exists() or failed:
        pytest.fail(f"the peers' environment could not be made: {failed}")
    return PYTHON


@pytest.mark.parametrize("module", READ)
def test_a_neighbour_reads_what_is_written_for_it(module: str, python: Path, tmp_path: Path) -> None:
    quiet = {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "HOME": str(tmp_path)}
    code = f"{WRITE}\n{READ[module]}\nprint('\\nfound', json.dumps(found))"
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [str(python), "-c", code, module, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **quiet, "PYTHONPATH": str(ROOT)},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("found ")] or [done.stderr]
    assert json.loads(line.removeprefix("found ")) == [[[1, 0.5, 1700000001.0], [2, 0.25, 1700000002.0]], "7"]
