"""Runs to TensorBoard and from other trackers' files, by the packages that write and read these."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.rows import rows
from federated_pneumonia_detection.neighbours import Exported, NeighbourError, export_run, import_file
from federated_pneumonia_detection.neighbours.names import named
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.framing import MARKS
from federated_pneumonia_detection.progress.reading import JournalReader


def messages_in(log_dir: Path) -> list[dict]:
    found = []
    for path in sorted(log_dir.glob("*.jsonl")):
        reader = JournalReader(path)
        while entries := reader.read():
            found += [json.loads(entry.body) for entry in entries if entry.type not in MARKS]
    return found


def content_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> list[dict]:
    """What a run of two epochs says."""
    log_dir = tmp_path / "progress"
    with ProgressLogger(log_dir, "pneumonia", run_id="run-a", run_start={"config": {"seed": 7}}) as logger:
        for epoch in (1, 2):
            logger.log_epoch_start(epoch, 2)
            for step in (1, 2, 3):
                logger.log_step(epoch, step, 3, {"train_loss": 0.5 / epoch / step})
            logger.log_epoch_end(epoch, {"train_loss": 0.25 / epoch})
            logger.log_epoch_end(epoch, {"val_loss": 0.3 / epoch, "val_auroc": 0.75}, "val")
        logger.log_training_complete({})
    return messages_in(log_dir)


@pytest.fixture
def tfevents(run: list[dict], tmp_path: Path) -> Path:
    told = rows(run, fold_all("run-a", run))
    export_run(Exported("run-a", "pneumonia", {}), told, "tensorboard", tmp_path / "tb")
    (path,) = (tmp_path / "tb" / "run-a").iterdir()
    return path


def test_tensorboard_reads_what_is_written_for_it_with_its_times(run: list[dict], tfevents: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tfevents.parent))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"step/train_loss", "train_loss", "val_loss", "val_auroc"}
    assert [(one.step, round(one.value, 4)) for one in events.Scalars("val_loss")] == [(1, 0.3), (2, 0.15)]
    assert [one.step for one in events.Scalars("step/train_loss")] == [1, 2, 3, 4, 5, 6]
    said = [one["timestamp"] for one in run if one.get("phase") == "val"]
    from datetime import datetime

    written = [one.wall_time for one in events.Scalars("val_loss")]
    assert written == pytest.approx([datetime.fromisoformat(one).timestamp() for one in said])


def test_curves_of_hospitals_stand_under_their_names(tmp_path: Path) -> None:
    log_dir = tmp_path / "progress"
    with FederatedProgressLogger("hospital_1", log_dir, "f", run_id="f") as client:
        client.log_round_start(1, 1)
        client.log_local_epoch(1, 1, {"loss": 0.4})
        client.log_round_end(1, {"loss": 0.3}, {"auroc": 0.9})
    from federated_pneumonia_detection.neighbours.points import points_of

    messages = messages_in(log_dir)
    points = points_of(rows(messages, fold_all("f", messages)))
    assert [(one.name, one.step, one.value) for one in points] == [
        ("hospital_1/local_epoch/loss", 1, 0.4),
        ("hospital_1/fit/loss", 1, 0.3),
        ("hospital_1/eval/auroc", 1, 0.9),
    ]


def test_an_event_file_comes_back_as_a_run_with_its_times(run: list[dict], tfevents: Path, tmp_path: Path) -> None:
    import_file(tfevents, tmp_path / "again", experiment_name="back")
    back = messages_in(tmp_path / "again")
    state = fold_all("back", back)
    assert (state.status, state.epoch, state.experiment_name) == ("completed", 2, "back")
    val = [one for one in back if one.get("phase") == "val"]
    assert [one["metrics"]["val_auroc"] for one in val] == [0.75, 0.75]
    said = [one["timestamp"] for one in run if one.get("phase") == "val"]
    assert [one["timestamp"][:22] for one in val] == [one[:22] for one in said]


@pytest.fixture
def lightning_csv(tmp_path: Path) -> Path:
    """What Lightning's own logger writes."""
    from pytorch_lightning.loggers import CSVLogger

    logger = CSVLogger(tmp_path / "lightning", name="densenet", version="v1")
    logger.log_hyperparams({"learning_rate": 0.001})
    for epoch in (0, 1):
        for step in (0, 1):
            at = epoch * 2 + step
            logger.log_metrics({"train_loss_step": 0.5 - at / 10, "lr-Adam": 0.001, "epoch": epoch}, at)
        logger.log_metrics({"val_acc": 0.75 + epoch / 8, "valid_loss": 0.25, "epoch": epoch}, epoch * 2 + 1)
    logger.save()
    return tmp_path / "lightning" / "densenet" / "v1" / "metrics.csv"


def test_lightnings_csv_is_a_run_with_our_names_and_what_we_do_not_know_kept(
    lightning_csv: Path, tmp_path: Path
) -> None:
    done = import_file(lightning_csv, tmp_path / "log", experiment_name="densenet")
    messages = messages_in(tmp_path / "log")
    assert done.is_new
    assert messages[0]["config"] == {"learning_rate": 0.001}
    val = [one for one in messages if one["type"] == "epoch_end" and one["phase"] == "val"]
    assert [(one["epoch"], one["metrics"]) for one in val] == [
        (1, {"val_accuracy": 0.75, "val_loss": 0.25}),
        (2, {"val_accuracy": 0.875, "val_loss": 0.25}),
    ]
    steps = [one for one in messages if one["type"] == "step"]
    assert [(one["epoch"], one["step"]) for one in steps] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert steps[0]["metrics"] == {"train_loss": 0.5, "lr-Adam": 0.001}
    assert fold_all(done.run_id, messages).status == "completed"


