"""A journal's lines, as bytes and nothing else: each carries its number and a checksum.

A line is the message's JSON object with two more keys at its end, `n` and `crc`. What stands before them is the
message as it was encoded, ready to be sent on; `crc` is the CRC-32 of everything before it, so a torn tail and a
flipped bit are noticed (more than half of all flipped bits leave valid JSON).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from federated_pneumonia_detection.progress.errors import NotAJournal

__all__ = [
    "DEEPEST",
    "FORMAT",
    "HIGHEST_N",
    "LONGEST_LINE",
    "LONGEST_MESSAGE",
    "LONGEST_NAME",
    "MARKS",
    "Damage",
    "JournalHeader",
    "Line",
    "decode_header",
    "decode_line",
    "decode_lines",
    "encode_line",
    "is_name",
]

FORMAT = 1
"""The version of the format that the first line names."""

LONGEST_MESSAGE = 256 * 1024
"""A message of more bytes than this is not written."""

LONGEST_LINE = 1024 * 1024
"""A line of more bytes than this is nobody's: a reader passes over it without holding it in memory."""

DEEPEST = 200
"""A message nested deeper than this is nobody's: no decoder of ours, wherever it is called, runs out of stack."""

HIGHEST_N = 2**53
"""A number above this is nobody's: no database and no reader of JSON would keep it exactly."""

MARKS = frozenset({"journal", "journal_end", "journal_died", "journal_halted", "journal_continued", "journal_withheld"})
"""The types of lines that speak of the journal itself and are no messages of a run. In a mirror alone stand
`journal_died`, `journal_halted` and `journal_continued`, where the site it comes from has seen that its writer died,
was stopped by a signal or goes on, and `journal_withheld`, in the place of a line that stays at the site."""

LONGEST_NAME = 500
"""What something is known by (a run, a client, a type, a phase) has at most so many characters, and no NUL: nothing
else can be a key in every database."""

_TAIL_LENGTH = len(b',"crc":"00000000"}')


class Line(msgspec.Struct, frozen=True, gc=False):
    """One whole line: the message as it was encoded (without `n` and `crc`), its number, its type, where it begins."""

    body: bytes
    n: int
    type: str
    byte: int = 0
    said: Mapping[str, Any] = MappingProxyType({})
    """The message decoded; `n` and `crc` may stand in it, too."""


class Damage(NamedTuple):
    """Bytes that are no line of ours: why, where they begin, and the number that the message there probably had."""

    reason: str
    byte: int = 0
    n: int | None = None


class JournalHeader(msgspec.Struct, frozen=True, tag_field="type", tag="journal"):
    """A journal's first line: who writes.

    `writer` is random and known nowhere else; `boot` and `pid_start` tell one process from another that got its pid.
    `broadcast_interval` is the least time in seconds between two sends of this writer's messages to viewers.

    `shipped` and `site` stand in a mirror alone: the copy of a journal of another machine, kept here line by line as
    that site ships it. Whether its writer lives, only the site can see.
    """

    format: int
    writer: str
    run_id: str
    client_id: str | None
    experiment_name: str
    mode: str
    host: str
    boot: str
    pid: int
    pid_start: int | None
    start: str
    broadcast_interval: float = 0.0
    hears: list[str] = []
    shipped: bool | msgspec.UnsetType = msgspec.UNSET
    site: str | msgspec.UnsetType = msgspec.UNSET


_message_decoder = msgspec.json.Decoder(dict[str, Any])
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")
_header_decoder = msgspec.json.Decoder(JournalHeader)


def encode_line(body: bytes, n: int) -> bytes:
    """The journal line of an encoded message: a compact JSON object with at least one key."""
    head = b'%b,"n":%d' % (body[:-1], n)
    return b'%b,"crc":"%08x"}\n' % (head, crc32(head))


