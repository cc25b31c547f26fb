"""What a logger needs of whatever shows its messages to people."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["WebSocketManager"]


@runtime_checkable
class WebSocketManager(Protocol):
    """Follows directories of journals and sends what it finds there to its viewers.

    `ConnectionManager` is one. The data is never handed over in memory, so a manager may live in another process than
    the logger. A manager may also have `wake(directory)`: a hint that something was written there, cheap and without a
    promise.
    """

    def follow(self, directory: str | None) -> str:
        """Follow the journals in a directory from now on.

        Args:
            directory: where the journals lie; `None` for a private temporary directory of the manager's own (mode
                0700), made when first asked for and removed at the manager's end.

        Returns:
            The absolute path of the directory that is followed.
        """
        ...
