"""Runs and measurements as data frames."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import federated_pneumonia_detection as fpd
from federated_pneumonia_detection.notebook.frames import METRIC_COLUMNS, RUN_COLUMNS


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    with fpd.ProgressLogger(tmp_path, "first", run_id="first") as logger:
        for epoch in (1, 2):
            logger.log_epoch_start(epoch, 2)
            logger.log_step(epoch, 1, 1, {"train_loss": 0.5 / epoch})
            logger.log_epoch_end(epoch, {"train_loss": 0.5 / epoch})
            logger.log_epoch_end(epoch, {"val_loss": float("nan"), "val_auroc": 0.8}, "val")
        logger.log_training_complete({"total_epochs": 2})
    with fpd.FederatedProgressLogger("hospital_1", tmp_path, "second", run_id="second") as client:
        client.log_round_start(1, 1)
        client.log_local_epoch(1, 1, {"loss": 0.4})
        client.log_round_end(1, {"loss": 0.3}, {"auroc": 0.9, "num_samples": 20})
    return tmp_path


def test_all_runs_are_a_frame_newest_first(log_dir: Path) -> None:
    runs = fpd.runs(log_dir)
    assert list(runs.columns[: len(RUN_COLUMNS)]) == list(RUN_COLUMNS)
    assert runs["run_id"].tolist() == ["second", "first"]
    first = runs.set_index("run_id").loc["first"]
    assert (first["status"], first["epoch"], first["val_auroc"]) == ("completed", 2, 0.8)
    assert first["start_time"].tzinfo is not None
    assert first["end_time"] >= first["start_time"]


def test_a_runs_measurements_are_a_frame_with_a_row_for_each(log_dir: Path) -> None:
    metrics = fpd.run("first", log_dir).metrics()
    assert list(metrics.columns) == [*METRIC_COLUMNS, "train_loss", "val_auroc"]
    assert metrics["type"].tolist() == ["step", "epoch_end", "epoch_end"] * 2
    steps = metrics[metrics["type"] == "step"]
    assert steps["row"].tolist() == [1, 2]
    assert steps["train_loss"].tolist() == [0.5, 0.25]
    # What was not a number is missing, not zero.
    assert metrics["val_auroc"].isna().sum() == 4


def test_rows_of_a_hospital_name_it_and_its_round(log_dir: Path) -> None:
    metrics = fpd.run("second", log_dir).metrics()
    assert set(metrics["client_id"]) == {"hospital_1"}
    by_phase = metrics.set_index(["type", "phase"])
    assert by_phase.loc[("local_epoch", "train"), "loss"] == 0.4
    assert by_phase.loc[("round_end", "fit"), "loss"] == 0.3
    assert by_phase.loc[("round_end", "eval"), "num_samples"] == 20
    assert metrics["round"].tolist() == [1, 1, 1]


def test_polars_has_the_same_columns_and_values(log_dir: Path) -> None:
    run = fpd.run("first", log_dir)
    there, here = run.metrics(frame="polars"), run.metrics(frame="pandas")
    assert isinstance(there, pl.DataFrame)
    assert isinstance(here, pd.DataFrame)
    assert there.columns == list(here.columns)
    assert there["train_loss"].to_list() == [None if pd.isna(one) else one for one in here["train_loss"]]
    assert there.schema["time"] == pl.Datetime("us", "UTC")


def test_what_a_later_attempt_supersedes_is_there_on_demand(tmp_path: Path) -> None:
    for attempt in (1, 2):
        with fpd.ProgressLogger(tmp_path, "again", run_id="again") as logger:
            logger.log_epoch_start(1, 1)
            logger.log_epoch_end(1, {"val_loss": float(attempt)}, "val")
            logger.log_training_complete({})
    run = fpd.run("again", tmp_path)
    assert run.metrics()["val_loss"].tolist() == [2.0]
    every = run.metrics(every_attempt=True)
    assert every[["attempt", "current"]].values.tolist() == [[1, False], [2, True]]


def test_an_empty_directory_gives_an_empty_frame_with_its_columns(tmp_path: Path) -> None:
    assert list(fpd.runs(tmp_path).columns) == list(RUN_COLUMNS)
    assert list(fpd.runs(tmp_path, frame="polars").columns) == list(RUN_COLUMNS)


def test_without_pandas_polars_is_taken_and_without_both_it_is_said(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    lacking = {"pandas"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in lacking else there(name, *a))
    assert isinstance(fpd.runs(log_dir), pl.DataFrame)
    with pytest.raises(RuntimeError, match="there is no pandas here; `pip install pandas` brings it"):
        fpd.runs(log_dir, frame="pandas")
    lacking.add("polars")
    with pytest.raises(RuntimeError, match="neither pandas nor polars"):
        fpd.runs(log_dir)


def test_what_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no such directory; name the one that runs are written to"):
        fpd.runs(tmp_path / "absent")
    with pytest.raises(LookupError, match="no runs yet"):
        fpd.run("latest", tmp_path)
    with pytest.raises(ConnectionError, match=r"no server answers at http://127\.0\.0\.1:9"):
        fpd.runs("http://127.0.0.1:9")
    with pytest.raises(ValueError, match="pandas or polars"):
        fpd.runs(tmp_path, frame="arrow")  # type: ignore[arg-type]
