"""Looks at who lives, and says what follows, once, in the hub's own journal."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import msgspec

from federated_pneumonia_detection.hub.following import FollowedJournal, Reading
from federated_pneumonia_detection.hub.hub_journal import HubJournals
from federated_pneumonia_detection.hub.ledger import Ledger
from federated_pneumonia_detection.hub.state import ended
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.verdicts import ExitReport, Verdict, Witness, verdicts
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.clock import now
from federated_pneumonia_detection.progress.document import complete_dead
from federated_pneumonia_detection.progress.exits import Exits

__all__ = ["Coroner", "ExitReport"]

logger = logging.getLogger(__name__)

_REPORT_WITHIN_S = 2.0
_CLIENT_GRACE_S = 0.4
_HALTED_FOR_S = 0.4
_FULL_BELOW_BYTES = 64 * 1024


class Coroner:
    """Judges runs by their journals, on the follower's thread; what it knows of a run may be asked from any.

    Args:
        ledger: What is known of the runs.
        journals: Where to say it.
        death_report: What a supervisor knows of the end of a run's process; `None` while it knows nothing.
        fallback: The directory to say it in where a run's own cannot be written.
    """

    def __init__(
        self,
        ledger: Ledger,
        journals: HubJournals,
        *,
        death_report: Callable[[str], ExitReport | None] | None,
        fallback: Callable[[], str],
    ) -> None:
        self._ledger = ledger
        self._journals = journals
        self._death_report = death_report
        self._fallback = fallback
        self._lock = threading.Lock()
        self._hears: dict[str, frozenset[str]] = {}
        self._pids: dict[str, int] = {}
        self._directories: dict[str, str] = {}
        # What has been said and may not have come back through the log yet.
        self._said: set[tuple[str, str]] = set()
        self._untold: list[tuple[str, Verdict]] = []
        self._died_at: dict[str, float] = {}
        self._completed: set[str] = set()
        self._exits = Exits()
        self._met: WeakSet[FollowedJournal] = WeakSet()
        # Since when each process is stopped by a signal, and each directory's disk is full; in seconds since 1970.
        self._halted: dict[tuple[int, int | None], float] = {}
        self._full: dict[str, float] = {}
        self.missing_messages = 0
        """Numbers that are missing in journals: what their writers could not record."""
        self.damaged_lines = 0
        """Lines of journals that are none."""
        self.unwritten_words = 0
        """What the hub had to say and could not write where it belongs."""

    def hears(self, run_id: str) -> frozenset[str]:
        """Which requests (`cancel`, `pause`) the living writers of the run look at."""
        with self._lock:
            return self._hears.get(run_id, frozenset())

    def pid_of(self, run_id: str) -> int | None:
        """The process that leads the run, or its newest client's."""
        with self._lock:
            return self._pids.get(run_id)

    def directory_of(self, run_id: str) -> str | None:
        """Where the run's journals lie."""
        with self._lock:
            return self._directories.get(run_id)

    def note(self, readings: Sequence[Reading]) -> None:
        """Remember what is missing or damaged; it is told once everything there is has been read."""
        for reading in readings:
            self._meet(reading.journal)
            trouble = reading.trouble
            if trouble is None:
                continue
            self.missing_messages += trouble.missing
            self.damaged_lines += not trouble.missing
            body = {"title": "Part of a journal is missing or damaged", "text": trouble.text}
            self.warn(trouble.run_id, reading.journal.directory, trouble.about, body)

    def warn(self, run_id: str, directory: str, about: str, body: dict[str, Any]) -> None:
        """Have an alert said of a run, unless one about the same was said before; from any thread."""
        with self._lock:
            self._untold.append((run_id, Verdict(about, {"type": "alert", "level": "warning", **body}, directory)))

    def judge(self, journals: Sequence[FollowedJournal], *, breathe: Callable[[], None] = lambda: None) -> None:
        """Say what follows from who lives.

        Args:
            journals: All there are.
            breathe: Called between one run and the next: of many, what is written meanwhile must not wait for the last.
        """
        by_run: dict[str, list[FollowedJournal]] = defaultdict(list)
        for journal in journals:
            if journal.header is not None:
                by_run[journal.header.run_id].append(journal)
        self._remember(by_run)
        self._look_at_processes(journals)
        with self._lock:
            untold, self._untold = self._untold, []
        for run_id, verdict in untold:
            self._say(run_id, verdict)
        died: set[str] = set()
        for directory in {journal.directory for journal in journals if journal.alive and not journal.over}:
            self._look_at_disk(directory, by_run)
        for run_id, its in by_run.items():
            breathe()
            died |= self._judge_run(run_id, [journal for journal in its if not journal.is_hubs])
        for directory in {journal.directory for journal in journals} - self._completed | died:
            self._complete(directory)

    def _remember(self, by_run: dict[str, list[FollowedJournal]]) -> None:
        hears = {run_id: _heard_requests(its) for run_id, its in by_run.items()}
        directories = {run_id: its[0].directory for run_id, its in by_run.items()}
        pids = {run_id: pid for run_id, its in by_run.items() if (pid := _leading_pid(its)) is not None}
        with self._lock:
            self._hears, self._directories, self._pids = hears, directories, pids

    def close(self) -> None:
        """Let go of the processes that are looked at; nothing is judged any more."""
        self._exits.close()

    def _meet(self, journal: FollowedJournal) -> None:
        """Hold on to a process with the first that is read of it: it may be killed before the next look at all."""
        if journal in self._met or journal.header is None:
            return
        self._met.add(journal)
        process = _process_of(journal)
        if process is not None and _is_near(journal):
            self._exits.hold(process)

    def _look_at_processes(self, journals: Sequence[FollowedJournal]) -> None:
        living = {_process_of(j) for j in journals if j.alive and not j.over and _is_near(j) and not j.is_hubs}
        mine = {process for process in living if process is not None}
        self._exits.look(mine)
        now_s = time.time()
        halted = {process for process in mine if liveness.process_is_halted(*process)}
        self._halted = {process: self._halted.get(process, now_s) for process in halted}

    def _look_at_disk(self, directory: str, by_run: dict[str, list[FollowedJournal]]) -> None:
        """Say of each run that writes here that the disk is full, and that it has room again."""
        is_full = _free_bytes(directory) < _FULL_BELOW_BYTES
        if is_full == (directory in self._full):
            return
        since = self._full.setdefault(directory, time.time()) if is_full else self._full.pop(directory)
        for run_id, its in by_run.items():
            if not any(j.directory == directory and j.alive and not j.over and not j.is_hubs for j in its):
                continue
            if is_full:
                body = {"level": "error", "title": "The disk is full", "text": f"the disk of {directory} is full"}
            else:
                body = {"level": "info", "title": "There is room again", "text": f"the disk of {directory} has room"}
            about = f"{'disk' if is_full else 'room'}:{directory}:{since:.3f}"
            self._say(run_id, Verdict(about, {"type": "alert", **body}, directory))

    def _judge_run(self, run_id: str, journals: Sequence[FollowedJournal]) -> set[str]:
        state = self._ledger.state(run_id)
        if state is None or (ended(state) and state.status != "lost") or not journals:
            self._died_at.pop(run_id, None)
            return set()
        report = self._report(run_id) if any(journal.died and _is_near(journal) for journal in journals) else None
        found = verdicts(state, [self._witness(journal) for journal in journals], now=time.time(), report=report)
        return {
            verdict.directory
            for verdict in found
            if not self._is_early(run_id, verdict, journals) and self._say(run_id, verdict)
        }

    def _witness(self, journal: FollowedJournal) -> Witness:
        header = journal.header
        assert header is not None  # only journals with a first line are judged
        process, report = _process_of(journal), journal.report
        if report is None and journal.died and process is not None and _is_near(journal):
            seen = self._exits.how(process)
            report = None if seen is None else ExitReport(seen.code, seen.signal, seen.for_memory)
        halted = journal.halted_since if process is None or not _is_near(journal) else self._halted.get(process)
        return Witness(
            writer=header.writer,
            client_id=header.client_id,
            alive=not journal.over,
            died=journal.died,
            remote=journal.remote or not _is_near(journal),
            pid=header.pid,
            host=header.host,
            heard_at=_heard_at(journal),
            directory=journal.directory,
            started_at=seconds(header.start),
            report=report,
            halted_since=None if halted is None or time.time() - halted < _HALTED_FOR_S else halted,
        )

    def _report(self, run_id: str) -> ExitReport | None:
        return self._death_report(run_id) if self._death_report is not None else None

    def _is_early(self, run_id: str, verdict: Verdict, journals: Sequence[FollowedJournal]) -> bool:
        """Whether more may be known in a moment: an exit code, or that the whole run died with a client."""
        if verdict.needs_report and self._death_report is not None:
            since = self._died_at.setdefault(run_id, time.monotonic())
            return time.monotonic() - since < _REPORT_WITHIN_S
        if verdict.body["type"] != "alert" and not verdict.needs_report and verdict.body["type"] != "training_error":
            newest = max((j.dead_since for j in journals if j.dead_since is not None), default=0.0)
            return time.monotonic() - newest < _CLIENT_GRACE_S
        return False

    def _say(self, run_id: str, verdict: Verdict) -> bool:
        state = self._ledger.state(run_id)
        if (run_id, verdict.about) in self._said or (state is not None and verdict.about in state.told):
            return False
        self._said.add((run_id, verdict.about))
        body = msgspec.json.encode({**verdict.body, "about": verdict.about, "timestamp": now()})
        try:
            self._journals.say_once(verdict.directory, run_id, verdict.about, body)
        except OSError as error:
            self.unwritten_words += 1
            logger.warning("%s cannot be written to (%s); the hub says it elsewhere", verdict.directory, error)
            self._journals.say_once(self._fallback(), run_id, verdict.about, body)
        return True

    def _complete(self, directory: str) -> None:
        """Complete the documents of those who cannot do it any more."""
        self._completed.add(directory)
        try:
            complete_dead(directory)
        except OSError as error:
            logger.warning("documents in %s cannot be completed: %s", directory, error)