NVFLARE = [
    {
        "round": number,
        "aggregated_metrics": [{"name": "val_acc", "value": 0.5 + number / 4}],
        "sites": [{"name": f"site-{i}", "metrics": [{"name": "accuracy", "value": 0.5}], "weight": 8} for i in (1, 2)],
        "skipped_metrics": [],
    }
    for number in (0, 1)
]
"""As NVFLARE 2.9's `MetricsArtifactWriter` writes it."""


@pytest.fixture
def nvflare_rounds(tmp_path: Path) -> Path:
    path = tmp_path / "metrics" / "round_metrics.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(record) + "\n" for record in NVFLARE))
    return path


def test_nvflares_rounds_are_a_federated_run_with_each_site(nvflare_rounds: Path, tmp_path: Path) -> None:
    done = import_file(nvflare_rounds, tmp_path / "log")
    messages = messages_in(tmp_path / "log")
    state = fold_all(done.run_id, messages)
    assert (state.mode, state.status, state.round, state.total_rounds) == ("federated", "completed", 2, 2)
    assert [client.client_id for client in state.clients] == ["site-1", "site-2"]
    aggregated = [one["metrics"] for one in messages if one["type"] == "round_aggregated"]
    assert aggregated == [{"val_accuracy": 0.5}, {"val_accuracy": 0.75}]


def test_importing_twice_or_a_copy_changes_nothing(nvflare_rounds: Path, tmp_path: Path) -> None:
    log_dir = tmp_path / "log"
    first = import_file(nvflare_rounds, log_dir)
    before = content_of(log_dir)
    copy = tmp_path / "copy" / "round_metrics.jsonl"
    copy.parent.mkdir()
    copy.write_bytes(nvflare_rounds.read_bytes())
    for path in (nvflare_rounds, copy):
        again = import_file(path, log_dir, experiment_name="metrics")
        assert (again.run_id, again.is_new) == (first.run_id, False)
    assert content_of(log_dir) == before


def test_an_import_that_was_lost_is_made_the_same_again(nvflare_rounds: Path, tmp_path: Path) -> None:
    # The same writer and numbers: a log that had it already skips it.
    first, second = (messages_in_of(import_file, nvflare_rounds, tmp_path / name) for name in ("a", "b"))
    assert first == second


def messages_in_of(imported: Callable[..., object], path: Path, log_dir: Path) -> list[object]:
    imported(path, log_dir)
    (journal,) = log_dir.glob("*.jsonl")
    reader = JournalReader(journal)
    entries = reader.read()
    assert reader.header is not None
    return [reader.header.writer, *((entry.n, entry.body) for entry in entries)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("metrics.csv", b"", "no column `step`"),
        ("metrics.csv", b"epoch,loss\n0,1\n", "no column `step`"),
        ("metrics.csv", b"step,train_loss\n0,abc\n", "line 2, column train_loss: 'abc' is no number"),
        ("metrics.csv", b"step,train_loss\n-1,0.5\n", "line 2: '-1' is no step"),
        ("metrics.csv", b"step,train_loss\n0,0.5,7\n", "line 2 has not as many cells"),
        ("metrics.csv", b"\xff\xfe\x00", "that is no CSV"),
        ("round_metrics.jsonl", b"", "there is nothing in it"),
        ("round_metrics.jsonl", b'{"round": 0}\n', "line 1 is no round"),
        ("round_metrics.jsonl", b"{\n", "line 1 is no JSON"),
        ("events.out.tfevents.1", b"nonsense that is no record of anything", "it is damaged, or no event file"),
        ("events.out.tfevents.1", b"", "no scalar in it"),
        ("model.pt", b"x", "that is no file we know; name a tfevents file"),
    ],
)
def test_a_bad_file_is_one_clear_error_and_leaves_nothing(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NeighbourError, match=rf"{name}: .*{told}"):
        import_file(path, tmp_path / "log")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Loss/train", "train_loss"),
        ("validation/sensitivity", "val_recall"),
        ("valid_acc", "val_accuracy"),
        ("test/roc_auc", "test_auroc"),
        ("train_loss_epoch", "train_loss"),
        ("lr-Adam", "lr-Adam"),
        ("loss", "loss"),
        ("val_dice", "val_dice"),
    ],
)
def test_names_are_ours_where_they_say_the_same(theirs: str, ours: str) -> None:
    assert named(theirs).name == ours


def test_the_command_line_takes_a_run_out_and_in_again(run: list[dict], nvflare_rounds: Path, tmp_path: Path) -> None:
    def fpd(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "federated_pneumonia_detection", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ)

    out = fpd("export", "run-a", "--to", "tensorboard", "--log-dir", "progress", "--out", "tb")
    assert "look at it by: tensorboard --logdir" in out.stdout, out.stderr
    (events,) = (tmp_path / "tb" / "run-a").iterdir()
    done = fpd("import", events, nvflare_rounds, "--log-dir", "progress", "--name", "in")
    assert done.stdout.count("messages, now in-") == 2, done.stderr
    again = fpd("import", events, "--log-dir", "progress", "--name", "in")
    assert "is here already as in-" in again.stdout
    bad = fpd("import", tmp_path / "absent.csv")
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)
    assert "absent.csv: No such file" in bad.stderr
