from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import Damage, Line, encode_line
from federated_pneumonia_detection.progress.reading import Entry, Gap, JournalReader, read_header

MakeJournal = Callable[..., Path]
same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def message(number: int) -> dict[str, object]:
    return {"type": "said", "number": number}


def all_of(reader: JournalReader, max_bytes: int = 1 << 20) -> list[Entry]:
    entries = []
    while more := reader.read(max_bytes):
        entries += more
    return entries


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.n for entry in entries if isinstance(entry, Line)]


def test_reads_what_was_written_and_then_only_what_is_new(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), message(2))
    reader = JournalReader(path)

    assert numbers(reader.read()) == [1, 2]
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(encode_line(b'{"type":"said","number":3}', 3))
    assert numbers(reader.read()) == [3]
    assert reader.header is not None
    assert reader.header.run_id == "run"


@same_directory
@given(cuts=st.lists(st.integers(0, 2000), max_size=12), resumes=st.booleans())
def test_any_split_of_the_bytes_gives_the_same_entries(
    make_journal: MakeJournal, tmp_path: Path, cuts: list[int], resumes: bool
) -> None:
    whole = make_journal(*(message(n) for n in range(1, 13)))
    data = whole.read_bytes()
    growing = tmp_path / "growing"
    growing.write_bytes(b"")
    reader = JournalReader(growing)
    entries: list[Entry] = []

    for cut in [*sorted(cuts), len(data)]:
        growing.write_bytes(data[:cut])
        if resumes and reader.header is not None:
            reader = JournalReader(growing, byte=reader.byte, n=reader.n, writer=reader.header.writer)
        entries += all_of(reader)

    assert entries == all_of(JournalReader(whole))
    whole.unlink()


def test_a_journal_cut_at_every_byte_of_its_last_line_keeps_all_whole_lines(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), message(2), message(3))
    data = path.read_bytes()
    last = data.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(data)):
        path.write_bytes(data[:end])
        reader = JournalReader(path)
        assert numbers(all_of(reader)) == [1, 2]
        left = reader.finish()
        assert [type(entry) for entry in left] == ([Damage] if end > last else [])
        assert all(isinstance(entry, Damage) and (entry.byte, entry.n) == (last, 3) for entry in left)


def test_each_flipped_byte_of_a_line_is_one_damage_and_costs_only_that_line(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), message(2), message(3))
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    start = len(lines[0]) + len(lines[1])
    for at in range(start, start + len(lines[2])):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x04]) + data[at + 1 :])
        entries = all_of(JournalReader(path))
        damages = [entry for entry in entries if isinstance(entry, Damage)]
        assert numbers(entries) == [1, 3], at
        assert [(damage.n, damage.byte) for damage in damages] == [(2, start)], at
        assert not [entry for entry in entries if isinstance(entry, Gap)]


def test_a_jump_in_the_numbers_is_told_with_both_and_the_place(make_journal: MakeJournal) -> None:
    path = make_journal(message(1))
    at = path.stat().st_size
    with path.open("ab") as file:
        file.write(encode_line(b'{"type":"said"}', 5))

    gap, line = all_of(JournalReader(path))[1:]
    assert gap == Gap(2, 5, at)
    assert isinstance(line, Line)
    assert (line.body, line.n, line.type, line.byte) == (b'{"type":"said"}', 5, "said", at)


def test_a_truncated_journal_is_read_from_its_start(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), message(2))
    reader = JournalReader(path)
    reader.read()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))

    assert numbers(reader.read()) == [1]


def test_a_replaced_journal_is_read_from_its_start_with_its_own_first_line(
    make_journal: MakeJournal, tmp_path: Path
) -> None:
    path = make_journal(message(1), message(2))
    reader = JournalReader(path)
    reader.read()
    other = make_journal(message(1), message(2), message(3), directory=tmp_path / "other", run_id="another")
    other.replace(path)

    assert numbers(all_of(reader)) == [1, 2, 3]
    assert reader.header is not None
    assert reader.header.run_id == "another"


def test_a_place_noted_in_another_writers_file_is_not_taken(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), message(2))
    reader = JournalReader(path, byte=path.stat().st_size, n=2, writer="somebody else")

    assert numbers(reader.read()) == [1, 2]


