"""The real server over the real hub in this process, with a small script in the place of trainings."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from federated_pneumonia_detection.server.jobs import Jobs
from federated_pneumonia_detection.server.settings import ServerSettings

FAKE_TRAINING = (
    sys.executable,
    str(Path(__file__).parent.parent / "integration" / "server" / "fake_training.py"),
)


def settings_in(directory: Path) -> ServerSettings:
    """A server's settings, everything below `directory`."""
    (directory / "data").mkdir(exist_ok=True)
    return ServerSettings(
        port=0,
        log_dir=directory / "progress",
        data_roots=(directory / "data",),
        page_dir=directory / "page",
        training_command=FAKE_TRAINING,
        cancel_grace_s=(0.3, 0.3, 0.3),
    )


def end_trainings(settings: ServerSettings) -> None:
    """End every training that a test left behind."""
    for _, directory in Jobs(settings.jobs_dir).all():
        pid = directory.training_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
