"""`fpd prune`: a directory without a server, and one that a server holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from server_process import ServerProcess

from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import ProgressLogger


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A directory with a run that has ended and one that goes on no more, but never said so."""
    folder = tmp_path / "progress"
    with ProgressLogger(folder, "pneumonia", run_id="ended") as logger:
        logger.log_epoch_start(1, 1)
        logger.log_training_complete({"total_epochs": 1})
    with ProgressLogger(folder, "pneumonia", run_id="open") as logger:
        logger.log_epoch_start(1, 2)
    return folder


def test_what_would_go_is_shown_and_goes_with_yes(log_dir, fpd):
    shown = fpd("prune", str(log_dir), "--older-than", "0s")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].startswith("ended\tcompleted\t")
    assert shown.stdout.endswith("Nothing was deleted; --yes does it.\n")
    assert (log_dir / "ended.jsonl").exists()

    gone = fpd("prune", str(log_dir), "--older-than", "0s", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert "Deleted 1 run, " in gone.stdout
    assert sorted(path.name for path in log_dir.glob("*.json*")) == ["open.json", "open.jsonl"]
    store = SqlStore(f"sqlite:///{log_dir / 'hub.sqlite3'}")
    assert {message.run_id for message in store.read(after=0, limit=100)} == {"open"}
    store.close()

    again = fpd("prune", str(log_dir), "--older-than", "0s", "--yes")
    assert again.stdout.startswith("Nothing is due to go")


def test_a_directory_that_a_server_holds_is_pruned_by_that_server(log_dir, environment, fpd, wait_until):
    with ServerProcess(log_dir, **environment) as server:
        refused = fpd("prune", str(log_dir), "--older-than", "0s")
        assert refused.returncode == 1
        (line,) = refused.stderr.splitlines()
        assert "--server" in line

        asked = ("prune", "--server", server.url, "--keep-size", "1B")
        wait_until(lambda: "ended\tcompleted" in fpd(*asked).stdout, "the server shows what would go")
        gone = fpd(*asked, "--yes")
        assert gone.returncode == 0, gone.stderr
        assert not (log_dir / "ended.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--older-than 30d"),
        (("--older-than", "soon"), "no length of time"),
        (("--keep-size", "much"), "no size"),
        (("--older-than", "1d", "nowhere"), "there is no such directory"),
        (("--older-than", "1d", "progress", "--server", "http://127.0.0.1:1"), "leave out the others"),
    ],
)
def test_what_cannot_be_understood_is_one_line(log_dir, fpd, arguments, says):
    done = fpd("prune", *arguments)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert says in line
