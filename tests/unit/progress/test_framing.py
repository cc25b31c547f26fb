from __future__ import annotations

import json
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import (
    Damage,
    Line,
    decode_header,
    decode_line,
    decode_lines,
    encode_line,
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
bodies = st.builds(
    lambda kind, rest: msgspec.json.encode({"type": kind, **{f"x{key}": value for key, value in rest.items()}}),
    st.text(min_size=1),
    st.dictionaries(st.text(), json_values, max_size=4),
)


@given(bodies, st.integers(0, 2**53))
def test_a_line_gives_back_the_message_as_it_was_encoded(body: bytes, n: int) -> None:
    line = encode_line(body, n)

    said = json.loads(body)
    assert decode_line(line) == Line(body, n, said["type"], 0, said)
    assert json.loads(line)["n"] == n
    assert line.count(b"\n") == 1


@given(st.lists(bodies, min_size=1, max_size=5), st.integers(0, 2**53 - 5))
def test_many_lines_at_once_say_what_they_say_one_by_one(several: list[bytes], first: int) -> None:
    lines = [encode_line(body, n) for n, body in enumerate(several, first)]
    decoded = decode_lines(b"".join(lines), 7)

    assert decoded is not None
    assert [replace(line, byte=0, said={}) for line in decoded] == [
        replace(decode_line(line), said={}) for line in lines
    ]
    assert [line.byte for line in decoded] == [7 + sum(map(len, lines[:at])) for at in range(len(lines))]
    for line, body in zip(decoded, several, strict=True):
        assert {**line.said, "n": None, "crc": None} == {**json.loads(body), "n": None, "crc": None}


@given(st.lists(bodies, min_size=1, max_size=3), st.data())
def test_many_lines_at_once_are_taken_only_if_each_of_them_would_be(several: list[bytes], data: st.DataObject) -> None:
    lines = bytearray(b"".join(encode_line(body, n) for n, body in enumerate(several)))
    bit = data.draw(st.integers(0, (len(lines) - 1) * 8 - 1))
    lines[bit // 8] ^= 1 << bit % 8

    assert decode_lines(bytes(lines)) is None


@pytest.mark.parametrize(
    "head",
    [
        b'{"type":"x","n":1.0',
        b'{"type":"x","n":-1',
        b'{"type":"x","n":9007199254740993',
        b'{"type":"x","n": 1',
        b'{"type":"x","n":true',
        b'{"type":7,"n":1',
        b'{"type":"x","timestamp":7,"n":1',
        b'{"n":1',
        b'{"type":"x"',
        b'{"n":1,"type":"x"',
        b'{"type":"x","a":' + b"[" * 300 + b"]" * 300 + b',"n":1',
        b'{"type":"x\xff","n":1',
        b'{"type":"x"}{"n":1',
        b'[{"type":"x","n":1',
        b'"type"',
        b"",
    ],
)
def test_a_right_checksum_does_not_make_a_message_one_by_one_or_many_at_once(head: bytes) -> None:
    line = b'%b,"crc":"%08x"}\n' % (head, crc32(head))

    assert isinstance(decode_line(line), Damage)
    assert decode_lines(line) is None
    assert decode_lines(encode_line(b'{"type":"x"}', 0) + line) is None


@given(bodies, st.integers(1, 10**6), st.data())
def test_every_flipped_bit_is_noticed(body: bytes, n: int, data: st.DataObject) -> None:
    line = encode_line(body, n)[:-1]
    bit = data.draw(st.integers(0, len(line) * 8 - 1))
    flipped = bytearray(line)
    flipped[bit // 8] ^= 1 << bit % 8

    assert isinstance(decode_line(bytes(flipped)), Damage)


def test_every_single_flipped_bit_of_a_real_line_is_noticed() -> None:
    line = encode_line(b'{"type":"epoch_end","epoch":1,"metrics":{"loss":0.5},"timestamp":"t"}', 12)[:-1]
    for at in range(len(line) * 8):
        flipped = bytearray(line)
        flipped[at // 8] ^= 1 << at % 8
        assert isinstance(decode_line(bytes(flipped)), Damage), at


@given(bodies, st.integers(1, 10**6))
def test_no_part_of_a_line_is_taken_for_the_line(body: bytes, n: int) -> None:
    line = encode_line(body, n)
    for end in range(len(line) - 1):
        assert isinstance(decode_line(line[:end]), Damage)


@given(st.binary())
def test_any_bytes_at_all_are_answered(data: bytes) -> None:
    decode_line(data)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no whole line|not a whole|an empty line"),
        (encode_line(b'{"type":"step"}', 1), "nothing about a writer"),
        (encode_line(b'{"type":"journal","format":1}', 0), "first line"),
    ],
)
def test_what_is_no_first_line_is_refused_with_a_reason(line: bytes, reason: str) -> None:
    with pytest.raises(NotAJournal, match=reason):
        decode_header(line)


def test_a_journal_of_a_later_format_is_refused(make_header) -> None:  # type: ignore[no-untyped-def]
    line = encode_line(msgspec.json.encode(make_header(format=99)), 0)
    with pytest.raises(NotAJournal, match="its format is 99"):
        decode_header(line)
