"""Unread journals as one stream: by timestamp, and never against a writer's own order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TypeVar

from federated_pneumonia_detection.hub.times import seconds

__all__ = ["merge"]

T = TypeVar("T")


def merge(sources: Iterable[Iterable[tuple[str | None, T]]]) -> Iterator[T]:
    """Merge streams of (timestamp, item), lazily.

    A writer whose clock went back keeps its order: an item counts as no older than the one before it in its stream.
    """
    return (item for _, _, item in heapq.merge(*map(_keyed, sources), key=lambda entry: entry[0]))


def _keyed(source: Iterable[tuple[str | None, T]]) -> Iterator[tuple[float, None, T]]:
    newest = float("-inf")
    for timestamp, item in source:
        newest = max(newest, seconds(timestamp) or newest)
        yield newest, None, item
