"""The commands that ask a server."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from server_process import ServerProcess

from federated_pneumonia_detection.progress import ProgressLogger


@pytest.fixture
def server(tmp_path, environment):
    log_dir = tmp_path / "served"
    with ServerProcess(log_dir, **environment) as process:
        with ProgressLogger(str(log_dir), "pneumonia", run_id="r") as logger:
            for epoch in (1, 2):
                logger.log_epoch_start(epoch, 2)
                logger.log_epoch_end(epoch, {"val_auroc": 0.9 + epoch / 100}, "val")
            logger.log_training_complete({"total_epochs": 2})
        yield process


def test_runs_watch_and_export_tell_the_same_run(server, fpd, wait_until):
    url = ("--url", server.url)
    wait_until(lambda: "completed" in fpd("runs", *url).stdout, "the server knows the run")
    watched = fpd("watch", "latest", *url)
    assert watched.returncode == 0, watched.stderr
    assert "epoch 2 of 2, validation: AUROC 0.920" in watched.stdout
    table = fpd("export", "r", *url)
    assert table.returncode == 0, table.stderr
    rows = list(csv.reader(io.StringIO(table.stdout)))
    assert len(rows) >= 3
    assert any("0.92" in cell for row in rows for cell in row)


def test_an_unknown_run_is_one_line(server, fpd):
    for command in ("watch", "logs", "export"):
        done = fpd(command, "nobody", "--url", server.url)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "nobody" in line


def test_watching_goes_on_over_a_restart_of_the_server(server, start, tmp_path):
    log_dir = server.log_dir
    with ProgressLogger(str(log_dir), "pneumonia", run_id="live") as logger:
        logger.log_epoch_start(1, 3)
        logger.log_epoch_end(1, {"val_auroc": 0.5}, "val")
        import time

        deadline = time.monotonic() + 30
        watching = None
        while watching is None and time.monotonic() < deadline:
            candidate = start("watch", "live", "--url", server.url)
            line = candidate.stdout.readline()
            watching = candidate if "started" in line else None
        assert watching is not None
        assert "epoch 1 of 3" in watching.stdout.readline()
        server.kill()
        logger.log_epoch_start(2, 3)
        logger.log_epoch_end(2, {"val_auroc": 0.6}, "val")
        server.start()
        told = watching.stdout.readline()
        while "epoch 2 of 3" not in told:
            assert "away" in told
            told = watching.stdout.readline()
        logger.log_training_complete({"total_epochs": 2})
    assert "complete" in watching.stdout.read()
    assert watching.wait(timeout=30) == 0


def test_the_doctor_reads_the_numbers_and_the_log_of_a_server(server, fpd):
    look = ("doctor", "--url", server.url, "--log-dir", str(server.log_dir))
    sound = fpd(*look)
    assert sound.returncode == 0, sound.stdout
    assert f"a server answers at {server.url}: " in sound.stdout
    (kept,) = (server.log_dir / ".server").glob("*.log.jsonl")
    assert '"event":"serving"' in kept.read_text()

    now = datetime.now(UTC).isoformat()
    with kept.open("a") as file:
        file.write(json.dumps({"time": now, "level": "error", "event": "GET /api/runs failed"}) + "\n")
    ill = fpd(*look)
    assert ill.returncode == 1
    assert "GET /api/runs failed" in ill.stdout
    assert ill.stdout.splitlines()[-1] == "1 thing is wrong."