def _heard_requests(journals: Sequence[FollowedJournal]) -> frozenset[str]:
    near = [j.header for j in journals if j.alive and not j.over and _is_near(j) and j.header is not None]
    return frozenset(request for header in near for request in header.hears)


def _leading_pid(journals: Sequence[FollowedJournal]) -> int | None:
    its = [journal for journal in journals if _is_near(journal) and not journal.is_hubs]
    headers = [journal.header for journal in its if journal.header is not None]
    newest = max(headers, key=lambda header: (header.client_id is None, header.start), default=None)
    return None if newest is None else newest.pid


def _is_near(journal: FollowedJournal) -> bool:
    """Whether its writer is a process of this machine, as far as its first line tells."""
    return journal.header is not None and journal.header.shipped is not True


def _heard_at(journal: FollowedJournal) -> float:
    """When its writer was last heard.

    Who ships a journal and vouches for its writer moves the file's time of change: a server that starts again finds it.
    """
    if not _is_near(journal) and not journal.over:
        with contextlib.suppress(OSError):  # removed: what was known of it stands
            journal.heard_at = Path(journal.path).stat().st_mtime
    return journal.heard_at


def _process_of(journal: FollowedJournal) -> tuple[int, int | None] | None:
    header = journal.header
    if header is None or header.host != liveness.host_name() or header.boot != liveness.boot_id():
        return None
    return header.pid, header.pid_start


def _free_bytes(directory: str) -> float:
    try:
        disk = os.statvfs(directory)
    except (OSError, AttributeError):  # gone, or a system without it: nothing is known, nothing is said
        return float("inf")
    return float(disk.f_bavail * disk.f_frsize) if disk.f_blocks else float("inf")
