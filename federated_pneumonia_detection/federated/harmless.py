"""Watching must not break what it watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from federated_pneumonia_detection.progress.telling import tell

__all__ = ["harmless"]


@contextmanager
def harmless(what: str) -> Iterator[None]:
    """Within it an exception ends the block, is told in the process's log, and goes no further."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the training goes on whatever happens to who looks on
        tell(f"{what} failed, the training goes on ({type(error).__name__}: {error})")
