"""Where downloads are kept: `FPD_CACHE`, else the user's cache directory as the XDG specification has it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_directory"]


def cache_directory() -> Path:
    """Return the directory of downloads; it need not exist yet."""
    if own := os.environ.get("FPD_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    root = Path(base) if base and Path(base).is_absolute() else Path("~/.cache").expanduser()
    return root / "federated-pneumonia-detection"
