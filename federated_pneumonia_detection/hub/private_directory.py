"""A temporary directory of one's own, made on demand, and removed at the end of the process that made it."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from federated_pneumonia_detection.progress.registry import close_all

__all__ = ["PrivateDirectory"]


class PrivateDirectory:
    """A directory nobody else may read (mode 0700).

    Its path is known before it is made, so that a child that was forked earlier can make it where its parent will look.

    Args:
        path: Where it lies; `None` for a new place below the system's temporary directory.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path or str(Path(tempfile.gettempdir(), f"fpd-{os.getpid()}-{secrets.token_hex(8)}"))
        self._owner = os.getpid() if path is None else None
        if path is None:
            atexit.register(self._at_exit)

    def make(self) -> str:
        """Make it where it is missing.

        Raises:
            OSError: It cannot be made, or somebody else's lies there.
        """
        Path(self.path).mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.path

    def remove(self) -> None:
        """Remove it with everything in it, in the process that made it; elsewhere do nothing."""
        if self._owner == os.getpid():
            atexit.unregister(self._at_exit)
            shutil.rmtree(self.path, ignore_errors=True)

    def _at_exit(self) -> None:
        # A writer that ended after this would put its journal back.
        if self._owner == os.getpid():
            close_all()
            shutil.rmtree(self.path, ignore_errors=True)
