"""A Flower app of one's own, watched: one mod for the clients, one wrapper for the strategy, nothing else changes.

python examples/flower_own_app.py      # on Flower's simulation, about fifteen seconds
fpd serve --log-dir logs/progress      # before, during or after it; then open http://localhost:8000
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from federated_pneumonia_detection.federated import current_progress, progress_mod, watch_strategy

CLIENTS, ROUNDS, STEPS = 3, 4, 20
EXPERIMENT = "own Flower app"


def make_apps(log_dir: str) -> tuple[ServerApp, ClientApp]:
    # Clients run in processes of their own, which may have another working directory.
    log_dir = str(Path(log_dir).absolute())
    client_app = ClientApp(mods=[progress_mod(log_dir)])

    @client_app.train()
    def train(message: Message, context: Context) -> Message:
        rng = np.random.default_rng(int(context.node_config["partition-id"]))
        x = rng.normal(size=(200, 4))
        y = x @ np.array([1.0, -2.0, 3.0, 0.5])
        weights = message.content.array_records["arrays"]["w"].numpy().copy()
        loss = 0.0
        for step in range(1, STEPS + 1):
            error = x @ weights - y
            loss = float(np.mean(error**2))
            weights -= 0.05 * x.T @ error / len(x)
            if progress := current_progress():  # what happens within the round, for whoever watches
                progress.step(1, step, STEPS, {"train_loss": loss})
        content = RecordDict(
            {
                "arrays": ArrayRecord({"w": Array(weights)}),
                "metrics": MetricRecord({"train_loss": loss, "num-examples": len(x)}),
            }
        )
        return Message(content, reply_to=message)

    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=CLIENTS)
        watch_strategy(strategy, log_dir=log_dir, experiment_name=EXPERIMENT)
        strategy.start(grid=grid, initial_arrays=ArrayRecord({"w": Array(np.zeros(4))}), num_rounds=ROUNDS, timeout=300)

    return server_app, client_app


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from flwr.simulation import run_simulation

    server_app, client_app = make_apps(*(sys.argv[1:] or ["logs/progress"]))
    run_simulation(
        server_app,
        client_app,
        num_supernodes=CLIENTS,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": 2}},
    )
