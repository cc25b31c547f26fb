"""Lets ended runs go by age and size: journals, documents, rows of the log, what they printed; models on request.

Everything is looked at before anything is deleted, and what cannot go now is said.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from federated_pneumonia_detection.hub.errors import HubError
from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.retention import KEEP_ALL, Policy, Weighed, due
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.progress.cancel import clear
from federated_pneumonia_detection.progress.slug import slug
from federated_pneumonia_detection.server.jobs import Jobs
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["Pruned", "PrunedRun", "Pruner", "prune"]

log = logging.getLogger(__name__)

EVERY_S = 3600.0
FIRST_AFTER_S = 60.0


class PrunedRun(msgspec.Struct, frozen=True):
    """A run that goes.

    Attributes:
        run_id: the run.
        experiment_name: what it was of.
        status: how it ended.
        ended: when.
        why: why it goes.
        files: how many files.
        size_bytes: what its journals, documents and output take.
        checkpoint_dir: where its models lie, where there are any.
        checkpoint_bytes: what they take.
        kept_because: why it could not go; `None` when it goes, or has gone.
    """

    run_id: str
    experiment_name: str
    status: str
    ended: str | None
    why: str
    files: int
    size_bytes: int
    checkpoint_dir: str | None = None
    checkpoint_bytes: int = 0
    kept_because: str | None = None


class Pruned(msgspec.Struct, frozen=True):
    """What goes, or has gone.

    Attributes:
        deleted: whether it has gone; `false` for a dry run.
        checkpoints: whether models go, too.
        size_bytes: what it takes altogether, models included where they go.
        total_bytes: what all runs took before.
        runs: the runs, the one that ended first first.
    """

    deleted: bool
    checkpoints: bool
    size_bytes: int
    total_bytes: int
    runs: list[PrunedRun]


def prune(
    hub: Hub, settings: ServerSettings, policy: Policy, *, checkpoints: bool = False, delete: bool = False
) -> Pruned:
    """Look at what is due to go, and let it go.

    Args:
        hub: What knows the runs; it follows `settings.log_dir`.
        settings: Where jobs and models lie.
        policy: What is kept.
        checkpoints: Let models go, too, and count them.
        delete: Really.
    """
    states = {state.run_id: state for state in hub.runs() if not hub.is_elsewhere(state.run_id)}
    weighed = [_weighed(hub, settings, state, checkpoints=checkpoints) for state in states.values()]
    sizes = {run.run_id: run.size_bytes for run in weighed}
    runs = [_described(hub, settings, states[run_id], why) for run_id, why in due(weighed, policy, now=time.time())]
    if delete:
        runs = [_deleted(hub, settings, run, checkpoints=checkpoints) for run in runs]
    freed = sum(sizes[run.run_id] for run in runs if run.kept_because is None)
    return Pruned(delete, checkpoints, freed, sum(sizes.values()), runs)


def _weighed(hub: Hub, settings: ServerSettings, state: RunState, *, checkpoints: bool) -> Weighed:
    paths = _paths(hub, settings, state.run_id)
    if checkpoints:
        paths.append(_models(settings, state.run_id))
    ended_at = (seconds(state.end_time) or seconds(state.updated_at) or 0.0) if ended(state) else None
    return Weighed(state.run_id, ended_at, _measure(paths)[1])


def _paths(hub: Hub, settings: ServerSettings, run_id: str) -> list[Path]:
    return [*hub.files_of(run_id), Jobs(settings.jobs_dir).directory(run_id).path]


def _models(settings: ServerSettings, run_id: str) -> Path:
    # A run may be called anything; what is not called as a folder of ours is called has no models here.
    return settings.checkpoints / slug(run_id)


def _described(hub: Hub, settings: ServerSettings, state: RunState, why: str) -> PrunedRun:
    files, size_bytes = _measure(_paths(hub, settings, state.run_id))
    models = _models(settings, state.run_id)
    return PrunedRun(
        state.run_id,
        state.name or state.experiment_name,
        state.status,
        state.end_time or state.updated_at,
        why,
        files,
        size_bytes,
        str(models) if models.is_dir() else None,
        _measure([models])[1],
        _hindrance(hub, settings, state.run_id),
    )


def _hindrance(hub: Hub, settings: ServerSettings, run_id: str) -> str | None:
    if hub.is_written(run_id) or Jobs(settings.jobs_dir).directory(run_id).lives():
        return "its process has not ended yet"
    return None


def _deleted(hub: Hub, settings: ServerSettings, run: PrunedRun, *, checkpoints: bool) -> PrunedRun:
    if run.kept_because is not None:
        return run
    try:
        hub.forget(run.run_id, aged=True)
        Jobs(settings.jobs_dir).forget(run.run_id)
        clear(settings.log_dir, run.run_id)
        if checkpoints and run.checkpoint_dir is not None:
            shutil.rmtree(run.checkpoint_dir)
    except (HubError, OSError) as error:
        return msgspec.structs.replace(run, kept_because=" ".join(str(error).split()))
    log.info("pruned", extra={"run_id": run.run_id, "why": run.why, "size_bytes": run.size_bytes})
    return run


def _measure(paths: Iterable[Path]) -> tuple[int, int]:
    """How many files there are at or below these paths, and what they take; links are not followed."""
    files = size_bytes = 0
    waiting: list[Path] = list(paths)
    while waiting:
        path = waiting.pop()
        try:
            if path.is_dir() and not path.is_symlink():
                waiting += path.iterdir()
                continue
            size_bytes += path.lstat().st_size
            files += 1
        except OSError:  # not there, or gone by now
            continue
    return files, size_bytes


class Pruner:
    """Prunes each hour on a thread of its own, by what a server was told to keep. Models stay."""

    def __init__(self, hub: Hub, settings: ServerSettings) -> None:
        self._hub, self._settings = hub, settings
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where there is anything to do."""
        if self._settings.keep != KEEP_ALL:
            self._thread = threading.Thread(target=self._run, name="pruner", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop. Twice is fine."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = FIRST_AFTER_S
        while not self._closing.wait(pause):
            pause = EVERY_S
            try:
                self.look()
            except Exception:
                # A database that is away, a disk that fails: the next look is in an hour.
                log.exception("pruning failed")

    def look(self) -> Sequence[PrunedRun]:
        """Prune once."""
        return prune(self._hub, self._settings, self._settings.keep, delete=True).runs
