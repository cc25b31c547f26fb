import os
import subprocess
import sys
import time

import pytest

from federated_pneumonia_detection.cli.journals import Journals, NoSuchRun


def test_the_state_and_the_messages_of_a_run_come_from_its_journal(centralized_run):
    journals = Journals(centralized_run())
    assert journals.run("latest")["run_id"] == "run-a"
    assert journals.run("run-a")["status"] == "completed"
    messages = []
    for message in journals.messages("run-a"):
        if message is None:
            break
        messages.append(message)
    kinds = [message["type"] for message in messages]
    epoch = ["epoch_start", "step", "epoch_end", "epoch_end"]
    assert kinds == ["run_start", *epoch, *epoch, "training_complete"]
    assert {message["run_id"] for message in messages} == {"run-a"}


def test_all_journals_of_a_federated_run_are_one_run(federated_run):
    journals = Journals(federated_run())
    (run,) = journals.runs()
    assert (run["status"], run["round"], len(run["clients"])) == ("completed", 1, 2)


def test_messages_that_come_later_are_read_once(centralized_run, tmp_path):
    from federated_pneumonia_detection.progress import ProgressLogger

    journals = Journals(tmp_path)
    with ProgressLogger(str(tmp_path), "x", run_id="late") as logger:
        feed = journals.messages("late")
        assert next(feed)["type"] == "run_start"
        logger.log_epoch_start(1, 3)
        logger.log_epoch_end(1, {"val_loss": 1.0}, "val")
        assert next(feed)["type"] == "epoch_start"
        assert next(feed)["type"] == "epoch_end"
        assert next(feed) is None


def test_an_unknown_run_is_told_with_those_there_are(centralized_run, tmp_path):
    with pytest.raises(NoSuchRun, match="no runs yet; `fpd train centralized` makes one"):
        Journals(tmp_path).run("latest")
    with pytest.raises(NoSuchRun, match=r"no run 'x'; there are run-a"):
        Journals(centralized_run()).run("x")


def test_a_directory_that_is_not_there_holds_no_runs(tmp_path):
    assert Journals(tmp_path / "absent").runs() == []


def test_files_of_other_programs_are_passed_over(centralized_run):
    directory = centralized_run()
    (directory / "other.jsonl").write_text("hello\n")
    (directory / "empty.jsonl").write_text("")
    (directory / "dir.jsonl").mkdir()
    assert [run["run_id"] for run in Journals(directory).runs()] == ["run-a"]


KILLED = """
import os, sys
from federated_pneumonia_detection.progress import ProgressLogger
logger = ProgressLogger(sys.argv[1], "x", run_id="killed")
logger.log_epoch_start(1, 3)
os._exit(9)
"""


UNENDED = """
import sys
from federated_pneumonia_detection.progress import ProgressLogger
logger = ProgressLogger(sys.argv[1], "x", run_id="unended")
logger.log_epoch_start(1, 3)
"""


def test_a_run_that_nobody_ended_is_lost_after_ten_minutes(tmp_path):
    subprocess.run([sys.executable, "-c", UNENDED, str(tmp_path)], check=True, timeout=60)
    assert Journals(tmp_path).run("latest")["status"] != "lost"
    for path in tmp_path.glob("*.jsonl"):
        os.utime(path, (time.time() - 700, time.time() - 700))
    journals = Journals(tmp_path)
    journals.runs()
    assert journals.run("latest")["status"] == "lost"


def test_a_run_whose_process_is_gone_has_failed_and_nothing_is_written_for_it(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    before = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    journals = Journals(tmp_path)
    journals.runs()
    run = journals.run("killed")
    assert run["status"] == "failed"
    assert "was killed" in run["error"]
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == before


def test_what_is_read_while_a_state_is_asked_for_is_still_handed_over(tmp_path):
    from federated_pneumonia_detection.progress import ProgressLogger

    journals = Journals(tmp_path)
    with ProgressLogger(str(tmp_path), "x", run_id="late") as logger:
        feed = journals.messages("late")
        assert next(feed)["type"] == "run_start"
        logger.log_epoch_start(1, 3)
        assert journals.run("late")["epoch"] == 1
        assert next(feed)["type"] == "epoch_start"
