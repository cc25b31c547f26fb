"""Runs straight from a directory of journals, without a server: the same states and messages, folded here.

It only reads. What a hub would write about a run (that its process died) is said here to this reader alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from federated_pneumonia_detection.hub.fold import fold
from federated_pneumonia_detection.hub.following import HUB_MODE
from federated_pneumonia_detection.hub.merge import merge
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.verdicts import Witness, verdicts
from federated_pneumonia_detection.hub.words import described
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import MARKS, Line
from federated_pneumonia_detection.progress.liveness import State, state
from federated_pneumonia_detection.progress.reading import JournalReader
from federated_pneumonia_detection.progress.slug import slug

if TYPE_CHECKING:
    from federated_pneumonia_detection.cli.terminal.sources import Source

__all__ = ["Journals", "NoSuchRun"]

_POLL_S = 0.1
_QUIET_S = 0.5
_Message = dict[str, Any]


class NoSuchRun(LookupError):
    """The directory holds no run of that name; `str()` says which there are."""

    def __init__(self, run: str, log_dir: Path, known: list[str]) -> None:
        listed = f"; there are {', '.join(known[:5])}{', ...' if len(known) > 5 else ''}" if known else ""
        what = f"no run {run!r}" if known else "no runs yet"
        super().__init__(f"{log_dir}: {what}{listed or '; `fpd train centralized` makes one'}")


class Journals:
    """The runs of one directory. Reads what is new each time it is asked.

    Args:
        log_dir: where the journals lie.
        only: a run's id, where no other is of interest: of many runs, only its journals are read.
    """

    def __init__(self, log_dir: Path, *, only: str | None = None) -> None:
        self.log_dir = log_dir
        self._names = "*.jsonl" if only is None else f"{slug(only)}*.jsonl"
        self._readers: dict[Path, JournalReader] = {}
        self._states: dict[str, RunState] = {}
        # What was read and not yet handed to whoever follows: the states are asked for in the middle of that.
        self._unseen: list[_Message] = []
        self._is_followed = False

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        self._read()
        newest = sorted(self._states.values(), key=lambda run: run.start_time or "", reverse=True)
        return [_plain(run) for run in newest]

    def run(self, run: str) -> dict[str, Any]:
        """One run's state; `latest` is a run too.

        Raises:
            NoSuchRun: there is none of that name.
        """
        known = [found["run_id"] for found in self.runs()]
        run_id = known[0] if run == "latest" and known else run
        if run_id not in self._states:
            raise NoSuchRun(run, self.log_dir, known)
        return _plain(self._states[run_id])

    def so_far(self, run_id: str) -> list[_Message]:
        """Every message of a run that is there now, merged by time."""
        self._readers.clear()
        self._states.clear()
        return [message for message in self._read() if message["run_id"] == run_id]

    def messages(self, run_id: str) -> Iterator[_Message | None]:
        """Every message of a run, then live, merged by time; `None` when nothing came for half a second.

        One at a time: whoever asks anew takes over.
        """
        quiet_since = time.monotonic()
        self._readers.clear()
        self._states.clear()
        self._unseen.clear()
        self._is_followed = True
        while True:
            self._read()
            new = [message for message in self._unseen if message["run_id"] == run_id]
            self._unseen.clear()
            yield from new
            now = time.monotonic()
            if new:
                quiet_since = now
            elif now - quiet_since >= _QUIET_S:
                quiet_since = now
                yield None
            time.sleep(_POLL_S)

    def source(self) -> Source:
        """The same directory, for a full screen."""
        from federated_pneumonia_detection.cli.terminal.sources import Directory

        return Directory(self.log_dir)

    def _read(self) -> list[_Message]:
        """What was written to any journal since the last time, folded into the states of the runs."""
        try:
            paths = sorted(path for path in self.log_dir.glob(self._names) if not path.name.startswith("."))
        except OSError:
            paths = []
        streams = []
        for path in paths:
            reader = self._readers.setdefault(path, JournalReader(path))
            streams.append([(message.get("timestamp"), message) for message in _lines(reader)])
        messages = list(merge(streams))
        if not messages:
            messages += self._verdicts()
        for message in messages:
            run_id = message["run_id"]
            self._states[run_id] = fold(self._states.get(run_id) or RunState(run_id), message)
        if self._is_followed:
            self._unseen += messages
        return messages

    def _verdicts(self) -> list[_Message]:
        """What follows from who lives, for runs that have not ended; the fold remembers what was said."""
        by_run: dict[str, list[JournalReader]] = {}
        for reader in self._readers.values():
            if reader.header is not None and reader.header.mode != HUB_MODE:
                by_run.setdefault(reader.header.run_id, []).append(reader)
        present = datetime.now(UTC)
        found = []
        for run_id, readers in by_run.items():
            run = self._states.get(run_id)
            if run is None or ended(run):
                continue
            witnesses = [witness for reader in readers if (witness := _witness(reader)) is not None]
            for verdict in verdicts(run, witnesses, now=present.timestamp()):
                about = {"about": verdict.about, "timestamp": present.isoformat(timespec="microseconds")}
                found.append({**verdict.body, **about, "run_id": run_id})
        return found


def _lines(reader: JournalReader) -> list[_Message]:
    messages: list[_Message] = []
    try:
        while entries := reader.read():
            for entry in entries:
                if isinstance(entry, Line) and entry.type not in MARKS and reader.header is not None:
                    message: _Message = msgspec.json.decode(entry.body)
                    message["run_id"] = reader.header.run_id
                    messages.append(message)
    except OSError:  # removed while we looked
        return messages
    return messages


def _witness(reader: JournalReader) -> Witness | None:
    header = reader.header
    try:
        life, heard_at = state(reader.path), reader.path.stat().st_mtime
    except (OSError, NotAJournal):
        return None
    if header is None:
        return None
    return Witness(
        writer=header.writer,
        client_id=header.client_id,
        alive=life in (State.ALIVE, State.UNKNOWN),
        died=life is State.DEAD,
        remote=life is State.UNKNOWN or header.shipped is True,
        pid=header.pid,
        host=header.host,
        heard_at=heard_at,
        directory=str(reader.path.parent),
    )


def _plain(run: RunState) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(described(run, datetime.now(UTC)))
    return told
