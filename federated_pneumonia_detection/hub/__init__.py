"""The hub: the log of everything journals say, cursors in it, and what follows from it.

`Hub` is what a server uses; `ConnectionManager` is the same over memory, for anybody's own app.
"""

from federated_pneumonia_detection.hub.connection_manager import ConnectionManager
from federated_pneumonia_detection.hub.errors import (
    DatabaseUnusable,
    HubError,
    LogReplaced,
    RunActive,
    StoreHeld,
    UnknownRun,
)
from federated_pneumonia_detection.hub.hub import ExitReport, Frame, Hub, Page, Subscription
from federated_pneumonia_detection.hub.state import Best, ClientState, RunState
from federated_pneumonia_detection.hub.stores.store import Store

__all__ = [
    "Best",
    "ClientState",
    "ConnectionManager",
    "DatabaseUnusable",
    "ExitReport",
    "Frame",
    "Hub",
    "HubError",
    "LogReplaced",
    "Page",
    "RunActive",
    "RunState",
    "Store",
    "StoreHeld",
    "Subscription",
    "UnknownRun",
]
