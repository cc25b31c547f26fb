"""What a strategy does not tell by itself: how many nodes it waits for, and what privacy it has spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from federated_pneumonia_detection.federated.harmless import harmless

__all__ = ["nodes_needed", "privacy_spent", "waits_told"]


def nodes_needed(strategy: Any) -> int:
    """How many nodes a strategy waits for, as far as it says: one of Flower's does, also inside another one."""
    names = ("min_available_nodes", "min_train_nodes")
    found = [value for name in names if isinstance(value := getattr(strategy, name, None), int)]
    if not found and (inner := getattr(strategy, "strategy", None)) is not None:
        return nodes_needed(inner)
    return max(found, default=0)


def privacy_spent(strategy: Strategy) -> dict[str, float]:
    """`epsilon` and `delta` so far; empty where the strategy keeps no account."""
    ask = getattr(strategy, "privacy_spent", None)
    spent = ask() if callable(ask) else None
    return {} if spent is None else {"epsilon": float(spent.epsilon), "delta": float(spent.delta)}


@contextmanager
def waits_told(grid: Grid, needed: int, tell: Callable[[list[int]], None]) -> Iterator[None]:
    """Within it a strategy that looks for nodes and finds too few is known to wait for more: Flower's own do.

    Args:
        grid: where the strategy looks.
        needed: how many it waits for.
        tell: called with the nodes that are there, each time that they are too few and others than before.
    """
    own = grid.get_node_ids
    told: set[int] | None = None

    def get_node_ids() -> Iterable[int]:
        nonlocal told
        nodes = list(own())
        with harmless("telling who is waited for"):
            if len(nodes) < needed and set(nodes) != told:
                told = set(nodes)
                tell(nodes)
        return nodes

    with harmless("watching for nodes"):
        grid.get_node_ids = get_node_ids  # type: ignore[method-assign]
    try:
        yield
    finally:
        with harmless("watching for nodes no more"):
            vars(grid).pop("get_node_ids", None)