def test_a_line_of_ten_megabytes_costs_itself_and_is_never_held_whole(make_journal: MakeJournal) -> None:
    import tracemalloc

    path = make_journal(message(1))
    with path.open("ab") as file:
        for _ in range(10):
            file.write(b"x" * (1 << 20))
        file.write(b"\n")
        file.write(encode_line(b'{"type":"said"}', 3))
    tracemalloc.start()
    entries = all_of(JournalReader(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert numbers(entries) == [1, 3]
    assert [type(entry) for entry in entries] == [Line, Damage, Line]
    assert peak < 5 << 20


def test_a_long_line_without_an_end_is_waited_for(make_journal: MakeJournal) -> None:
    path = make_journal(message(1))
    reader = JournalReader(path)
    with path.open("ab") as file:
        file.write(b"x" * (3 << 20))
        file.flush()
        assert numbers(all_of(reader)) == [1]
        place = reader.byte
        assert all_of(reader) == []
        file.write(b"\n" + encode_line(b'{"type":"said"}', 3))
        file.flush()
    entries = all_of(reader)

    assert isinstance(entries[0], Damage)
    assert entries[0].byte == place
    assert numbers(entries) == [3]


@pytest.mark.parametrize(
    "data",
    [
        b"\n\n\n\n",
        b"half a line",
        b"\xef\xbb\xbf" + b'{"type":"journal"}\n',
        '{"type":"journal"}\n'.encode("utf-16"),
        b"\0" * 5000,
        b"\0" * 200_000,
        b'{"some": "other program"}\n{"a": 1}\n',
        b'{"type":"journal","format":1}\r\n',
        b'{"type":"run_start"}\n',
    ],
)
def test_a_file_of_another_kind_is_told_once_and_has_no_lines(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "strange.jsonl"
    path.write_bytes(data)
    reader = JournalReader(path)

    entries = all_of(reader)
    assert [type(entry) for entry in entries] == [Damage]
    assert reader.foreign
    assert reader.finish() == []
    with pytest.raises(NotAJournal):
        read_header(path)


def test_an_empty_file_may_still_become_a_journal(tmp_path: Path, make_journal: MakeJournal) -> None:
    path = tmp_path / "new.jsonl"
    path.write_bytes(b"")
    reader = JournalReader(path)
    assert reader.read() == []
    data = make_journal(message(1)).read_bytes()
    path.write_bytes(data[:20])
    assert reader.read() == []
    path.write_bytes(data)
    assert numbers(reader.read()) == [1]


def test_a_block_of_nul_bytes_is_one_damage(make_journal: MakeJournal) -> None:
    path = make_journal(message(1))
    with path.open("ab") as file:
        file.write(b"\0" * 4096 + b"\n\n\n" + encode_line(b'{"type":"said"}', 2))

    assert [type(entry) for entry in all_of(JournalReader(path))] == [Line, Damage, Line]


def test_a_directory_or_pipe_of_that_name_is_an_os_error_and_does_not_wait(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name in ("folder.jsonl", "pipe.jsonl", "missing.jsonl"):
        with pytest.raises(OSError):
            JournalReader(tmp_path / name).read()


def test_the_last_line_is_noticed(make_journal: MakeJournal) -> None:
    path = make_journal(message(1), {"type": "journal_end", "timestamp": "t"})
    reader = JournalReader(path)
    reader.read()
    assert reader.ended


def test_reads_the_same_where_the_system_has_no_pread(
    make_journal: MakeJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_journal(message(1), message(2))
    monkeypatch.delattr(os, "pread", raising=False)
    assert numbers(all_of(JournalReader(path))) == [1, 2]


def test_the_body_is_ready_to_be_sent_on(make_journal: MakeJournal) -> None:
    entry = JournalReader(make_journal(message(7))).read()[0]
    assert isinstance(entry, Line)
    wire = entry.body[:-1] + b',"run_id":"run","offset":1}'
    assert msgspec.json.decode(wire) == {"type": "said", "number": 7, "run_id": "run", "offset": 1}
