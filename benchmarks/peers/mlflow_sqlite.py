"""MLflow on this machine, its store a SQLite file (the package without its server: `mlflow-skinny`)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from benchmarks.peers.peer import METRICS, Found, Peer
from benchmarks.peers.reading import count_rows

__all__ = ["MlflowSqlite"]


class MlflowSqlite(Peer):
    """`mlflow.log_metrics`, which returns when it is committed, as is its default."""

    title = "MLflow, SQLite"
    package = "mlflow-skinny"
    requirements = ("mlflow-skinny", "sqlalchemy", "alembic", "sqlparse")
    imports = "import mlflow"
    calls = 200

    def load(self, folder: Path) -> None:
        import mlflow

        self._mlflow: Any = mlflow

    def begin(self, folder: Path) -> None:
        logging.disable(logging.INFO)
        self._mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        self._mlflow.set_experiment("bench")
        self._mlflow.start_run()

    def log(self, number: int) -> None:
        self._mlflow.log_metrics(METRICS, step=number)

    def end(self) -> None:
        self._mlflow.end_run()

    def reader(self, folder: Path) -> Found:
        query = f"SELECT count(*) FROM metrics WHERE key = '{next(reversed(METRICS))}'"
        return lambda: count_rows(folder / "mlflow.db", query)
