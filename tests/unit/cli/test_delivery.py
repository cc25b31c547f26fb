"""What a server's answer to a batch means, and what a batch looks like on the way."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from federated_pneumonia_detection.cli.delivery import HttpTransport
from federated_pneumonia_detection.hub.errors import CannotShip
from federated_pneumonia_detection.hub.shipping.outbox import Acked, Answer, Away, Batch, Expected, Refused
from federated_pneumonia_detection.hub.shipping.wish import Wish

BATCH = Batch("w", b"header\n", (b"one\n", b"two\n"), 3, "alive")
URL = "https://hub.example:8000"


def _send(answer: httpx.Response | Callable[[httpx.Request], httpx.Response], batch: Batch = BATCH) -> Answer:
    client = httpx.Client(transport=httpx.MockTransport(answer if callable(answer) else lambda request: answer))
    with HttpTransport(f"{URL}/", client, token="secret", site="ward") as transport:
        return transport.send(batch)


def test_a_batch_is_the_first_line_and_its_lines_with_what_is_said_of_them() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"writer": "w", "acked": 5})

    assert _send(answer) == Acked(5)
    (request,) = seen
    assert request.content == b"header\none\ntwo\n"
    assert request.url.copy_with(query=None) == f"{URL}/api/ingest"
    asked = dict(request.url.params)
    assert abs(datetime.fromisoformat(asked.pop("sent")).timestamp() - time.time()) < 60
    assert asked == {"writer_state": "alive", "skipped": "3", "site": "ward"}
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["content-type"] == "application/x-ndjson"
    assert "content-encoding" not in request.headers


@pytest.mark.parametrize(
    ("told", "wish"),
    [
        ({"what": "stop", "reason": "enough", "by": "Ada"}, Wish("stop", "enough", "Ada")),
        ({"what": "stop"}, Wish("stop")),
        ({"what": "dance"}, None),
        ({"what": "stop", "by": 7}, None),
        ("stop", None),
        (None, None),
    ],
)
def test_what_the_server_wishes_comes_with_its_answer(told: object, wish: Wish | None) -> None:
    assert _send(httpx.Response(200, json={"writer": "w", "acked": 5, "wish": told})) == Acked(5, wish)


def test_a_larger_one_is_packed() -> None:
    big = BATCH._replace(lines=(b"x" * 100_000 + b"\n",))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-encoding"] == "gzip"
        assert len(request.content) < 1000
        assert gzip.decompress(request.content) == b"header\n" + big.lines[0]
        return httpx.Response(200, json={"writer": "w", "acked": 1})

    assert _send(answer, big) == Acked(1)


@pytest.mark.parametrize(
    ("status", "problem", "meaning"),
    [
        (409, {"title": "Jump.", "expected": 4}, Expected(4)),
        (409, {"title": "Another.", "detail": "Never."}, Refused(409, "Another. Never.")),
        (403, {"title": "Not yours.", "n": 2, "line": 3, "writer": "w"}, Refused(403, "Not yours.", 2)),
        (403, {"title": "Not this one.", "writer": "w"}, Refused(403, "Not this one.")),
        (422, {"title": "No.", "n": 2, "line": 3}, Refused(422, "No.", 2)),
        (422, {"title": "No.", "line": 1}, Refused(422, "No.")),
        (422, {"title": "Torn.", "line": 3}, Away(f"a batch was damaged on its way to {URL}: Torn.")),
        (413, {"title": "Big."}, Refused(413, "Big.")),
        (410, {"title": "Deleted.", "writer": "w"}, Refused(410, "Deleted.")),
    ],
)
def test_a_problem_is_understood(status: int, problem: dict[str, object], meaning: Answer) -> None:
    assert _send(httpx.Response(status, json=problem)) == meaning


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for(status: int) -> None:
    answer = _send(httpx.Response(status, text="<html>nginx</html>", headers={"retry-after": "7"}))
    assert isinstance(answer, Away)
    assert (answer.wait_s, f"HTTP {status}" in answer.words, answer.is_busy) == (7.0, True, status == 429)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "٣"])
def test_a_time_to_wait_that_is_none_is_none(text: str) -> None:
    answer = _send(httpx.Response(503, headers=[(b"retry-after", text.encode())]))
    assert answer == Away(f"{URL} asks for patience: HTTP 503")


def test_a_date_to_wait_for_is_one() -> None:
    answer = _send(httpx.Response(503, headers={"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}))
    assert isinstance(answer, Away)
    assert answer.wait_s is not None
    assert answer.wait_s > 1e9


def test_a_proxy_that_takes_less_is_no_end() -> None:
    assert _send(httpx.Response(413, text="<html>too large</html>")) == Refused(413, "HTTP 413")


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("x")]
)
def test_no_answer_is_waited_for(error: httpx.TransportError) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    told = _send(answer)
    assert isinstance(told, Away)
    assert told.words.startswith(f"no answer from {URL} (")
    assert told.wait_s is None


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(401, json={"title": "This token is not valid."}), "does not know the token"),
        (httpx.Response(404, json={"title": "No such path."}), "takes no journals"),
        (httpx.Response(404, text="<html>"), "takes no journals: HTTP 404"),
        (httpx.Response(403, text="<html>a firewall"), "takes no journals: HTTP 403"),
        (httpx.Response(403, json={"title": "A viewer may not."}), "takes no journals: A viewer may not."),
        (httpx.Response(200, text="<html>a page"), "takes no journals: HTTP 200"),
        (httpx.Response(200, json=[1]), "takes no journals"),
        (httpx.Response(200, json={"acked": "five"}), "takes no journals"),
        (httpx.Response(301, headers={"location": "https://new.example"}), "somewhere else now: https://new.example"),
    ],
)
def test_what_will_never_work_ends_it_and_keeps_the_secret(response: httpx.Response, words: str) -> None:
    with pytest.raises(CannotShip, match=words) as told:
        _send(response)
    assert "secret" not in str(told.value)


def test_what_stands_in_the_place_of_a_server_that_has_worked_is_waited_for() -> None:
    answers = [httpx.Response(200, json={"writer": "w", "acked": 1}), httpx.Response(403, text="<html>a firewall")]
    client = httpx.Client(transport=httpx.MockTransport(lambda request: answers.pop(0)))
    with HttpTransport(URL, client) as transport:
        assert transport.send(BATCH) == Acked(1)
        assert transport.send(BATCH) == Away(f"{URL} takes no journals just now: HTTP 403")
