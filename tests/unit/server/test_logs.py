from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from federated_pneumonia_detection.server import logs

log = logging.getLogger("federated_pneumonia_detection.server.test")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_event_is_one_line_of_json_with_its_fields(tmp_path: Path) -> None:
    with logs.keeping(tmp_path, 8123) as kept:
        log.info("training started", extra={"run_id": "run\n\x1b[31m2", "path": tmp_path})
    assert kept.path == tmp_path / ".server" / "8123.log.jsonl"
    (line,) = lines(kept.path)
    assert (line["level"], line["event"], line["run_id"]) == ("info", "training started", "run\n\x1b[31m2")
    assert line["path"] == str(tmp_path)
    assert str(line["time"]).endswith("+00:00")


def test_the_terminal_gets_warnings_in_one_line_and_the_file_the_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logs.keeping(tmp_path, 1) as kept:
        log.info("quiet")
        try:
            raise ValueError("no\nsuch\x1b[2J")
        except ValueError as error:
            log.exception("it failed: %s", error)
    (shown,) = capsys.readouterr().err.splitlines()
    assert shown == f"error: it failed: no such\\x1b[2J (the traceback is in {kept.path})"
    assert "Traceback" in str(lines(kept.path)[1]["exception"])


def test_what_cannot_be_written_is_counted_and_raises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".server").write_text("a file where a folder should be")
    with logs.keeping(tmp_path, 1) as kept:
        log.info("nobody hears this")
        log.warning("but somebody sees this")
    assert kept.unwritten >= 2
    assert capsys.readouterr().err == "warning: but somebody sees this\n"


def test_afterwards_the_loggers_are_as_before(tmp_path: Path) -> None:
    ours = logging.getLogger("federated_pneumonia_detection")
    before = (ours.level, list(ours.handlers))
    with logs.keeping(tmp_path, 1):
        assert ours.handlers != before[1]
    assert (ours.level, ours.handlers) == before


def test_the_file_turns_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 1000)
    with logs.keeping(tmp_path, 1) as kept:
        for number in range(100):
            log.info("event %s", number)
    found = sorted(each.name for each in kept.path.parent.iterdir())
    assert found == ["1.log.jsonl", "1.log.jsonl.1", "1.log.jsonl.2"]
    assert all(each.stat().st_size <= 1000 for each in kept.path.parent.iterdir())
    assert lines(kept.path)[-1]["event"] == "event 99"
