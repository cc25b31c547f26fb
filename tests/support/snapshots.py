"""What lies in a directory, so that a test can say that nothing has changed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

Snapshot = dict[str, str]

# A database has pages of its own to write, and a server keeps a log of itself.
_OF_THE_SERVER = ("hub.sqlite3", ".server", "server.log")


def files_in(directory: Path) -> Snapshot:
    """What lies in a directory: each path with a digest of what it holds."""
    found: Snapshot = {}
    for folder, folders, names in os.walk(directory):
        for name in sorted(folders + names):
            path = Path(folder, name)
            told = path.relative_to(directory).as_posix()
            if not told.startswith(_OF_THE_SERVER):
                found[told] = _digest(path)
    return found


def _digest(path: Path) -> str:
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        return stat.filemode(mode)
    return hashlib.sha256(path.read_bytes()).hexdigest()
