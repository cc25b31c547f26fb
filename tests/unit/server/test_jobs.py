import os
from pathlib import Path

import pytest

from federated_pneumonia_detection.server.jobs import Exit, Job, Jobs


def _job(run_id: str = "a-run", created: float = 1.0) -> Job:
    return Job(run_id, "centralized", "a", 3, created, ("true",))


def test_a_job_comes_back_as_it_was_written(tmp_path: Path) -> None:
    directory = Jobs(tmp_path).add(_job(), "epochs: 3\n")

    assert directory.job() == _job()
    assert (directory.path / "config.yaml").read_text() == "epochs: 3\n"
    assert not directory.claimed()
    assert directory.exit() is None


def test_jobs_are_listed_oldest_first_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(_job("young", 2.0), "")
    jobs.add(_job("old", 1.0), "")
    (tmp_path / ".new-half-written").mkdir()
    (tmp_path / "something-else").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "job.json").write_text("{")

    assert [job.run_id for job, _ in jobs.all()] == ["old", "young"]


@pytest.mark.parametrize("run_id", ["../../x", "/etc/passwd", "..", ".", "a/b", "a\0b", "CON"])
def test_a_run_id_is_never_a_path(tmp_path: Path, run_id: str) -> None:
    assert Jobs(tmp_path / "jobs").directory(run_id).path.parent == tmp_path / "jobs"


def test_a_job_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    jobs.add(_job(), "")
    with pytest.raises(OSError):
        jobs.add(_job(), "")

    assert [path.name for path in tmp_path.iterdir()] == ["a-run"]


def test_the_last_lines_are_printable_and_few(tmp_path: Path) -> None:
    directory = Jobs(tmp_path).add(_job(), "")
    directory.output.write_bytes(
        b"x" * 100_000 + b"\n" + b"\n".join(b"line %d" % n for n in range(100)) + b"\n\x1b[31mred\xff\n"
    )

    lines = directory.last_lines()

    assert len(lines) == 30
    assert lines[-2] == "line 99"
    assert "\x1b" not in lines[-1]
    assert "red" in lines[-1]


def test_without_output_there_are_no_last_lines(tmp_path: Path) -> None:
    assert Jobs(tmp_path).add(_job(), "").last_lines() == ()


def test_a_pid_that_another_process_got_is_not_the_training(tmp_path: Path) -> None:
    directory = Jobs(tmp_path).add(_job(), "")
    (directory.path / "training.json").write_text(f'{{"pid": {os.getpid()}, "start": 1}}')

    assert directory.training_pid() is None
    assert not directory.lives()


@pytest.mark.parametrize(
    ("exit", "words"),
    [
        (Exit(code=3), "ended with exit code 3"),
        (Exit(signal=9), "was ended by signal 9"),
        (Exit(), "is gone, and nobody saw how it ended"),
        (Exit(started=False), "was never started"),
    ],
)
def test_an_end_is_told_in_words(exit: Exit, words: str) -> None:
    assert exit.words == words
