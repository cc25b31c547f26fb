"""Programs that belong together: started, looked after, and all ended, with everything that they started.

Each leads a session of its own, so that a Ctrl-C reaches us alone and they are ended in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from federated_pneumonia_detection.progress.liveness import pid_start, process_lives

__all__ = ["Processes", "Program"]

_LOOK_S = 0.05
_AGAIN_AFTER_S = (3.0, 30.0)
_STEADY_S = 30.0
_LAST_BYTES = 8192


@dataclass
class Program:
    """One program.

    Attributes:
        name: what people call it.
        command: what is started.
        output: the file that takes what it prints.
        environment: all of it; `None` for ours.
        polite_s: how long it may take to end when it is asked to.
        again: whether it is started again when it ends by itself.
        launcher: a word in the command line of a child without which it does nothing, and whose end it does not notice.
    """

    name: str
    command: Sequence[str]
    output: Path
    environment: Mapping[str, str] | None = None
    polite_s: float = 3.0
    again: bool = True
    launcher: str | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float | None = None
    wait_s: float = _AGAIN_AFTER_S[0]
    groups: set[int] = field(default_factory=set)
    launched_by: tuple[int, int | None] | None = None

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.command),
                env=None if self.environment is None else dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.groups.add(self.process.pid)
        self.started_at, self.start_at = time.monotonic(), None
        self.launched_by = None

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def has_lost_its_launcher(self) -> bool:
        """Whether the child that it needs was there, and is gone. Where the system does not tell of children: no."""
        if self.launcher is None or self.process is None or not self.is_running:
            return False
        if self.launched_by is None:
            self.launched_by = _child_of(self.process.pid, self.launcher)
            return False
        return not process_lives(*self.launched_by)

    def last_words(self) -> str:
        """The last line it printed."""
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line), "")

    def signal_group(self, number: int) -> None:
        """Send a signal to it and to all that it started."""
        for group in self.groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)


class Processes:
    """Several programs.

    Args:
        tell: takes each sentence for whoever started them.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._programs: list[Program] = []

    def start(self, program: Program) -> Program:
        """Start one more.

        Raises:
            OSError: it cannot be started.
        """
        self._programs.append(program)
        program.start()
        return program

    def look_after(self) -> None:
        """Look once: who ended is told of, and started again after a while."""
        now = time.monotonic()
        for program in self._programs:
            if program.has_lost_its_launcher() and program.process is not None:
                self._tell(
                    f"{program.name} has lost its launcher ({program.launcher}), and can start nothing: it is ended"
                )
                program.signal_group(signal.SIGKILL)
                program.process.wait()
            if program.is_running or program.process is None:
                continue
            if program.start_at is not None:
                if now >= program.start_at:
                    # What the last one started had its time to say why it ends; it would write beside the next one.
                    program.signal_group(signal.SIGKILL)
                    program.start()
                    self._tell(f"{program.name}: started again")
                continue
            if not program.again:
                told = f"{program.name} {_ended(program.process.returncode)}"
                self._tell(f"{told}. It said last: {program.last_words() or 'nothing'}")
                program.process = None
                continue
            if now - program.started_at > _STEADY_S:
                program.wait_s = _AGAIN_AFTER_S[0]
            program.start_at = now + program.wait_s
            told = f"{program.name} {_ended(program.process.returncode)}; started again in {program.wait_s:g} s"
            self._tell(f"{told}. It said last: {program.last_words() or 'nothing'} ({program.output})")
            program.wait_s = min(program.wait_s * 2, _AGAIN_AFTER_S[1])

    def any_runs(self) -> bool:
        """Whether any of them runs, or will again."""
        return any(program.is_running or program.start_at is not None for program in self._programs)

    def end(self) -> None:
        """End all: the last started first, each with what it started; nothing is left afterwards."""
        for program in reversed(self._programs):
            program.start_at = None
            if program.is_running and program.process is not None:
                with suppress(ProcessLookupError):
                    program.process.terminate()
                # A stopped one hears nothing else.
                with suppress(ProcessLookupError):
                    program.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + max((program.polite_s for program in self._programs), default=0.0)
        while any(program.is_running for program in self._programs) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        for program in self._programs:
            program.signal_group(signal.SIGKILL)
        for program in self._programs:
            if program.process is not None:
                program.process.wait()


def _ended(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _child_of(pid: int, word: str) -> tuple[int, int | None] | None:
    """A child whose command line holds `word`: its number, and when it started."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):  # it has just ended, or there is no such file here
        return None
    for child in children:
        with suppress(OSError):
            if word.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                return child, pid_start(child)
    return None
