"""From a source to a verdict, by the commands alone."""

import json
import os
import re
import signal
import time

import pytest

from federated_pneumonia_detection.cli.journals import Journals


def _until(process, words):
    """Read lines up to the one that has `words`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(words, line):
            return lines
    raise AssertionError(f"{words!r} never came:\n{''.join(lines)}")


def test_train_predict_and_evaluate(fpd, few_phantoms, tmp_path):
    (tmp_path / "c.yaml").write_text("batch_size: 32\ntest_time_augmentation: false\n")
    trained = fpd("train", "centralized", str(few_phantoms), "--epochs", "2", "--config", "c.yaml", "--run-id", "r1")
    assert trained.returncode == 0, trained.stderr
    assert "epoch 2 of 2, validation: " in trained.stdout
    assert "complete: test loss" in trained.stdout
    assert trained.stderr == ""

    from PIL import Image

    Image.new("L", (60, 40), 90).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_text("no image")
    judged = fpd("predict", "r1", "a.png", "bad.png")
    assert judged.returncode == 1
    first, second = judged.stdout.splitlines()
    assert re.fullmatch(r"a\.png\t[01]\.\d{3}\t(normal|pneumonia)", first)
    assert "it is no image" in second
    assert "For research, not a medical device." in judged.stderr

    (told,) = fpd("predict", "latest", "a.png", "--json", "--threshold", "0").stdout.splitlines()
    assert json.loads(told)["label"] == "pneumonia"

    measured = fpd("evaluate", "r1", str(few_phantoms), "--split", "val")
    assert measured.returncode == 0, measured.stderr
    assert "val: 40 images" in measured.stdout
    assert re.search(r"auroc +[01]\.\d{3}", measured.stdout)


def test_a_federated_training_tells_each_round_of_each_hospital(fpd, few_phantoms, tmp_path):
    done = fpd("train", "federated", str(few_phantoms), "--rounds", "2", "--clients", "2", "--run-id", "f1")
    assert done.returncode == 0, done.stderr
    for client in ("client_0", "client_1"):
        for number in (1, 2):
            assert f"{client}: sent round {number}" in done.stdout
    assert done.stdout.count("global model") == 2
    assert Journals(tmp_path / "logs/progress").run("f1")["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "centralized", "--epochs", "500"], "epoch 1 of 500, validation"),
        (["train", "federated", "--rounds", "500"], "round 1, global model"),
    ],
    ids=["centralized", "federated"],
)
def test_ctrl_c_ends_a_training_as_cancelled(start, tmp_path, few_phantoms, arguments, words):
    process = start(*arguments, str(few_phantoms), "--run-id", "r")
    _until(process, words)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(timeout=30) == 130
    assert time.monotonic() - began < 10
    assert "stopped by keyboard" in rest
    assert "Traceback" not in rest
    assert Journals(tmp_path / "logs/progress").run("r")["status"] == "cancelled"


@pytest.mark.parametrize("after_s", [0.05, 0.3, 1.0, 2.5])
def test_ctrl_c_at_any_moment_of_the_start_is_clean(start, after_s):
    process = start("train", "centralized", "phantoms", "--epochs", "500")
    with pytest.raises(Exception, match="timed out"):
        process.wait(timeout=after_s)
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(timeout=30) in (130, -signal.SIGINT)
    assert "Traceback" not in rest or after_s < 0.2  # Python itself, before a line of ours has run


def test_watch_on_a_pipe_is_live_line_by_line(start, fpd, tmp_path, few_phantoms):
    training = start("train", "centralized", "phantoms", "--epochs", "500", "--run-id", "r")
    _until(training, "epoch 1 of 500, validation")
    watching = start("watch", "--log-dir", "logs/progress")
    _until(watching, "epoch 1 of 500, validation")
    _until(watching, "epoch 2 of 500, validation")
    os.killpg(training.pid, signal.SIGINT)
    _until(watching, "stopped by keyboard")
    assert watching.wait(timeout=30) == 1
    training.wait(timeout=30)
    listed = fpd("runs", "--log-dir", "logs/progress").stdout
    assert listed.split("\t")[:2] == ["r", "cancelled"]


def test_watch_on_a_terminal_of_twenty_columns_draws_what_fits(environment, tmp_path, few_phantoms, fpd):
    import fcntl
    import pty
    import struct
    import subprocess
    import sys
    import termios

    fpd("train", "centralized", str(few_phantoms), "--epochs", "1", "--run-id", "r")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    command = [sys.executable, "-m", "federated_pneumonia_detection", "watch", "r", "--log-dir", "logs/progress"]
    env = {key: value for key, value in environment.items() if key != "COLUMNS"}
    process = subprocess.Popen(command, cwd=tmp_path, env={**env, "TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed: how a pseudo-terminal says that it is over
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "Finished" in plain
    assert max(len(row) for row in re.split(r"[\r\n]+", plain)) <= 20


def test_config_init_writes_what_train_takes(fpd, tmp_path):
    assert fpd("config", "init", "c.yaml", "--kind", "federated").returncode == 0
    assert fpd("config", "check", "c.yaml", "--kind", "federated").stdout == "c.yaml: fine\n"
    assert json.loads(fpd("config", "schema").stdout)["properties"]["epochs"]["default"] == 24


def test_inspect_tells_counts_and_exits_with_1_where_training_is_impossible(fpd, few_phantoms, tmp_path):
    told = fpd("data", "inspect", str(few_phantoms))
    assert told.returncode == 0
    assert "train     160 images" in told.stdout
    from PIL import Image

    for number, name in enumerate(["NORMAL", "NORMAL", "NORMAL"]):
        folder = tmp_path / "odd" / ("train", "val", "test")[number] / name
        folder.mkdir(parents=True)
        Image.new("L", (30, 30), number).save(folder / "x.png")
    told = fpd("data", "inspect", "odd", "--json")
    assert told.returncode == 1
    assert "train has no image of class pneumonia" in json.loads(told.stdout)["problems"]


def test_doctor_finds_nothing_wrong_here(fpd):
    done = fpd("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("Nothing is wrong.")
