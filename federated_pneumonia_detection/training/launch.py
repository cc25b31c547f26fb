"""Starts a training as a process of its own, for a caller whose event loop must go on sending."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from federated_pneumonia_detection.config import dump_config
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.slug import slug
from federated_pneumonia_detection.training.errors import TrainingError

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import Kind, TrainingConfig

__all__ = ["on_event_loop", "start_training_process"]

_LAST_LINES = 30


def on_event_loop() -> bool:
    """Whether the calling thread runs an event loop, which a training would stop for minutes."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def start_training_process(
    kind: Kind,
    config: TrainingConfig,
    *,
    source: str | Path | None,
    experiment_name: str,
    run_id: str,
    log_dir: str | Path,
    checkpoint_dir: str | Path,
) -> subprocess.Popen[bytes]:
    """Starts ``fpd train`` in a session of its own and returns at once.

    Its output goes to ``<log_dir>/.jobs/<run>/output.log``. Should it end before it has begun to log, a
    ``training_error`` is logged for it, so that whoever watches ``log_dir`` learns why nothing comes.

    Args:
        kind: ``centralized`` or ``federated``.
        config: Everything the training is told.
        source: As for ``fpd train``; None for the default order.
        experiment_name: What people call the run.
        run_id: What programs call it.
        log_dir: Where its journal goes.
        checkpoint_dir: Where its checkpoints go.

    Raises:
        TrainingError: If it cannot be started.
    """
    logs = Path(log_dir).absolute()
    job = logs / ".jobs" / slug(run_id)
    command = [sys.executable, "-m", "federated_pneumonia_detection", "train", kind]
    if source is not None:
        command.append(str(source) if str(source) == "phantoms" else str(Path(source).absolute()))
    try:
        job.mkdir(parents=True, exist_ok=True)
        (job / "config.yaml").write_text(dump_config(config), encoding="utf-8")
        command += ["--config", str(job / "config.yaml"), "--experiment-name", experiment_name, "--run-id", run_id]
        command += ["--log-dir", str(logs), "--checkpoint-dir", str(Path(checkpoint_dir).absolute())]
        with (job / "output.log").open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "FPD_RUN_ID": run_id},
                start_new_session=True,
            )
    except OSError as error:
        raise TrainingError(f"the training cannot be started: {error}") from error
    waiter = threading.Thread(
        target=_wait, args=(process, logs, run_id, experiment_name, kind), name=f"wait-{run_id}", daemon=True
    )
    waiter.start()
    return process


def _wait(process: subprocess.Popen[bytes], logs: Path, run_id: str, experiment_name: str, kind: str) -> None:
    """Reaps the process (a zombie would look alive to a watcher), and speaks for one that died before it could."""
    code = process.wait()
    if code == 0 or (logs / f"{slug(run_id)}.jsonl").exists():
        return
    output = logs / ".jobs" / slug(run_id) / "output.log"
    try:
        lines = output.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
    except OSError:
        lines = []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    with ProgressLogger(logs, experiment_name, kind, run_id=run_id) as logger:
        logger.log_training_error(f"the training process ended with exit code {code}: {said}", "\n".join(lines))
