"""A hospital's app: paths are its operator's word alone, and what an earlier attempt left is ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from federated_pneumonia_detection.federated.names import ask_who, who_answered
from federated_pneumonia_detection.federated.superlink.hospital import app
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.cancel import CancelWatch, cancel_path, request_cancel


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run_id", "task_id", "node_id"):
        monkeypatch.setattr(TaskIdentity, f"_{name}", 1)


def context(**node_config: object) -> Context:
    return Context(1, 7, node_config, RecordDict(), {})  # type: ignore[arg-type]


def test_it_says_the_name_its_operator_gave_it(tmp_path: Path) -> None:
    mine = context(**{"client-id": "hospital_a", "data": "phantoms", "log-dir": str(tmp_path)})
    assert who_answered(app(ask_who(7, "run"), mine)) == "hospital_a"


def test_without_images_named_by_its_operator_it_trains_on_nothing(tmp_path: Path) -> None:
    reply = app(ask_who(7, "run"), context(**{"log-dir": str(tmp_path)}))
    assert "no images are named in this hospital's node configuration" in reply.error.reason


def test_a_path_in_a_message_is_never_looked_at(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    for made in (own, foreign):
        made.mkdir()
    request_cancel(foreign, "run")
    message = ask_who(7, "run")
    config = {"log-dir": str(foreign), "data": str(foreign / "secrets.npz"), "client-id": "somebody"}
    for record in (ConfigRecord(config), ConfigRecord({"config": str(config)})):
        message.content["config"] = record
        message.content["begin"] = ConfigRecord({**config, "run-id": "run"})
        reply = app(message, context(**{"client-id": "hospital_a", "data": "phantoms", "log-dir": str(own)}))
        assert who_answered(reply) == "hospital_a"
    assert cancel_path(foreign, "run").exists(), "what lies elsewhere stays as it is"


_OBEDIENT = """
import sys, time
from federated_pneumonia_detection.progress import FederatedProgressLogger
from federated_pneumonia_detection.progress.cancel import CancelWatch
with FederatedProgressLogger("hospital_a", log_dir=sys.argv[1], run_id="run") as logger:
    logger.log_round_start(1, 2)
    watch = CancelWatch(sys.argv[1], "run")
    print("trains", flush=True)
    while watch.asked() is None:
        time.sleep(0.01)
"""


def test_what_an_earlier_attempt_still_trains_ends_before_the_next_begins(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _OBEDIENT, str(tmp_path)], stdout=subprocess.PIPE) as earlier:
        assert earlier.stdout is not None
        assert earlier.stdout.readline() == b"trains\n"
        mine = context(**{"client-id": "hospital_a", "data": "phantoms", "log-dir": str(tmp_path)})
        began = time.monotonic()
        app(ask_who(7, "run"), mine)
        assert time.monotonic() - began < 10
        assert earlier.wait(timeout=5) == 0
    assert CancelWatch(tmp_path, "run").asked() is None, "the next attempt is asked nothing"


def test_another_runs_training_is_left_alone(tmp_path: Path) -> None:
    with FederatedProgressLogger("hospital_a", log_dir=str(tmp_path), run_id="run-2") as logger:
        logger.log_round_start(1, 2)
        app(ask_who(7, "run"), context(**{"client-id": "hospital_a", "data": "phantoms", "log-dir": str(tmp_path)}))
        assert CancelWatch(tmp_path, "run-2").asked() is None


def test_messages_are_made_for_this_node() -> None:
    message: Message = ask_who(7, "run")
    assert message.metadata.dst_node_id == 7
    assert os.environ.get("FLWR_TELEMETRY_ENABLED") == "0"
