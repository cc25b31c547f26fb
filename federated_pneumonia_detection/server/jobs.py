"""A training that was asked for, as files: what survives a restart of the server.

`<log_dir>/.jobs/<run>/` holds `job.json` (what was asked, the command), `config.yaml`, and from the warden
`warden.json`, `training.json`, `output.log` and `exit.json`. A directory appears whole, by rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from federated_pneumonia_detection.progress.liveness import lock, process_lives
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Exit", "Job", "JobDirectory", "Jobs"]

_T = TypeVar("_T")

LAST_LINES = 30
LAST_BYTES = 16_384
_LONGEST = 1 << 20
# Of an attempt that has ended, what the next one goes on with: what was printed, and where the checkpoints lie.
_KEPT = ("output.log", "checkpoints.json")


class Job(msgspec.Struct, frozen=True):
    """What was asked for.

    Attributes:
        run_id: the run it makes.
        kind: `centralized` or `federated`.
        experiment_name: what its runs share.
        total: epochs, or rounds.
        created: when, in seconds since 1970: queued jobs start in this order.
        command: what is started.
        attempt: which attempt of the run it is.
        from_point: the last epoch or round that this attempt keeps of those before it.
    """

    run_id: str
    kind: Literal["centralized", "federated"]
    experiment_name: str
    total: int
    created: float
    command: tuple[str, ...]
    attempt: int = 1
    from_point: int = 0


class Exit(msgspec.Struct, frozen=True):
    """How a training ended. Neither code nor signal: nobody saw it, or it never started."""

    code: int | None = None
    signal: int | None = None
    ended: float = 0.0
    started: bool = True

    @property
    def words(self) -> str:
        """As the end of "the training process …"."""
        if not self.started:
            return "was never started"
        if self.signal is not None:
            return f"was ended by signal {self.signal}"
        if self.code is not None:
            return f"ended with exit code {self.code}"
        return "is gone, and nobody saw how it ended"


class _Process(msgspec.Struct, frozen=True):
    pid: int
    start: int | None = None


class JobDirectory:
    """One job's files. Everything is read anew: other processes write here."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def output(self) -> Path:
        """What the training prints."""
        return self.path / "output.log"

    def job(self) -> Job | None:
        """What was asked for; `None` where there is no such job, or its file is damaged."""
        return _read(self.path / "job.json", Job)

    def exit(self) -> Exit | None:
        """How it ended, once it has."""
        return _read(self.path / "exit.json", Exit)

    def claimed(self) -> bool:
        """Whether a warden has taken it: it was started, or is about to be."""
        return (self.path / "warden.json").exists()

    def lives(self) -> bool:
        """Whether its warden or its training is still there."""
        processes = (_read(self.path / name, _Process) for name in ("warden.json", "training.json"))
        return any(process is not None and process_lives(process.pid, process.start) for process in processes)

    def goes_on(self) -> bool:
        """Whether there is such a job, and it has not ended."""
        return self.job() is not None and self.exit() is None

    def training_pid(self) -> int | None:
        """The training's process, which leads its process group; `None` where it is not there any more."""
        process = _read(self.path / "training.json", _Process)
        return process.pid if process is not None and process_lives(process.pid, process.start) else None

    def set_exit(self, exit: Exit) -> None:
        """Keep how it ended, when no warden can."""
        temporary = self.path / f"exit.{os.getpid()}.tmp"
        temporary.write_bytes(msgspec.json.encode(exit))
        temporary.replace(self.path / "exit.json")

    def last_lines(self) -> tuple[str, ...]:
        """The end of its output, for whoever asks why."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ()
        lines = [
            "".join(letter for letter in line if letter.isprintable() or letter == "\t") for line in text.split("\n")
        ]
        return tuple(line for line in lines if line.strip())[-LAST_LINES:]


class Jobs:
    """All jobs of a log directory, which one server at a time keeps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def are_kept(self) -> bool:
        """Whether this process keeps them."""
        return self._lock is not None

    def keep(self) -> bool:
        """Keep the jobs, from now until `let_go` or the death of this process.

        Returns:
            Whether this process keeps them; `False` while another one does.

        Raises:
            OSError: the directory cannot be written.
        """
        if self._lock is not None:
            return True
        self.path.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path / ".keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # Without locks (Windows, some network drives) everybody keeps them; then a directory is for one server.
        if lock(fd) is False:
            os.close(fd)
            return False
        self._lock = fd
        return True

    def let_go(self) -> None:
        """Leave the jobs to the next server. Twice is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def changed(self) -> int:
        """Changes whenever a job was added or deleted."""
        try:
            return self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def directory(self, run_id: str) -> JobDirectory:
        """Where the job of a run lies, if it has one. A run's id is never a path: it is slugged first."""
        return JobDirectory(self.path / slug(run_id))

    def add(self, job: Job, config_yaml: str) -> JobDirectory:
        """Write a job down, so that it is started even by the next server.

        Raises:
            OSError: it cannot be written.
        """
        directory = self.directory(job.run_id)
        made = self.path / f".new-{directory.path.name}"
        made.mkdir(parents=True)
        try:
            (made / "config.yaml").write_text(config_yaml, encoding="utf-8")
            (made / "job.json").write_bytes(msgspec.json.encode(job))
            made.rename(directory.path)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return directory

    def add_again(self, job: Job, config_yaml: str) -> JobDirectory:
        """Write a job down for a further attempt of a run; what the attempts before have printed is kept.

        Raises:
            OSError: it cannot be written.
        """
        directory = self.directory(job.run_id)
        old = self.path / f".old-{directory.path.name}"
        shutil.rmtree(old, ignore_errors=True)
        try:
            directory.path.rename(old)
        except FileNotFoundError:  # nothing was written down of the attempts before
            return self.add(job, config_yaml)
        try:
            self.add(job, config_yaml)
        except OSError:
            old.rename(directory.path)
            raise
        for name in _KEPT:
            with suppress(OSError):
                (old / name).rename(directory.path / name)
        shutil.rmtree(old, ignore_errors=True)
        return directory

    def all(self) -> Iterator[tuple[Job, JobDirectory]]:
        """Every job there is, oldest first."""
        found = []
        for path in self.path.glob("[!.]*"):
            directory = JobDirectory(path)
            job = directory.job()
            if job is not None:
                found.append((job, directory))
        yield from sorted(found, key=lambda pair: (pair[0].created, pair[0].run_id))

    def forget(self, run_id: str) -> None:
        """Delete a job's files."""
        shutil.rmtree(self.directory(run_id).path, ignore_errors=True)


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(read_small(path, _LONGEST), type=kind)
    except (OSError, ValueError, RecursionError):
        return None
