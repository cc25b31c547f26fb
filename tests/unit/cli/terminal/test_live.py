"""The line to a server: a socket where there may be one, else polls, and the cursor over every break."""

from __future__ import annotations

import json
from threading import Event

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.frames import Close

from federated_pneumonia_detection.cli.client import ServerAway, ServerRefused
from federated_pneumonia_detection.cli.terminal import live
from federated_pneumonia_detection.cli.terminal.live import AFRESH, live_messages


class _Socket:
    def __init__(self, frames, end):
        self.frames, self.end = list(frames), end

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def recv(self, timeout):
        if self.frames:
            return json.dumps(self.frames.pop(0))
        raise self.end


class _Server:
    """Answers with what it was given, in turns; each socket's query and each poll's cursor is kept."""

    url = "http://127.0.0.1:1"

    def __init__(self, sockets=(), pages=(), *, is_there=True):
        self.sockets, self.pages, self.is_there = list(sockets), list(pages), is_there
        self.asked = []

    def socket(self, path, query):
        self.asked.append(query)
        found = self.sockets.pop(0) if self.sockets else ConnectionRefusedError()
        if isinstance(found, Exception):
            raise found
        return found

    def events(self, run_id, **query):
        self.asked.append(query)
        if not self.pages:
            raise ServerAway(self.url)
        return self.pages.pop(0)

    def answers(self):
        return self.is_there


def _subscribed(log_id="log", *, recovered=True):
    return {"type": "subscribed", "log_id": log_id, "top": 9, "recovered": recovered}


def _closed(code):
    return ConnectionClosedError(Close(code, "why"), None)


def _take(server, many, monkeypatch):
    monkeypatch.setattr(live, "_FIRST_PAUSE_S", 0.001)
    stopped, told, found = Event(), [], []
    for message in live_messages(server, "run", stopped, lambda line: told.append(line.kind)):
        if message is not None:
            found.append(message)
        if len(found) == many:
            stopped.set()
    return found, told


def test_a_socket_that_breaks_is_opened_again_with_the_cursor(monkeypatch):
    first = _Socket([_subscribed(), {"type": "a", "offset": 3}], _closed(1012))
    second = _Socket([_subscribed(), {"type": "b", "offset": 4}], TimeoutError())
    server = _Server([first, second])
    found, told = _take(server, 2, monkeypatch)
    assert [message["type"] for message in found] == ["a", "b"]
    assert server.asked == [{"run_id": "run", "after": 0}, {"run_id": "run", "after": 3, "log_id": "log"}]
    assert told == ["live", "live"]


def test_where_sockets_are_barred_it_polls(monkeypatch):
    page = {**_subscribed(), "messages": [{"type": "a", "offset": 1}]}
    found, told = _take(_Server([InvalidHandshake()], [page]), 1, monkeypatch)
    assert found == [{"type": "a", "offset": 1}]
    assert told == ["polling"]


def test_a_server_that_is_away_is_said_once_and_comes_back(monkeypatch):
    socket = _Socket([_subscribed(), {"type": "a", "offset": 1}], TimeoutError())
    server = _Server([ConnectionRefusedError(), ConnectionRefusedError(), socket], is_there=False)
    found, told = _take(server, 1, monkeypatch)
    assert len(found) == 1
    assert told == ["away", "live"]


def test_a_log_that_was_rebuilt_voids_what_came_before(monkeypatch):
    first = _Socket([_subscribed(), {"type": "a", "offset": 7}], _closed(1012))
    second = _Socket([_subscribed("other", recovered=False), {"type": "a", "offset": 1}], TimeoutError())
    found, _ = _take(_Server([first, second]), 3, monkeypatch)
    assert found[1] is AFRESH
    assert found[2]["offset"] == 1


def test_a_code_that_does_not_come_back_ends_it_and_says_why(monkeypatch):
    told = []
    messages = live_messages(_Server([_Socket([], _closed(4401))]), "run", Event(), told.append)
    assert list(messages) == []
    assert [line.kind for line in told] == ["live", "refused"]
    assert "why" in told[-1].words


def test_a_poll_that_is_refused_says_the_servers_words():
    class Refusing(_Server):
        def events(self, run_id, **query):
            raise ServerRefused({"title": "This server needs a token."}, 401)

    told = []
    assert list(live_messages(Refusing([InvalidHandshake()]), "run", Event(), told.append)) == []
    assert "needs a token" in told[0].words


@pytest.mark.parametrize("code", [1001, 1006, 1012, 4408])
def test_codes_that_come_back_come_back(monkeypatch, code):
    first = _Socket([_subscribed()], _closed(code) if code != 1006 else ConnectionClosedError(None, None))
    second = _Socket([_subscribed(), {"type": "a", "offset": 1}], TimeoutError())
    found, _ = _take(_Server([first, second]), 1, monkeypatch)
    assert len(found) == 1
