"""A stranger's Flower app over an embedded grid, and what was told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Result, Strategy

from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.local_engine import run_local
from federated_pneumonia_detection.federated.roster import Roster

MakeApp = Callable[..., ClientApp]


def run(
    app: ClientApp,
    strategy: Strategy,
    node_configs: list[dict[str, object]],
    *,
    rounds: int = 2,
    evaluate_fn: Any = None,
    watch: Callable[[Strategy], Strategy] = lambda strategy: strategy,
) -> Result:
    """Run a stranger's server app over an embedded grid."""
    results: list[Result] = []
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        weights = ArrayRecord({"w": Array(np.linspace(0, 1, 7, dtype=np.float32))})
        guarded = GuardedGrid(grid, roster=Roster(), check=lambda: None, poll_s=0.001)
        results.append(
            watch(strategy).start(
                grid=guarded, initial_arrays=weights, num_rounds=rounds, timeout=60, evaluate_fn=evaluate_fn
            )
        )

    run_local(server, app, node_configs)
    return results[0]


def told(log_dir: Path, client_id: str | None = None) -> list[dict[str, Any]]:
    found = []
    for path in sorted(log_dir.glob("*.jsonl")):
        first, *lines = map(json.loads, path.read_text().splitlines())
        if first["client_id"] == client_id:
            found += [line for line in lines if line["type"] != "journal_end"]
    return found


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages if message["type"] != "stage"]


def bits(result: Result) -> str:
    return hashlib.sha256(b"".join(array.numpy().tobytes() for array in result.arrays.values())).hexdigest()