def decode_line(line: bytes) -> Line | Damage:
    """The message in a line (with or without its newline), or why there is none; never raises.

    A right checksum says that the line is as it was written, not that a logger of ours wrote it: what nobody could send
    on or store (no JSON, no UTF-8, nested without end, a number beyond all bounds) is damage, too.
    """
    if line.endswith(b"\n"):
        line = line[:-1]
    if not line:
        return Damage("an empty line")
    head = line[:-_TAIL_LENGTH]
    # Compared as bytes: a hexadecimal digit in capitals would be a flipped bit, too.
    if line[-_TAIL_LENGTH:] != b',"crc":"%08x"}' % crc32(head):
        return Damage("its checksum does not match" if b'"crc":"' in line[-_TAIL_LENGTH:] else "not a whole line")
    cut = head.rfind(b',"n":')
    number = head[cut + 5 :]
    # No sign, no blank, no underscore; and no number of so many digits that reading it takes time.
    if not number.isdigit() or len(number) > 16 or int(number) > HIGHEST_N:
        return Damage("not a line of a journal")
    body = head[:cut] + b"}"
    try:
        if not body.isascii():
            body.decode()
        if len(body) > 2 * DEEPEST and _is_deep(body):
            return Damage(f"a message nested deeper than {DEEPEST} levels")
        said = _message_decoder.decode(body)
    except ValueError as error:
        return Damage(f"no message ({error})")
    if not isinstance(said.get("type"), str) or not isinstance(said.get("timestamp", ""), str):
        return Damage("no message (its type and its time are texts)")
    return Line(body, int(number), said["type"], 0, said)


def decode_lines(data: bytes, byte: int = 0) -> list[Line] | None:
    """The messages in whole lines, all at once, which costs a third of one by one.

    Args:
        data: lines, each with its newline.
        byte: where they begin in their file.

    Returns:
        The lines, or `None` where any of them is not as `decode_line` wants it: one by one they tell which, and why.
    """
    lines = data.split(b"\n")
    lines.pop()
    try:
        messages = _message_decoder.decode_lines(data)
    except (ValueError, RecursionError):
        return None
    if len(messages) != len(lines):
        return None
    decoded: list[Line] = []
    checksum, before = crc32, -_TAIL_LENGTH  # found quicker
    for line, said in zip(lines, messages, strict=True):
        get = said.get
        n, kind = get("n"), get("type")
        if type(n) is not int or type(kind) is not str or type(get("timestamp", "")) is not str:
            return None
        tail = b',"n":%d,"crc":"%08x"}' % (n, checksum(line[:before]))
        if not line.endswith(tail) or not 0 <= n <= HIGHEST_N or (len(line) > 2 * DEEPEST and _is_deep(line)):
            return None
        decoded.append(Line(line[: -len(tail)] + b"}", n, kind, byte, said))
        byte += len(line) + 1
    return decoded


def decode_header(line: bytes) -> JournalHeader:
    """The first line of a journal.

    Raises:
        NotAJournal: it is not one of ours, of a later format, or damaged.
    """
    decoded = decode_line(line)
    if isinstance(decoded, Damage):
        raise NotAJournal(f"its first line: {decoded.reason}")
    if decoded.n != 0 or decoded.type != "journal":
        raise NotAJournal("its first line says nothing about a writer")
    try:
        header = _header_decoder.decode(decoded.body)
    except msgspec.DecodeError as error:
        raise NotAJournal(f"its first line: {error}") from error
    if header.format > FORMAT:
        raise NotAJournal(f"its format is {header.format}; the latest known here is {FORMAT}")
    if not (is_name(header.writer) and is_name(header.run_id) and is_name(header.client_id or "")):
        raise NotAJournal(f"its first line: a name has at most {LONGEST_NAME} characters, and no NUL")
    return header


def is_name(text: str) -> bool:
    """Whether something can be known by this text; see `LONGEST_NAME`."""
    return len(text) <= LONGEST_NAME and "\0" not in text


def _is_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEEPEST:
            return True
    return False
