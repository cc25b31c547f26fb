"""What the server tells of itself: everything as JSON lines in a file, and in the terminal what needs somebody.

The file is `<log_dir>/.server/<port>.log.jsonl`; it turns over at 5 MB and two old ones stay. `fpd doctor` reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from federated_pneumonia_detection.server.access.tokens import redact

__all__ = ["JsonLines", "ServerLog", "keeping"]

LARGEST_BYTES = 5_000_000
OLD_ONES_KEPT = 2

_LOGGERS = ("federated_pneumonia_detection", "uvicorn")
# What every record has; what is not here was given by `extra=` and is a field of the line.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object for each record: `time`, `level`, `logger`, `event`, what `extra` gave, and any `exception`.

    A newline or an escape sequence in an event is a character of a JSON string, never a line of its own. No line holds
    a token, whoever wrote it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(msgspec.json.encode(line, enc_hook=str).decode())


class _OneLine(logging.Formatter):
    """For the terminal: the event alone; a traceback stands in the file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def format(self, record: logging.LogRecord) -> str:
        event = redact(" ".join(record.getMessage().split()))
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in event)
        where = f" (the traceback is in {self._path})" if record.exc_info else ""
        return f"{record.levelname.lower()}: {shown}{where}"


class ServerLog(RotatingFileHandler):
    """The file. What cannot be written to it (a full disk, a directory that is gone) is counted and costs nobody more.

    Attributes:
        unwritten: lines that could not be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LARGEST_BYTES, backupCount=OLD_ONES_KEPT, encoding="utf-8", delay=True)
        self.setFormatter(JsonLines())
        self.path = path
        self.unwritten = 0

    def handleError(self, record: logging.LogRecord) -> None:
        """Count it; the original prints a traceback into the terminal for each line."""
        self.unwritten += 1


@contextmanager
def keeping(log_dir: Path, port: int) -> Iterator[ServerLog]:
    """Keep the log of the server on `port` while the `with` block runs."""
    folder = Path(log_dir) / ".server"
    kept = ServerLog(folder / f"{port}.log.jsonl")
    terminal = logging.StreamHandler()
    terminal.setFormatter(_OneLine(kept.path))
    terminal.setLevel(logging.WARNING)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [each.level for each in loggers]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        kept.unwritten += 1
    for each in loggers:
        each.setLevel(logging.INFO)
        each.addHandler(kept)
        each.addHandler(terminal)
    try:
        yield kept
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.removeHandler(kept)
            each.removeHandler(terminal)
            each.setLevel(level)
        kept.close()
