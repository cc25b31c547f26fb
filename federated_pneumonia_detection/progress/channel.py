"""Where a logger's messages go: its run, the writer that records them, and what could not be recorded."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.progress import cancel, clock, values, which_run
from federated_pneumonia_detection.progress.document import complete_dead
from federated_pneumonia_detection.progress.document_keeper import Identity
from federated_pneumonia_detection.progress.journal import journal_stem
from federated_pneumonia_detection.progress.messages import Custom, Message, RunStart
from federated_pneumonia_detection.progress.protocol import WebSocketManager
from federated_pneumonia_detection.progress.registry import is_ending, writer_for
from federated_pneumonia_detection.progress.slug import new_run_id
from federated_pneumonia_detection.progress.software import software
from federated_pneumonia_detection.progress.telling import tell
from federated_pneumonia_detection.progress.upkeep import upkeep
from federated_pneumonia_detection.progress.writer import Writer

__all__ = ["Channel", "followed", "wake_of"]

# Held while a client without a run finds one; one for all loggers of the process, since that is rare.
_finding = threading.RLock()
_opened_directories: set[str] = set()


class Channel:
    """One logger's way to its run's writer; it may be pickled, and goes on in another process where it was.

    Args:
        directory: where the journal lies; `None`: nowhere, so that nothing can be recorded.
        keeps_files: whether there is a document beside the journal.
        experiment_name: what is trained.
        mode: `centralized` or `federated`.
        client_id: who logs; `None` for a run, or a server, of its own.
        run_id: the run; `None`: found or made.
        attempt: the run's attempt that is told of, where whoever logs here was told it; `None`: found out.
        run_start: what the run's first message says, if this logger begins it.
        hears: what whoever logs here listens to.
        broadcast_interval: the least time in seconds between two sends to viewers.
        wake: told the directory after each message, as a hint.
    """

    def __init__(
        self,
        directory: str | None,
        *,
        keeps_files: bool,
        experiment_name: str,
        mode: str,
        client_id: str | None,
        run_id: str | None,
        attempt: int | None,
        run_start: Mapping[str, Any] | None,
        hears: tuple[str, ...],
        broadcast_interval: float,
        wake: Callable[[str], object] | None = None,
    ) -> None:
        self.client_id = client_id
        given = "" if run_id is None else values.name(run_id)
        self.run_id = given or values.name(os.environ.get("FPD_RUN_ID", "")) or None
        self._directory = directory
        self._keeps_files = keeps_files
        self._experiment_name = values.name(experiment_name)
        self._mode = values.name(mode)
        self._hears = hears
        self._wake = wake
        self._is_closed = False
        # Whether this very thread is finding the run, so that only a signal handler can come in between.
        self._is_finding = False
        self._writer: Writer | None = None
        # What never came to a writer.
        self._lost = 0
        self._warned: set[str] = set()
        self._interval = values.seconds(broadcast_interval, "broadcast_interval", 0.0, self.warn)
        if run_start is not None and not isinstance(run_start, Mapping):
            self.warn("run_start", f"run_start is a {type(run_start).__name__}, not a dict; it is left out")
        self._run_start = self._mapping(run_start)
        self._attempt = self._told(attempt)
        if client_id is None:
            self._begin_run()

    @property
    def lost(self) -> int:
        """How many messages could not be recorded, or wait until they can be."""
        return self._lost + (0 if self._writer is None else self._writer.lost)

    @property
    def attempt(self) -> int:
        """The run's attempt that is told of."""
        return (self._attempt or 1) if self._writer is None else self._writer.attempt

    @property
    def document_path(self) -> str | None:
        """Where the document lies; `None` without files, and while the run is not known."""
        if not self._keeps_files or self._directory is None or self.run_id is None:
            return None
        return str(Path(self._directory, f"{journal_stem(self.run_id, self.client_id)}.json"))

    def writer(self, kind: str, round_num: int | None = None) -> Writer | None:
        """The writer for a message of this type; `None` where there is none: then the message is counted as lost."""
        if self._is_closed:
            self.count_as_lost("closed", f"a {kind} was logged after close(); it was not recorded")
            return None
        if is_ending():
            # No lock is taken any more: a thread that the interpreter has stopped may hold it for ever.
            self.count_as_lost("ending", f"a {kind} was logged after the end of the process; it was not recorded")
            return None
        if self._writer is not None:
            return self._writer
        if self._directory is None:
            self.count_as_lost("nowhere", "it has neither files nor a websocket_manager; nothing is recorded")
            return None
        with _finding:
            if self._is_finding:
                self.count_as_lost("finding", f"a signal handler logged a {kind} while its run was being found")
                return None
            if self._writer is None:
                self._is_finding = True
                try:
                    self._writer = self._find_run(self._directory, kind, round_num)
                finally:
                    self._is_finding = False
            return self._writer

    def say(self, kind: str, make: Callable[[dict[str, Any]], Message | Custom]) -> None:
        """Record the message that `make` makes of what all messages here carry."""
        writer = self.writer(kind)
        if writer is not None:
            writer.say(make(self.stamp(writer)))
            self.nudge()

    def stamp(self, writer: Writer) -> dict[str, Any]:
        """What every message here carries: the time, the client, and the round that it is in."""
        if self.client_id is None:
            return {"timestamp": clock.now()}
        if writer.round is None:
            return {"timestamp": clock.now(), "client_id": self.client_id}
        return {"timestamp": clock.now(), "client_id": self.client_id, "round": writer.round}

    def stamp_apart(self) -> dict[str, Any]:
        """The same, for a message that says its round itself."""
        if self.client_id is None:
            return {"timestamp": clock.now()}
        return {"timestamp": clock.now(), "client_id": self.client_id}

    def run_start(self, attempt: int, more: Mapping[str, Any], stamp: dict[str, Any]) -> RunStart:
        """The message that begins a run, with what is known of it and `more`."""
        self._run_start.update(more)
        told = self._run_start
        is_federated = self._mode == "federated"
        numbers: dict[str, Any] = {"total_rounds" if is_federated else "total_epochs": None}
        if attempt > 1:
            numbers["from_round" if is_federated else "from_epoch"] = 0
        for name in ("total_epochs", "total_rounds", "from_epoch", "from_round"):
            if name in told:
                numbers[name] = values.whole(told[name], name, self.warn)
        return RunStart(
            self._experiment_name,
            self._mode,
            config=self._mapping(told.get("config")),
            data=self._mapping(told.get("data")),
            software=software() | self._mapping(told.get("software")),
            attempt=attempt,
            **numbers,
            **stamp,
        )

    def nudge(self) -> None:
        """Tell the manager, where there is one that wants to know, that something was written."""
        if self._wake is not None and self._directory is not None:
            with contextlib.suppress(Exception):  # a hint to somebody else's object; without it all works as well
                self._wake(self._directory)

    def close(self) -> None:
        """Record nothing more here. The run goes on, and its journal with it."""
        self._is_closed = True

    def count_as_lost(self, cause: str, text: str) -> None:
        """One more message is not recorded; why is told once for each cause."""
        self._lost += 1
        self.warn(cause, text)

    def warn(self, cause: str, text: str) -> None:
        """Tell the person who runs the training, once for each cause."""
        if cause not in self._warned:
            self._warned.add(cause)
            tell(f"{self.run_id or self._experiment_name}: {text}")

    def __getstate__(self) -> dict[str, Any]:
        # A manager is not sent along: it follows the directory already.
        left_behind: dict[str, Any] = {
            "_writer": None,
            "_wake": None,
            "_lost": 0,
            "_warned": set(),
            "_is_finding": False,
        }
        seeds = None if self._writer is None else self._writer.seeds()
        return {**self.__dict__, **left_behind, "_seeds": seeds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        seeds = state.pop("_seeds", None)
        self.__dict__.update(state)
        if self.run_id is not None and self._directory is not None:
            self._writer = self._join(self._directory, self.run_id, 1)
            if seeds is not None:
                self._writer.take_seeds(seeds)

    def _begin_run(self) -> None:
        self.run_id = self.run_id or new_run_id(self._experiment_name)
        if self._directory is None or is_ending():
            return
        with which_run.deciding(self._directory):
            attempt, told = which_run.attempt_of(self._directory, self.run_id), self._attempt or 1
            here = which_run.attempt_now(self._directory, self.run_id) if attempt is None else 1
            self._writer = self._join(self._directory, self.run_id, max(here, told))
            if attempt is not None or told > here:
                attempt = max(attempt or 1, told)
                if attempt > 1:
                    # Whoever asked the last attempt to stop, which died of something else, does not mean this one.
                    cancel.clear(self._directory, self.run_id)
                self._start(self._writer, attempt)
        self._complete_what_others_left(self._directory)

    def _find_run(self, directory: str, kind: str, round_num: int | None) -> Writer:
        if self.run_id is not None or self.client_id is None:
            self.run_id = self.run_id or new_run_id(self._experiment_name)
            attempt = self._attempt or which_run.attempt_now(directory, self.run_id)
            return self._join(directory, self.run_id, attempt)
        with which_run.deciding(directory):
            known = which_run.run_for(directory, self._experiment_name, self.client_id, kind, round_num)
            self.run_id = known or new_run_id(self._experiment_name)
            attempt = 1 if known is None else which_run.attempt_now(directory, known)
            writer = self._join(directory, self.run_id, self._attempt or attempt)
            if known is None:
                self._start(writer, writer.attempt)
            else:
                # Others who decide must see that this client is in.
                writer.open()
        self._complete_what_others_left(directory)
        return writer

    def _join(self, directory: str, run_id: str, attempt: int) -> Writer:
        with contextlib.suppress(OSError, ValueError):  # a name with a NUL in it; the writer says what is wrong with it
            directory = os.path.realpath(directory)
        identity = Identity(directory, run_id, self.client_id)
        writer = writer_for(
            identity,
            experiment_name=self._experiment_name,
            mode=self._mode,
            broadcast_interval=self._interval,
            hears=self._hears,
            keeps_document=self._keeps_files,
        )
        # A run never goes back to an earlier attempt; this writer may be an earlier one's.
        writer.attempt = max(writer.attempt, attempt)
        return writer

    def _start(self, writer: Writer, attempt: int) -> None:
        writer.attempt = attempt
        message = self.run_start(attempt, {}, self.stamp(writer))
        if isinstance(message.total_epochs, int):
            writer.total_epochs = message.total_epochs
        if isinstance(message.total_rounds, int):
            writer.total_rounds = message.total_rounds
        writer.say(message)
        self.nudge()

    def _told(self, attempt: Any) -> int | None:
        # By whoever made this logger, else by whoever started this process for the run.
        if attempt is None and self.run_id is not None and self.run_id == values.name(os.environ.get("FPD_RUN_ID", "")):
            in_environment = os.environ.get("FPD_ATTEMPT", "")
            attempt = int(in_environment) if re.fullmatch(r"[0-9]{1,9}", in_environment) else None
        told = None if attempt is None else values.whole(attempt, "attempt", self.warn)
        return told if told is not None and told >= 1 else None

    def _mapping(self, value: Any) -> dict[str, Any]:
        told = values.plain(value, self.warn)
        return told if isinstance(told, dict) else {}

    def _complete_what_others_left(self, directory: str) -> None:
        if self._keeps_files and directory not in _opened_directories:
            _opened_directories.add(directory)
            upkeep.ask(_Completion(directory), 0.0)


def followed(manager: WebSocketManager | None, directory: str | None) -> str | None:
    """Where the journal lies: where it was asked for, else in a private directory of the manager's. Never raises."""
    if manager is None:
        return directory
    try:
        private = manager.follow(directory)
    except Exception as error:  # noqa: BLE001 - somebody else's object; where there are files all is recorded
        tell(f"the websocket_manager does not follow ({type(error).__name__}: {error})")
        return directory
    return directory or os.fspath(private)


def wake_of(manager: object) -> Callable[[str], object] | None:
    """What a manager wants to be told after each message, if it does. Never raises."""
    try:
        wake = getattr(manager, "wake", None)
    except Exception:  # noqa: BLE001 - somebody else's object, which need not have it
        return None
    return wake if callable(wake) else None


class _Completion:
    # The documents of those who died before: completed by the thread, not by the training.

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def keep_up(self) -> None:
        complete_dead(self._directory)


def _in_a_child() -> None:
    # Another thread of the parent may have been in there.
    global _finding
    _finding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
