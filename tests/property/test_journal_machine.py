"""A journal beside a model of it: written, torn, damaged, cut, replaced, and read by who stops and goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from machines import tried

from federated_pneumonia_detection.progress.framing import FORMAT, Damage, JournalHeader, Line, encode_line
from federated_pneumonia_detection.progress.reading import Gap, JournalReader

texts = st.text(max_size=20)


class JournalMachine(RuleBasedStateMachine):
    """The model is a list of what must be told: a number for a line, "gap" for missing ones, "damage" for a spoilt one.

    Damaged lines that follow each other are told once. Whatever is read after the file went back is a new beginning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="fpd-journal-"))
        self.path = self.directory / "run.jsonl"

    @initialize()
    def begin(self) -> None:
        self.writer = os.urandom(8).hex()
        header = JournalHeader(FORMAT, self.writer, "run", None, "exp", "centralized", "h", "b", 1, None, "2026-11-24")
        self.head = encode_line(msgspec.json.encode(header), 0)
        self.path.write_bytes(self.head)
        self.reader = JournalReader(self.path)
        self._from_the_start()

    def _from_the_start(self) -> None:
        self.n = 0
        self.wanted: list[object] = []
        self.told: list[object] = []
        self.torn = b""

    def _append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def _line(self, text: str) -> bytes:
        self.n += 1
        return encode_line(msgspec.json.encode({"type": "said", "text": text, "timestamp": "t"}), self.n)

    @precondition(lambda self: not self.torn)
    @rule(text=texts)
    def write(self, text: str) -> None:
        self._append(self._line(text))
        self.wanted.append(self.n)

    @precondition(lambda self: not self.torn)
    @rule(count=st.integers(1, 5), text=texts)
    def write_after_some_that_could_not_be_written(self, count: int, text: str) -> None:
        self.n += count
        line = self._line(text)
        self._append(line)
        self.wanted += ["gap", self.n]

    @precondition(lambda self: not self.torn)
    @rule(text=texts, at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def write_with_a_flipped_bit(self, text: str, at: float, bit: int) -> None:
        line = bytearray(self._line(text))
        where = int(at * (len(line) - 1))
        line[where] ^= 1 << bit
        if line[where] == ord("\n"):  # a line of its own: two that are damaged, beside each other
            line[where] ^= 1 << bit
            line[where] ^= 0x80
        self._append(bytes(line))
        self._spoilt()

    @precondition(lambda self: not self.torn)
    @rule(data=st.sampled_from([b"\0" * 512, b"", b"hello", b"\xff\xfe", b'{"type":"said"}', b"x" * 5000]))
    def something_else_is_written(self, data: bytes) -> None:
        self.n += 1
        self._append(data + b"\n")
        self._spoilt()

    def _spoilt(self) -> None:
        if not self.wanted or self.wanted[-1] != "damage":
            self.wanted.append("damage")

    @precondition(lambda self: not self.torn)
    @rule(text=texts, at=st.floats(0, 1, exclude_max=True))
    def half_a_line_is_written(self, text: str, at: float) -> None:
        line = self._line(text)
        cut = 1 + int(at * (len(line) - 2))
        self._append(line[:cut])
        self.torn = line[cut:]

    @precondition(lambda self: self.torn)
    @rule()
    def the_rest_of_the_line_is_written(self) -> None:
        self._append(self.torn)
        self.torn = b""
        self.wanted.append(self.n)

    @precondition(lambda self: self.torn)
    @rule()
    def the_rest_never_comes_and_another_line_does(self) -> None:
        self._append(b"\n")
        self.torn = b""
        self._spoilt()

    @rule(max_bytes=st.sampled_from([1, 4096, 1 << 20]))
    def read(self, max_bytes: int) -> None:
        for entry in self.reader.read(max_bytes):
            self.told.append(_told(entry))

    @rule()
    def read_all(self) -> None:
        while entries := self.reader.read():
            self.told += map(_told, entries)
        assert _merged(self.told) == self.wanted

    @rule()
    def the_reader_goes_on_from_its_place(self) -> None:
        if self.reader.header is not None:
            self.reader = JournalReader(self.path, byte=self.reader.byte, n=self.reader.n, writer=self.writer)

    @rule()
    def nothing_is_read_twice(self) -> None:
        self.read_all()
        assert self.reader.read() == []

    @rule(kept=st.floats(0, 1))
    def the_file_is_cut_and_written_anew(self, kept: float) -> None:
        self.read_all()
        size = self.path.stat().st_size
        if size == len(self.head):
            return
        data = self.path.read_bytes()
        end = max(len(self.head), data.rfind(b"\n", 0, max(len(self.head), int(kept * (size - 1)))) + 1)
        os.truncate(self.path, end)
        if end < self.reader.byte:
            # It reads what is left again; that a message is known by (writer, n) makes this harmless.
            fresh = JournalReader(self.path)
            self._from_the_start()
            while entries := fresh.read():
                self.wanted += map(_told, entries)
            self.wanted = _merged(self.wanted)
            self.n = fresh.n
            # Before it has grown again: a file that is as long as it was looks as if nothing had happened.
            self.read(1 << 20)
        elif self.torn:
            # Only the half line went; its number is said again.
            self.torn = b""
            self.n -= 1

    @rule()
    def another_writer_takes_the_name(self) -> None:
        aside = self.directory / "aside"
        self.path.rename(aside)
        self.begin_again()
        aside.unlink()

    def begin_again(self) -> None:
        reader = self.reader
        self.begin()
        self.reader = reader
        reader.read()

    def teardown(self) -> None:
        try:
            self.read_all()
            left = [_told(entry) for entry in self.reader.finish()]
            assert left == (["damage"] if self.torn else [])
        finally:
            shutil.rmtree(self.directory)


def _told(entry: object) -> object:
    if isinstance(entry, Line):
        return entry.n
    return "gap" if isinstance(entry, Gap) else "damage" if isinstance(entry, Damage) else entry


def _merged(told: list[object]) -> list[object]:
    """The same, where a read that ended between two damaged lines has told both."""
    return [one for at, one in enumerate(told) if not (one == "damage" and at and told[at - 1] == "damage")]


TestJournal, TestJournalForLong = tried(JournalMachine, examples=150, long_examples=3000)
