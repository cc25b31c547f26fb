"""One log, watched by WebSocket, Server-Sent Events and long poll: the same messages, in order, once."""

from __future__ import annotations

import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server import events
from federated_pneumonia_detection.server.serving import BackgroundServer

Messages = Iterator[dict[str, Any]]


def _logger(server: BackgroundServer, run_id: str = "a-run") -> ProgressLogger:
    return ProgressLogger(str(server.service.settings.log_dir), "an experiment", run_id=run_id)


def _socket(server: BackgroundServer, query: str = "", **options: Any) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws')}/ws/training-progress{query}", **options)


@contextmanager
def by_websocket(server: BackgroundServer, query: str) -> Iterator[Messages]:
    with _socket(server, f"?{query}") as socket:
        yield (json.loads(socket.recv(timeout=20)) for _ in iter(int, 1))


@contextmanager
def by_stream(server: BackgroundServer, query: str) -> Iterator[Messages]:
    with httpx.stream("GET", f"{server.url}/api/stream?{query}", timeout=20) as response:
        lines = response.iter_lines()
        yield (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


@contextmanager
def by_poll(server: BackgroundServer, query: str) -> Iterator[Messages]:
    def polled() -> Messages:
        given = dict(pair.split("=") for pair in query.split("&"))
        after, log_id = given["after"], given["log_id"]
        first = True
        while True:
            page = httpx.get(
                f"{server.url}/api/events",
                params={"after": after, "log_id": log_id, "wait": 10, "limit": 7},
                timeout=20,
            ).json()
            if first:
                first = False
                yield {key: page[key] for key in ("log_id", "top", "recovered")} | {"type": "subscribed"}
            yield from page["messages"]
            offsets = [message["offset"] for message in page["messages"] if "offset" in message]
            after, log_id = (offsets or [after])[-1], page["log_id"]

    yield polled()


TRANSPORTS = pytest.mark.parametrize("watch", [by_websocket, by_stream, by_poll])


def _lifecycle(messages: Messages, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for message in messages:
        if "offset" in message:
            found.append(message)
            if len(found) == count:
                return found
    raise AssertionError("the stream ended")


@TRANSPORTS
def test_a_viewer_gets_what_was_and_what_comes_in_order_once(server: BackgroundServer, watch: Any) -> None:
    log_id = server.service.hub.log_id
    with _logger(server) as logger:
        for epoch in range(1, 11):
            logger.log_epoch_start(epoch, 20)
        with watch(server, f"after=0&log_id={log_id}") as messages:
            first = next(messages)
            assert (first["type"], first["log_id"], first["recovered"]) == ("subscribed", log_id, True)
            got = _lifecycle(messages, 11)
            for epoch in range(11, 21):
                logger.log_epoch_start(epoch, 20)
            got += _lifecycle(messages, 10)
    assert [message["offset"] for message in got] == list(range(1, 22))
    assert [message["epoch"] for message in got[1:]] == list(range(1, 21))
    assert {message["run_id"] for message in got} == {"a-run"}


@TRANSPORTS
def test_a_cursor_goes_on_where_it_stopped(
    server: BackgroundServer, watch: Any, wait_until: Callable[..., None]
) -> None:
    with _logger(server) as logger:
        for epoch in range(1, 11):
            logger.log_epoch_start(epoch, 10)
    wait_until(lambda: server.service.hub.top >= 11, "all was read")
    with watch(server, f"after=5&log_id={server.service.hub.log_id}") as messages:
        assert next(messages)["recovered"] is True
        assert [message["offset"] for message in _lifecycle(messages, 6)] == [6, 7, 8, 9, 10, 11]


@TRANSPORTS
@pytest.mark.parametrize("cursor", ["after=5&log_id=another", "after=999&log_id={log_id}"])
def test_a_cursor_of_another_log_or_beyond_the_top_starts_afresh_and_says_so(
    server: BackgroundServer, watch: Any, cursor: str, wait_until: Callable[..., None]
) -> None:
    with _logger(server) as logger:
        logger.log_epoch_start(1, 10)
    wait_until(lambda: server.service.hub.top >= 2, "all was read")
    with watch(server, cursor.format(log_id=server.service.hub.log_id)) as messages:
        assert next(messages)["recovered"] is False
        assert [message["offset"] for message in _lifecycle(messages, 2)] == [1, 2]


def test_one_run_and_the_newest_run_can_be_watched_alone(
    server: BackgroundServer, wait_until: Callable[..., None]
) -> None:
    with _logger(server, "one") as one:
        wait_until(lambda: server.service.hub.run("one"), "the first is known")
        with _logger(server, "two") as two:
            wait_until(lambda: server.service.hub.run("two"), "the second is known")
            with _socket(server, "?run_id=one&after=0") as by_name, _socket(server, "?run_id=latest&after=0") as newest:
                for socket, run_id, logger in ((by_name, "one", one), (newest, "two", two)):
                    assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
                    logger.log_epoch_start(1, 1)
                    got = [json.loads(socket.recv(timeout=20)) for _ in range(2)]
                    assert [message["type"] for message in got] == ["run_start", "epoch_start"]
                    assert {message["run_id"] for message in got} == {run_id}


def test_a_stream_names_each_message_and_resumes_by_that_name(
    server: BackgroundServer, wait_until: Callable[..., None]
) -> None:
    with _logger(server) as logger:
        logger.log_epoch_start(1, 3)
        logger.log_step(1, 1, 9, {"train_loss": 0.5})
        logger.log_epoch_start(2, 3)
        wait_until(lambda: server.service.hub.top >= 3, "all was read")
        log_id = server.service.hub.log_id
        with httpx.stream("GET", f"{server.url}/api/runs/a-run/stream?after=0", timeout=20) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            seen: list[tuple[str | None, dict[str, Any]]] = []
            name = None
            for line in response.iter_lines():
                if line.startswith("id: "):
                    name = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    seen.append((name, json.loads(line.removeprefix("data: "))))
                    name = None
                    if sum("offset" in message for _, message in seen) == 3:
                        break
        for name, message in seen:
            assert name == (f"{log_id}:{message['offset']}" if "offset" in message else None)
        headers = {"Last-Event-ID": f"{log_id}:2"}
        # The header is newer than the address, which a browser repeats as it was.
        with httpx.stream(
            "GET", f"{server.url}/api/runs/a-run/stream?after=0", headers=headers, timeout=20
        ) as response:
            data = (json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: "))
            assert next(data)["recovered"] is True
            assert next(message for message in data if "offset" in message)["offset"] == 3


def test_a_line_separator_inside_a_text_stays_inside_its_event(server: BackgroundServer) -> None:
    text = "one\u2028two\u2029three\x85four\r\nfive"
    with _logger(server) as logger:
        logger.log_custom_event("said", {"text": text})
        with by_stream(server, "after=0") as messages:
            said = next(message for message in messages if message["type"] == "said")
    assert said["data"]["text"] == text


def test_a_quiet_stream_gets_a_comment_now_and_then(server: BackgroundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SSE_COMMENT_EVERY_S", 0.05)
    with httpx.stream("GET", f"{server.url}/api/stream", timeout=20) as response:
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert [next(comments), next(comments)]


def test_a_poll_waits_for_a_message_but_not_for_a_step(
    server: BackgroundServer, wait_until: Callable[..., None]
) -> None:
    with _logger(server) as logger:
        wait_until(lambda: server.service.hub.top == 1, "the run is known")
        url = f"{server.url}/api/runs/a-run/events"
        answer: list[dict[str, Any]] = []

        def poll() -> None:
            answer.append(httpx.get(url, params={"after": 1, "wait": 20}, timeout=30).json())

        waiting = threading.Thread(target=poll)
        waiting.start()
        logger.log_step(1, 1, 9, {"train_loss": 0.5})
        waiting.join(0.3)
        assert waiting.is_alive()
        logger.log_epoch_start(1, 3)
        waiting.join(10)
        types = [message["type"] for message in answer[0]["messages"]]
        assert sorted(types) == ["epoch_start", "step"]


def test_a_poll_that_waits_in_vain_answers_when_its_time_is_up(server: BackgroundServer) -> None:
    began = time.monotonic()
    page = httpx.get(f"{server.url}/api/events", params={"after": 0, "wait": 0.2}, timeout=10).json()
    assert page["messages"] == []
    assert 0.2 <= time.monotonic() - began < 5


def test_a_run_nobody_knows_is_closed_with_4404(server: BackgroundServer) -> None:
    for run_id in ("none", "latest", "..%2F..%2Fx"):
        with _socket(server, f"?run_id={run_id}") as socket, pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404


def test_closing_the_server_closes_viewers_with_1012_and_ends_streams_and_polls(
    server: BackgroundServer,
) -> None:
    poll_ended = threading.Event()

    def poll() -> None:
        httpx.get(f"{server.url}/api/events", params={"after": 0, "wait": 60}, timeout=60)
        poll_ended.set()

    polling = threading.Thread(target=poll)
    polling.start()
    with (
        _socket(server) as socket,
        httpx.stream("GET", f"{server.url}/api/stream", timeout=30) as response,
    ):
        lines = response.iter_lines()
        assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
        assert "subscribed" in next(lines)
        began = time.monotonic()
        server.stop()
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert [line for line in lines if line] == []
    polling.join(10)
    assert poll_ended.is_set()
    assert time.monotonic() - began < 5


def test_a_viewer_that_does_not_read_is_closed_with_4408_and_the_others_notice_nothing(
    server: BackgroundServer, wait_until: Callable[..., None]
) -> None:
    text, got = "x" * 16_000, 0
    # A window of its own that is small: what the kernel takes for a viewer is not the server's to count.
    slow_line = sockets.socket()
    slow_line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    slow_line.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    with (
        _logger(server) as logger,
        _socket(server, "?after=0") as quick,
        _socket(server, "?after=0", sock=slow_line, max_queue=1) as slow,
    ):
        for batch in range(1, 21):
            for _ in range(50):
                logger.log_custom_event("said", {"text": text})
            while got < batch * 50:
                got += json.loads(quick.recv(timeout=20))["type"] == "said"
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                slow.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4408
