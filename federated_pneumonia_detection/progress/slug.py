"""What a run or a client is called in a file name. Identity is a journal's first line, never its name."""

from __future__ import annotations

import re
import time
import unicodedata
from os import urandom

__all__ = ["new_run_id", "plain_slug", "slug"]

_LONGEST = 100
_CLEAN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
# Names that Windows keeps for devices, whatever follows them.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")


def plain_slug(text: str, *, fallback: str = "experiment") -> str:
    """The text in letters, digits, `-` and `_`, at most 60 of them; different texts may share one."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    cleaned = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_text).strip("-")[:60].rstrip("-")
    return cleaned or fallback


def slug(text: str) -> str:
    """A file name's part for a run or client: the text itself where it is clean, else cleaned and with a hash.

    There is never a `.` or `~` in it, which separate the parts of a journal's name, and never a path.
    """
    if _CLEAN.fullmatch(text) and len(text) <= _LONGEST and not _DEVICES.fullmatch(text):
        return text
    from hashlib import sha256

    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain_slug(text, fallback='x')}-{digest}"


def new_run_id(experiment_name: str) -> str:
    """A run's name made anew: the experiment, the time in UTC and four random hex digits."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"{plain_slug(experiment_name)}-{moment}-{urandom(2).hex()}"
