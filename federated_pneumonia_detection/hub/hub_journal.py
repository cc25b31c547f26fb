"""What a hub has to say goes where everything else is said: into journals, one of its own for each run."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from federated_pneumonia_detection.hub.following import HUB_MODE
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.clock import now
from federated_pneumonia_detection.progress.document import hub_stem
from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader, Line
from federated_pneumonia_detection.progress.journal import Journal
from federated_pneumonia_detection.progress.reading import JournalReader

try:
    import fcntl
except ImportError:  # Windows: two hubs of one directory may both say the same there
    fcntl = None  # type: ignore[assignment]

__all__ = ["HubJournals"]


_MOST_OPEN = 64


class _About(msgspec.Struct, gc=False):
    about: str = ""


_about = msgspec.json.Decoder(_About).decode


class HubJournals:
    """The open journals of this hub, by directory and run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._open: dict[tuple[str, str], tuple[Journal, int]] = {}

    def say(self, directory: str, run_id: str, body: bytes) -> None:
        """Write one message; when this returns, it survives the death of this process.

        Raises:
            OSError: It could not be written.
        """
        with self._lock:
            self._say(directory, run_id, body)

    def say_once(self, directory: str, run_id: str, about: str, body: bytes) -> bool:
        """Write a message unless this hub, or another one, has said something about the same before.

        Returns:
            Whether it was written.

        Raises:
            OSError: It could not be written.
        """
        with self._lock, _directory_lock(directory):
            if about in self._said(directory, run_id):
                return False
            self._say(directory, run_id, body)
            return True

    def close_run(self, run_id: str) -> None:
        """Close what is open of a run, with a last line."""
        with self._lock:
            for key in [key for key in self._open if key[1] == run_id]:
                self._close(key)

    def close(self) -> None:
        """Close everything; later words open new journals."""
        with self._lock:
            for key in list(self._open):
                self._close(key)

    def _say(self, directory: str, run_id: str, body: bytes) -> None:
        if self._pid != os.getpid():
            # Inherited by a fork: the parent goes on writing to these.
            for journal, _ in self._open.values():
                journal.close()
            self._open, self._pid = {}, os.getpid()
        key = (directory, run_id)
        journal, n = self._open.get(key) or (self._create(directory, run_id), 0)
        self._open[key] = (journal, n + 1)
        while len(self._open) > _MOST_OPEN:
            self._close(next(iter(self._open)))
        if not journal.is_in_place():
            journal.put_back()
        journal.append(body, n + 1)
        journal.sync()

    def _create(self, directory: str, run_id: str) -> Journal:
        pid = os.getpid()
        header = JournalHeader(
            format=FORMAT,
            writer=os.urandom(8).hex(),
            run_id=run_id,
            client_id=None,
            experiment_name="",
            mode=HUB_MODE,
            host=liveness.host_name(),
            boot=liveness.boot_id(),
            pid=pid,
            pid_start=liveness.pid_start(pid),
            start=now(),
        )
        return Journal.create(Path(directory), header, stem=hub_stem(run_id))

    def _close(self, key: tuple[str, str]) -> None:
        journal, n = self._open.pop(key)
        if self._pid == os.getpid():
            with contextlib.suppress(OSError):  # without a last line it is as if this hub had been killed
                journal.append(msgspec.json.encode({"type": "journal_end", "timestamp": now()}), n + 1)
        journal.close()

    def _said(self, directory: str, run_id: str) -> set[str]:
        said: set[str] = set()
        for path in Path(directory).glob(f"{hub_stem(run_id)}*.jsonl"):
            reader = JournalReader(path)
            with contextlib.suppress(OSError):  # gone in between: then nobody will read it either
                while entries := reader.read():
                    for entry in entries:
                        if isinstance(entry, Line):
                            with contextlib.suppress(ValueError):
                                said.add(_about(entry.body).about)
        return said


@contextlib.contextmanager
def _directory_lock(directory: str) -> Iterator[None]:
    """Keep other hubs that follow the same directory from saying the same at the same time."""
    if fcntl is None:
        yield
        return
    try:
        fd = os.open(Path(directory, ".hub.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # then what is to be said cannot be written there either, and that is told
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
