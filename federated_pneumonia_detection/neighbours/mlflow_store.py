"""MLflow: a run in a SQLite store of its own, with the times at which everything was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from federated_pneumonia_detection.neighbours.errors import NotThere
from federated_pneumonia_detection.neighbours.points import Exported, Point

__all__ = ["write"]

_BATCH = 1000
"""What MLflow takes at once."""


def write(run: Exported, points: Sequence[Point], out: Path) -> str:
    """The run in `OUT/mlflow.db`."""
    try:
        import mlflow
        from mlflow.entities import Metric, Param
    except ModuleNotFoundError:
        raise NotThere("mlflow", "mlflow") from None
    store = f"sqlite:///{out / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=store)
    known = client.get_experiment_by_name(run.experiment_name)
    experiment = (
        known.experiment_id
        if known is not None
        else client.create_experiment(run.experiment_name, artifact_location=(out / "artifacts").as_uri())
    )
    begun, ended = (int(f(point.seconds for point in points) * 1000) if points else 0 for f in (min, max))
    made = client.create_run(experiment, start_time=begun, run_name=run.run_id, tags={"fpd.run_id": run.run_id})
    metrics = [Metric(_name(point.name), point.value, int(point.seconds * 1000), point.step) for point in points]
    for at in range(0, len(metrics), _BATCH):
        client.log_batch(made.info.run_id, metrics=metrics[at : at + _BATCH])
    params = [Param(_name(name), str(value)[:6000]) for name, value in run.config.items()]
    for at in range(0, len(params), 100):
        client.log_batch(made.info.run_id, params=params[at : at + 100])
    client.set_terminated(made.info.run_id, end_time=ended)
    return f"mlflow ui --backend-store-uri {store}"


def _name(name: str) -> str:
    """MLflow allows letters, digits, and a few signs in a name."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)
