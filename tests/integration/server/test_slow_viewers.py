"""Viewers that read next to nothing hold up nobody, cost bounded memory, and come back without a loss."""

from __future__ import annotations

import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from websockets.sync.client import connect

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server import viewer_protocol
from federated_pneumonia_detection.server.serving import BackgroundServer

MESSAGES, TEXT = 600, "x" * 20_000
"""Twelve megabytes: more than the system itself holds for a connection."""
GREATEST_HELD = 1024 * 1024
HANDSHAKE = (
    "GET /ws/training-progress?after=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _raw(server: BackgroundServer) -> sockets.socket:
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 2048)
    line.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    line.sendall(HANDSHAKE.encode())
    line.settimeout(20)
    return line


def _rest(line: sockets.socket) -> bytes:
    """What is still to be had of a connection that the server has ended."""
    data = b""
    try:
        while piece := line.recv(1 << 20):
            data += piece
    except ConnectionResetError:
        pass
    return data


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole frames behind a handshake: opcode and payload."""
    at = data.index(b"\r\n\r\n") + 4
    while len(data) - at >= 4:
        opcode, length, head = data[at] & 15, data[at + 1] & 127, 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, head = int.from_bytes(data[at + 2 : at + 2 + size], "big"), 2 + size
        if len(data) - at < head + length:
            return
        yield opcode, data[at + head : at + head + length]
        at += head + length


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def _said(texts: list[str]) -> list[int]:
    messages = [json.loads(text) for text in texts]
    return [message["data"]["number"] for message in messages if message["type"] == "said"]


def _read_all(server: BackgroundServer, query: str, found: list[str]) -> None:
    url = f"{server.url.replace('http', 'ws')}/ws/training-progress{query}"
    with connect(url, max_size=None) as viewer:
        while not found or json.loads(found[-1])["type"] != "training_complete":
            found.append(str(viewer.recv(timeout=30)))


def test_who_reads_nothing_or_a_byte_now_and_then_is_sent_away_and_others_notice_nothing(
    server: BackgroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer_protocol, "CLOSES_WITHIN_S", 0.5)
    hub, found = server.service.hub, list[str]()
    healthy = threading.Thread(target=_read_all, args=(server, "?after=0", found))
    over, trickle = threading.Event(), b""
    with closing(_raw(server)) as silent, closing(_raw(server)) as slow:

        def one_byte_a_second() -> None:
            nonlocal trickle
            while not over.is_set():
                trickle += slow.recv(1)
                over.wait(1)

        trickling = threading.Thread(target=one_byte_a_second)
        healthy.start()
        trickling.start()
        _until(lambda: hub.stats()["viewers"] == 3, "all three watch")
        held = 0
        with ProgressLogger(str(server.service.settings.log_dir), "exp", run_id="run") as logger:
            for number in range(MESSAGES):
                logger.log_custom_event("said", {"number": number, "text": TEXT})
                if number % 20 == 0:
                    held = max(held, *(_held_bytes(server)))
            logger.log_training_complete({})
        _until(lambda: hub.stats()["viewers_too_slow_total"] == 2, "both slow ones were sent away")
        held = max(held, *_held_bytes(server))
        healthy.join(30)
        assert _said(found) == list(range(MESSAGES))
        assert held <= GREATEST_HELD
        _until(lambda: hub.stats()["viewers"] == 0, "nobody is left")
        over.set()
        trickling.join(5)
        _comes_back(server, _rest(silent))
        _comes_back(server, trickle + _rest(slow))


def _held_bytes(server: BackgroundServer) -> list[int]:
    """What each connection has been given and the system has not taken yet."""
    connections = list(server._server.server_state.connections)
    return [0, *(connection.transport.get_write_buffer_size() for connection in connections)]


def _comes_back(server: BackgroundServer, data: bytes) -> None:
    got = [payload.decode() for opcode, payload in _frames(data) if opcode == 1]
    closes = [payload[:2] for opcode, payload in _frames(data) if opcode == 8]
    assert closes in ([], [(4408).to_bytes(2, "big")])
    last = max((json.loads(text).get("offset", 0) for text in got), default=0)
    rest: list[str] = []
    _read_all(server, f"?after={last}", rest)
    assert json.loads(rest[0])["recovered"] is True
    assert _said(got) + _said(rest) == list(range(MESSAGES))
