"""Opens the hub over its database and lets it follow the log directory."""

from __future__ import annotations

from collections.abc import Callable

from federated_pneumonia_detection.hub.hub import ExitReport, Hub
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["open_hub"]


def open_hub(settings: ServerSettings, death_report: Callable[[str], ExitReport | None] | None = None) -> Hub:
    """The hub over `settings.database` that follows `settings.log_dir`; both are made where missing."""
    from federated_pneumonia_detection.hub import sql_store

    settings.log_dir.mkdir(parents=True, exist_ok=True)
    url = settings.database or f"sqlite:///{settings.log_dir / 'hub.sqlite3'}"
    hub = Hub(sql_store.SqlStore(url), death_report=death_report)
    hub.follow(str(settings.log_dir))
    return hub
