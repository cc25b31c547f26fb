"""Starts trainings, at most `max_runs` at once, and knows how they end, across restarts of the server.

A training belongs to its warden, not to us: we only read what the warden wrote (`jobs.py`). So a training this server
started and one that an earlier server started are the same thing here.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from federated_pneumonia_detection.hub.hub import ExitReport, Hub
from federated_pneumonia_detection.progress.cancel import CancelWatch, clear, request_cancel
from federated_pneumonia_detection.progress.messages import RunQueued, TrainingCancelled, TrainingError
from federated_pneumonia_detection.server.jobs import Exit, Job, JobDirectory, Jobs
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["ENDED", "Cancel", "Supervisor"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
LOOK_FOR_MORE_S = 0.5
"""How often the directory is looked at for jobs that another server has written down."""
SETTLED_NS = 1_000_000_000
CLAIM_WITHIN_S = 15.0
ENDED = frozenset({"completed", "failed", "cancelled"})
# After its process has ended, a training's last messages may still be on their way through the follower, and a death is
# for the hub to tell, which asks us for the exit code. Only when neither has said anything by then, we do.
TOLD_WITHIN_S = 1.5


@dataclass(frozen=True)
class Cancel:
    """Who asked a run to stop, why, and when (seconds of the monotonic clock)."""

    reason: str | None
    by: str | None
    at: float


@dataclass
class _Tracked:
    """One job that has not been concluded.

    Attributes:
        watch: looks whether somebody asked it to stop, through this server or another one of this directory.
        started: whether a warden was sent for it.
        ended_at: when we first saw that it had ended, by the monotonic clock.
        cancel: what was asked, once it was.
        signals_sent: how many of SIGINT, SIGTERM, SIGKILL.
    """

    job: Job
    directory: JobDirectory
    watch: CancelWatch
    started: bool = False
    ended_at: float | None = None
    cancel: Cancel | None = None
    signals_sent: int = 0


class Supervisor:
    """The trainings of one log directory.

    Where several servers serve the same directory, one of them keeps its jobs: it starts them, presses those that do
    not stop, and says how they ended. The others write down what they are asked for, and one of them takes over when
    the keeper is gone.

    Args:
        settings: how many at once, where, and how patiently they are cancelled.
        hub: a function that gives the hub, which itself asks `death_report` here.
    """

    def __init__(self, settings: ServerSettings, hub: Callable[[], Hub]) -> None:
        self.jobs = Jobs(settings.jobs_dir)
        self._settings = settings
        self._hub = hub
        self._tracked: dict[str, _Tracked] = {}
        self._lock = threading.Lock()
        # Held while somebody lets an ended run go on: twice is once.
        self._again = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        # When the directory of jobs last changed, as far as its jobs are known.
        self._known = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take over what an earlier server left, and begin to look."""
        if self.jobs.keep():
            self._take_over()
        self._thread = threading.Thread(target=self._look, name="supervisor", daemon=True)
        self._thread.start()

    def _take_over(self) -> None:
        """Track every job that has not been concluded and is not tracked yet."""
        changed = self.jobs.changed()
        # What is added within one tick of the file system's clock has the same time: looked at again a little later.
        self._known = changed if time.time_ns() - changed > SETTLED_NS else 0
        for job, directory in self.jobs.all():
            if job.run_id in self._tracked:
                continue
            state = self._hub().run(job.run_id)
            over = directory.exit() is not None and state is not None and state.status in ENDED
            if not over:
                with self._lock:
                    self._tracked.setdefault(job.run_id, self._track(job, directory, started=directory.claimed()))
                if state is None:
                    self._hub().expect(job.run_id, experiment_name=job.experiment_name, mode=job.kind, total=job.total)

    def _track(self, job: Job, directory: JobDirectory, *, started: bool = False) -> _Tracked:
        tracked = _Tracked(job, directory, CancelWatch(self._settings.log_dir, job.run_id), started=started)
        self._hear(tracked)
        return tracked

    def _hear(self, tracked: _Tracked) -> None:
        if tracked.cancel is None and (asked := tracked.watch.asked()) is not None:
            tracked.cancel = Cancel(asked.reason, asked.by, time.monotonic())

    def close(self) -> None:
        """Stop looking. Trainings go on; the next server takes them over."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.jobs.let_go()

    def submit(self, job: Job, config_yaml: str) -> None:
        """Take a job: from the return on its run is known everywhere, and it starts when there is room.

        Raises:
            OSError: it cannot be written down.
        """
        self._take(job, self.jobs.add(job, config_yaml))

    def submit_again(self, job: Job, config_yaml: str) -> bool:
        """Take a job that lets an ended run go on; otherwise as `submit`.

        Returns:
            Whether it was taken: not where the run goes on already.

        Raises:
            OSError: it cannot be written down.
        """
        with self._again:
            if job.run_id in self._tracked or self.jobs.directory(job.run_id).goes_on():
                return False
            # What was asked of the attempt before is not meant for this one.
            clear(self._settings.log_dir, job.run_id)
            self._take(job, self.jobs.add_again(job, config_yaml))
        return True

    def _take(self, job: Job, directory: JobDirectory) -> None:
        hub, is_again = self._hub(), job.attempt > 1
        hub.expect(job.run_id, experiment_name=job.experiment_name, mode=job.kind, total=job.total)
        hub.say(
            job.run_id,
            RunQueued(
                kind=job.kind,
                experiment_name=job.experiment_name,
                mode=job.kind,
                total_epochs=job.total if job.kind == "centralized" else UNSET,
                total_rounds=job.total if job.kind == "federated" else UNSET,
                attempt=job.attempt if is_again else UNSET,
                from_epoch=job.from_point if is_again and job.kind == "centralized" else UNSET,
                from_round=job.from_point if is_again and job.kind == "federated" else UNSET,
            ),
        )
        if self.jobs.are_kept:
            with self._lock:
                self._tracked.setdefault(job.run_id, self._track(job, directory))
        self._wake.set()

    def cancel(self, run_id: str, *, reason: str, by: str) -> bool:
        """Ask a run of ours to stop: a request first, signals later. Twice is once.

        Returns:
            Whether it is one of ours that has not ended.
        """
        with self._lock:
            tracked = self._tracked.get(run_id)
            if tracked is None:
                if self.jobs.are_kept or not self.jobs.directory(run_id).goes_on():
                    return False
                # Another server keeps it, and sees the request.
                request_cancel(self._settings.log_dir, run_id, reason=reason, by=by)
                return True
            if tracked.cancel is None:
                tracked.cancel = Cancel(reason, by, time.monotonic())
                # Also for one that waits: the request outlives this server, and the next one obeys it.
                request_cancel(self._settings.log_dir, run_id, reason=reason, by=by)
        self._wake.set()
        return True

    def death_report(self, run_id: str) -> ExitReport | None:
        """How the process of a run ended, for the hub, which has seen that its journal is dead."""
        if CancelWatch(self._settings.log_dir, run_id).asked() is not None and self.jobs.directory(run_id).job():
            return None  # whoever keeps the jobs says that it was cancelled, before the hub stops asking
        directory = self.jobs.directory(run_id)
        exit = directory.exit()
        if exit is None:
            return None
        return ExitReport(code=exit.code, signal=exit.signal, last_lines=directory.last_lines())

    def running(self) -> list[Job]:
        """The trainings that were started and have not ended."""
        with self._lock:
            return [t.job for t in self._tracked.values() if t.started and t.ended_at is None]

    def waiting(self) -> list[Job]:
        """The trainings that wait for room."""
        with self._lock:
            return [t.job for t in self._tracked.values() if not t.started and t.ended_at is None]

    def ahead_of(self, run_id: str) -> tuple[str, ...]:
        """The runs that go before one that waits for room: those that train, then those that have waited longer."""
        waiting = [job.run_id for job in self.waiting()]
        if run_id not in waiting:
            return ()
        return (*(job.run_id for job in self.running()), *waiting[: waiting.index(run_id)])

    def is_gone(self, run_id: str, *, within_s: float) -> bool:
        """Whether the process of a run has ended, waiting a little: a run's last word comes before its process ends."""
        directory = self.jobs.directory(run_id)
        deadline = time.monotonic() + within_s
        while directory.lives():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def forget(self, run_id: str) -> None:
        """Delete the job's files of a run whose process is gone."""
        with self._lock:
            self._tracked.pop(run_id, None)
        self.jobs.forget(run_id)
        clear(self._settings.log_dir, run_id)

    def _look(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                # Also after the keeper has died: whoever of the others sees it first takes over.
                if self.jobs.keep() and self.jobs.changed() != self._known:
                    self._take_over()
            except Exception as error:  # noqa: BLE001 as below: a directory that is gone for now
                log.warning("%s: %s", self.jobs.path, error)
            for tracked in list(self._tracked.values()):
                try:
                    if self._is_over(tracked):
                        with self._lock:
                            self._tracked.pop(tracked.job.run_id, None)
                except Exception as error:  # noqa: BLE001 a full disk, a database gone: the others go on, this is retried
                    log.warning("run %s: %s", tracked.job.run_id, error)
            self._start_what_fits()
            self._wake.wait(LOOK_EVERY_S if self._tracked else LOOK_FOR_MORE_S)

    def _start_what_fits(self) -> None:
        with self._lock:
            active = [t for t in self._tracked.values() if t.ended_at is None]
            room = self._settings.max_runs - sum(t.started for t in active)
            chosen = [t for t in active if not t.started and t.cancel is None][: max(0, room)]
            for tracked in chosen:
                tracked.started = True
        for tracked in chosen:
            self._send_warden(tracked)

    def _send_warden(self, tracked: _Tracked) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        warden = Path(__file__).with_name("warden.py")
        try:
            sent = subprocess.run(
                [sys.executable, "-I", "-S", str(warden), str(tracked.directory.path)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=CLAIM_WITHIN_S,
                start_new_session=True,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._never_started(tracked, str(error))
        else:
            if sent.returncode != 0:
                self._never_started(tracked, sent.stderr.decode(errors="replace")[-2000:])
                return
            log.info("training started", extra={"run_id": tracked.job.run_id, "kind": tracked.job.kind})

    def _never_started(self, tracked: _Tracked, why: str) -> None:
        log.error("run %s could not be started: %s", tracked.job.run_id, why, extra={"run_id": tracked.job.run_id})
        with suppress(OSError):
            with tracked.directory.output.open("a", encoding="utf-8") as output:
                output.write(why + "\n")
            tracked.directory.set_exit(Exit(ended=time.time(), started=False))

    def _is_over(self, tracked: _Tracked) -> bool:
        """Look at one job once; whether everything about it has been said."""
        run_id = tracked.job.run_id
        self._hear(tracked)
        exit = tracked.directory.exit()
        if exit is None and not tracked.started:
            if tracked.cancel is None:
                return False
            # It never ran, so nobody else will say that it ended.
            tracked.directory.set_exit(Exit(ended=time.time(), started=False))
            self._hub().say(run_id, TrainingCancelled(reason=tracked.cancel.reason, by=tracked.cancel.by))
            return True
        if exit is None:
            if tracked.directory.claimed() and not tracked.directory.lives():
                # The warden may have written its last file between our two looks.
                exit = tracked.directory.exit() or Exit(ended=time.time())
                tracked.directory.set_exit(exit)
            else:
                self._press(tracked)
                return False
        return self._conclude(tracked, exit)

    def _conclude(self, tracked: _Tracked, exit: Exit) -> bool:
        """After the end of its process: whether the log says how the run ended, by somebody's word or now by ours."""
        run_id = tracked.job.run_id
        if tracked.ended_at is None:
            tracked.ended_at = time.monotonic()
            how = {"exit_code": exit.code, "signal": exit.signal}
            log.info("training ended", extra={"run_id": run_id, **how})
        state = self._hub().run(run_id)
        if state is not None and state.status not in ENDED:
            waited = time.monotonic() - tracked.ended_at
            unheard = state.status == "queued" and waited > TOLD_WITHIN_S / 2
            killed = tracked.cancel is not None and tracked.signals_sent > 0 and exit.signal is not None
            if not (unheard or killed) and waited < TOLD_WITHIN_S:
                return False
            self._hub().say(run_id, self._last_word(tracked, exit))
        clear(self._settings.log_dir, run_id)
        return True

    def _last_word(self, tracked: _Tracked, exit: Exit) -> TrainingCancelled | TrainingError:
        if tracked.cancel is not None:
            return TrainingCancelled(reason=tracked.cancel.reason, by=tracked.cancel.by)
        lines = tracked.directory.last_lines()
        last = f": {lines[-1].strip()[:300]}" if lines else ""
        return TrainingError(error=f"The training process {exit.words}{last}", detail="\n".join(lines) or None)

    def _press(self, tracked: _Tracked) -> None:
        """Send the next signal to a training that was asked to stop and has not, when its time has come."""
        if tracked.cancel is None or tracked.signals_sent >= 3:
            return
        due = tracked.cancel.at + sum(self._settings.cancel_grace_s[: tracked.signals_sent + 1])
        pid = tracked.directory.training_pid()
        if time.monotonic() < due or pid is None:
            return
        number = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[tracked.signals_sent]
        tracked.signals_sent += 1
        with suppress(ProcessLookupError):
            os.killpg(pid, number)
