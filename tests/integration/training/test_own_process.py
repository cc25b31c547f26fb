"""`train` inside somebody's event loop: the training becomes a process of its own."""

import asyncio
import json
import sys

import pytest

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.training import CentralizedTrainer
from federated_pneumonia_detection.training.launch import start_training_process


class Manager:
    """What a trainer needs of a ConnectionManager, and nothing else."""

    def __init__(self):
        self.followed = []

    def follow(self, directory):
        self.followed.append(directory)
        return directory


@pytest.fixture
def trainer(tmp_path, config):
    return CentralizedTrainer(
        config=config,
        checkpoint_dir=tmp_path / "checkpoints",
        logs_dir=tmp_path / "logs",
        websocket_manager=Manager(),
    )


@pytest.fixture
def progress(tmp_path):
    return tmp_path / "logs" / "progress"


def test_on_a_running_loop_it_returns_at_once_and_the_training_goes_on(trainer, source, progress, told, wait_until):
    async def endpoint():
        return trainer.train(source, "squares", epochs=1)

    results = asyncio.run(endpoint())
    assert results["status"] == "started"
    assert json.loads(json.dumps(results)) == results
    assert trainer.websocket_manager.followed == [str(progress)]
    ended = {"training_complete", "training_error"}
    wait_until(lambda: ended & {m["type"] for m in told(progress)}, "the training had ended", timeout_s=90)
    assert told(progress)[-1]["type"] == "training_complete"
    assert told(progress)[-1]["final_metrics"]["total_epochs"] == 1
    assert (progress / f"{results['run_id']}.jsonl").exists()


def test_on_a_running_loop_what_is_wrong_is_told_at_once(trainer, source, tmp_path, progress):
    async def endpoint(path, epochs):
        return trainer.train(path, "squares", epochs=epochs)

    with pytest.raises(DataError):
        asyncio.run(endpoint(tmp_path / "nowhere.npz", 1))
    with pytest.raises(ConfigError):
        asyncio.run(endpoint(source, -1))
    assert not progress.exists()


def test_without_a_loop_it_blocks_until_the_end_and_shows_itself_all_the_same(trainer, source, progress):
    assert trainer.train(source, "squares", epochs=1)["status"] == "completed"
    assert trainer.websocket_manager.followed == [str(progress)]


def test_on_a_loop_without_anybody_to_show_it_to_it_blocks(tmp_path, config, source):
    async def script():
        trainer = CentralizedTrainer(config=config, checkpoint_dir=tmp_path / "c", logs_dir=tmp_path / "l")
        return trainer.train(source, "squares", epochs=1)

    assert asyncio.run(script())["status"] == "completed"


def test_a_process_that_dies_before_it_can_speak_is_spoken_for(tmp_path, config, told, wait_until, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first >&2\necho out of memory, or so >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    process = start_training_process(
        "centralized",
        config,
        source=None,
        experiment_name="x",
        run_id="mute",
        log_dir=tmp_path / "progress",
        checkpoint_dir=tmp_path,
    )
    wait_until(lambda: "training_error" in {m["type"] for m in told(tmp_path / "progress")}, "somebody had spoken")
    error = told(tmp_path / "progress")[-1]
    assert error["error"] == "the training process ended with exit code 3: out of memory, or so"
    assert "first" in error["detail"]
    assert process.returncode == 3


def test_its_output_is_where_the_server_looks_for_it(tmp_path, config, wait_until, monkeypatch):
    echo = tmp_path / "python"
    echo.write_text('#!/bin/sh\necho "$FPD_RUN_ID" "$@"\n')
    echo.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(echo))
    start_training_process(
        "federated",
        config,
        source="phantoms",
        experiment_name="my experiment",
        run_id="r",
        log_dir=tmp_path / "progress",
        checkpoint_dir=tmp_path / "c",
    ).wait()
    job = tmp_path / "progress" / ".jobs" / "r"
    assert (job / "output.log").read_text().split(" --")[0] == (
        "r -m federated_pneumonia_detection train federated phantoms"
    )
    assert "epochs: 2" in (job / "config.yaml").read_text()
