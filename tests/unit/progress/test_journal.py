from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.progress import journal as journal_module
from federated_pneumonia_detection.progress.framing import JournalHeader, Line
from federated_pneumonia_detection.progress.journal import Journal, journal_stem
from federated_pneumonia_detection.progress.reading import JournalReader, read_header

MakeHeader = Callable[..., JournalHeader]


def lines(path: Path) -> list[object]:
    return JournalReader(path).read()


def test_whoever_sees_the_name_sees_the_first_line(tmp_path: Path, make_header: MakeHeader) -> None:
    journal = Journal.create(tmp_path / "made" / "here", make_header(client_id="client 0"))
    assert journal.path.name.startswith("run.client-0-")
    assert journal.path.suffix == ".jsonl"
    assert read_header(journal.path) == journal.header
    assert [path.name for path in journal.path.parent.iterdir()] == [journal.path.name], "no temporary file is left"
    journal.close()


def test_a_further_writer_takes_the_next_name(tmp_path: Path, make_header: MakeHeader) -> None:
    journals = [Journal.create(tmp_path, make_header()) for _ in range(3)]
    assert [journal.path.name for journal in journals] == ["run.jsonl", "run~2.jsonl", "run~3.jsonl"]
    for journal in journals:
        journal.close()


def test_is_made_without_hard_links_too(
    tmp_path: Path, make_header: MakeHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(journal_module.os, "link", no_links)
    journals = [Journal.create(tmp_path, make_header()) for _ in range(2)]
    assert [journal.path.name for journal in journals] == ["run.jsonl", "run~2.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.jsonl", "run~2.jsonl"]
    journals[1].append(b'{"type":"x"}', 1)
    (line,) = lines(journals[1].path)
    assert isinstance(line, Line)
    assert (line.body, line.n, line.type, line.byte) == (
        b'{"type":"x"}',
        1,
        "x",
        journals[1].path.read_bytes().index(b"\n") + 1,
    )
    for journal in journals:
        journal.close()


def test_half_a_line_on_a_full_disk_is_cut_off(
    tmp_path: Path, make_header: MakeHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path, make_header())
    journal.append(b'{"type":"one"}', 1)
    write = os.write
    monkeypatch.setattr(journal_module.os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space left"):
        journal.append(b'{"type":"two"}', 2)
    monkeypatch.undo()
    journal.append(b'{"type":"two"}', 2)

    assert [entry.n for entry in lines(journal.path) if isinstance(entry, Line)] == [1, 2]
    journal.close()


def test_half_a_line_that_cannot_be_cut_off_costs_nothing_but_itself(
    tmp_path: Path, make_header: MakeHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.create(tmp_path, make_header())
    write = os.write

    def no_cut(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
        patch.setattr(journal_module.os, "ftruncate", no_cut)
        with pytest.raises(OSError):
            journal.append(b'{"type":"one"}', 1)
    journal.append(b'{"type":"two"}', 2)

    assert [entry.n for entry in lines(journal.path) if isinstance(entry, Line)] == [2]
    journal.close()


def test_what_was_removed_is_put_back_with_everything_in_it(tmp_path: Path, make_header: MakeHeader) -> None:
    journal = Journal.create(tmp_path / "logs", make_header())
    journal.append(b'{"type":"one"}', 1)
    journal.path.unlink()
    journal.path.parent.rmdir()
    journal.append(b'{"type":"two"}', 2)
    assert not journal.is_in_place()
    journal.put_back()
    assert journal.is_in_place()
    journal.append(b'{"type":"three"}', 3)

    assert [entry.n for entry in lines(journal.path) if isinstance(entry, Line)] == [1, 2, 3]
    journal.close()


def test_is_not_put_back_over_another_writers_journal(tmp_path: Path, make_header: MakeHeader) -> None:
    journal = Journal.create(tmp_path, make_header())
    journal.append(b'{"type":"mine"}', 1)
    journal.path.unlink()
    other = Journal.create(tmp_path, make_header())
    assert other.path == tmp_path / "run.jsonl"
    journal.put_back()
    assert read_header(other.path) == other.header
    assert journal.path.name == "run~2.jsonl"
    assert [entry.type for entry in lines(journal.path) if isinstance(entry, Line)] == ["mine"]
    journal.close()
    other.close()


def test_names_of_runs_and_clients_never_mix() -> None:
    assert journal_stem("run", None) == "run"
    assert journal_stem("run", "client_0") == "run.client_0"
    assert journal_stem("run.client_0", None) != "run.client_0"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells by which name a file was opened")
def test_is_open_under_its_own_name_which_inotify_tells(tmp_path: Path, make_header: MakeHeader) -> None:
    # A file that was opened under its temporary name and then linked was followed by the once-a-second look alone:
    # inotify told each change of it as one of the temporary name.
    journal = Journal.create(tmp_path, make_header())
    opened = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself is gone by now
            opened.append(entry.readlink())
    assert journal.path in opened
    journal.close()
