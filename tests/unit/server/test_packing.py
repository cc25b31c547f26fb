"""Which answers are compressed, and for whom."""

from __future__ import annotations

import gzip

import pytest
from starlette.requests import Request

from federated_pneumonia_detection.server.packing import packed, takes_gzip

LONG = b"[" + b"0," * 5000 + b"0]"


def asked(accept_encoding: str) -> Request:
    headers = [(b"accept-encoding", accept_encoding.encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


def test_a_long_answer_is_compressed_for_who_takes_it_and_is_the_same_within() -> None:
    answer = packed(asked("gzip, br"), LONG, {"cache-control": "no-store"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body) < len(LONG) / 50
    assert gzip.decompress(answer.body) == LONG


@pytest.mark.parametrize(("accepted", "body"), [("gzip", b"[]"), ("", LONG), ("br", LONG), ("gzip;q=0", LONG)])
def test_a_short_one_and_one_for_others_are_as_they_were(accepted: str, body: bytes) -> None:
    answer = packed(asked(accepted), body, {})
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.body == body


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.8", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip; q=0.000", False),
        ("identity", False),
    ],
)
def test_the_weights_of_encodings_are_read(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes
