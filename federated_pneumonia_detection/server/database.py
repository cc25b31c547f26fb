"""Opens the hub over its database and lets it follow the log directory."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import URL

from federated_pneumonia_detection.hub.hub import ExitReport, Hub
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["compact", "open_hub"]


def open_hub(settings: ServerSettings, death_report: Callable[[str], ExitReport | None] | None = None) -> Hub:
    """The hub over `settings.database` that follows `settings.log_dir`; both are made where missing."""
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    store = SqlStore(_url(settings))
    hub = Hub(store, death_report=death_report)
    hub.follow(str(settings.log_dir))
    return hub


def compact(settings: ServerSettings) -> None:
    """Give back what deleted runs took in a database file that nobody holds; PostgreSQL does so by itself."""
    store = SqlStore(_url(settings))
    try:
        store.compact()
    finally:
        store.close()


def _url(settings: ServerSettings) -> str:
    file = URL.create("sqlite", database=str(settings.log_dir.absolute() / "hub.sqlite3"))
    return settings.database or file.render_as_string(hide_password=False)
