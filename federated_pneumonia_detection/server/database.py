"""Opens the hub over its database and lets it follow the log directory."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import URL

from federated_pneumonia_detection.hub.hub import ExitReport, Hub
from federated_pneumonia_detection.hub.sql_store import SqlStore
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["open_hub"]


def open_hub(settings: ServerSettings, death_report: Callable[[str], ExitReport | None] | None = None) -> Hub:
    """The hub over `settings.database` that follows `settings.log_dir`; both are made where missing."""
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    file = URL.create("sqlite", database=str(settings.log_dir.absolute() / "hub.sqlite3"))
    store = SqlStore(settings.database or file.render_as_string(hide_password=False))
    hub = Hub(store, death_report=death_report)
    hub.follow(str(settings.log_dir))
    return hub
