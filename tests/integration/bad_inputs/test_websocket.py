"""Everything a WebSocket client may do wrong: its own close code or answer, and the others notice nothing."""

from __future__ import annotations

import json
import socket as sockets
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from federated_pneumonia_detection.server.serving import BackgroundServer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def server(shared_server: BackgroundServer) -> Iterator[BackgroundServer]:
    """The shared server, which still answers a well-behaved viewer afterwards."""
    yield shared_server
    with _connect(shared_server) as viewer:
        assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"


def _connect(server: BackgroundServer, path: str = "/ws/training-progress", **options: Any) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws')}{path}", **options)


def _close_code(viewer: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            viewer.recv(timeout=20)
    return closed.value.rcvd.code if closed.value.rcvd is not None else 1006


def _line(server: BackgroundServer) -> sockets.socket:
    address = urlsplit(server.url)
    return sockets.create_connection((str(address.hostname), int(address.port or 0)), timeout=20)


def _handshake(line: sockets.socket, *extra: str, version: str = "13", path: str = "/ws/training-progress") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        f"Sec-WebSocket-Version: {version}",
        *extra,
    ]
    line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = line.recv(4096)
        if not chunk:
            break
        answer += chunk
    return answer


def _closed_with(line: sockets.socket) -> int:
    """The code of the close frame, or 1006 for none. Small frames only come before it."""
    data = b""
    try:
        while chunk := line.recv(65_536):
            data += chunk
    except OSError:
        pass
    position = data.rfind(b"\x88")
    return (
        struct.unpack("!H", data[position + 2 : position + 4])[0]
        if position >= 0 and len(data) > position + 3
        else 1006
    )


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost.evil.example", "file://"])
def test_a_foreign_page_is_closed_with_4403(server: BackgroundServer, origin: str) -> None:
    with _connect(server, origin=origin) as viewer:  # type: ignore[arg-type]
        assert _close_code(viewer) == 4403


@pytest.mark.parametrize("origin", [None, "http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:1"])
def test_a_program_and_a_loopback_page_may_watch(server: BackgroundServer, origin: Any) -> None:
    with _connect(server, origin=origin) as viewer:
        assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"


def test_another_host_name_is_closed_with_4403(server: BackgroundServer) -> None:
    with _connect(server, additional_headers={"Host": "evil.example"}) as viewer:
        assert _close_code(viewer) == 4403


def test_an_unknown_path_is_a_404_problem(server: BackgroundServer) -> None:
    with pytest.raises(InvalidStatus) as refused, _connect(server, "/ws/other"):
        pass
    assert refused.value.response.status_code == 404
    assert refused.value.response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("after", ["-1", "text", "1e3", "9" * 30, "1.5", "٣"])
def test_a_cursor_that_is_none_is_closed_with_4400(server: BackgroundServer, after: str) -> None:
    with _connect(server, f"/ws/training-progress?after={after}") as viewer:
        assert _close_code(viewer) == 4400


def test_a_cursor_of_another_log_starts_afresh(server: BackgroundServer) -> None:
    with _connect(server, "/ws/training-progress?after=3&log_id=another") as viewer:
        assert json.loads(viewer.recv(timeout=20))["recovered"] is False


@pytest.mark.parametrize("said", ["no JSON", "{", "\0", b"\x00\xff", '{"type":"start"}', "x" * 60_000])
def test_what_a_viewer_says_is_ignored(server: BackgroundServer, said: str | bytes) -> None:
    with _connect(server) as viewer:
        assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"
        viewer.send(said)
        viewer.ping().wait(20)


def test_a_message_too_long_is_closed_with_1009(server: BackgroundServer) -> None:
    with _connect(server) as viewer:
        viewer.recv(timeout=20)
        viewer.send("x" * 100_000)
        assert _close_code(viewer) == 1009


def test_a_frame_that_announces_100_megabytes_is_closed_with_1009(server: BackgroundServer) -> None:
    with _line(server) as line:
        assert b" 101 " in _handshake(line)
        line.sendall(b"\x81\xff" + struct.pack("!Q", 100_000_000) + b"\0\0\0\0" + b"x")
        assert _closed_with(line) == 1009


def test_fragments_without_end_are_closed_with_1009(server: BackgroundServer) -> None:
    with _line(server) as line:
        _handshake(line)
        masked = b"\xfe" + struct.pack("!H", 16_000) + b"\0\0\0\0" + b"x" * 16_000
        try:
            line.sendall(b"\x01" + masked)
            for _ in range(100):
                line.sendall(b"\x00" + masked)
        except OSError:
            pass  # the server has closed its side
        assert _closed_with(line) in (1009, 1006)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x89\xfe\x00\x7e" + b"\0\0\0\0" + b"x" * 126,  # a ping longer than 125 bytes
        b"\x09\x80\0\0\0\0",  # a ping in fragments
        b"\x81\x01x",  # not masked
        b"\xf1\x80\0\0\0\0",  # reserved bits
        b"\x83\x80\0\0\0\0",  # an opcode that is none
        b"\x81\x81\0\0\0\0\xff",  # text that is not UTF-8
    ],
    ids=["long ping", "fragmented ping", "unmasked", "reserved bits", "opcode", "not UTF-8"],
)
def test_a_frame_against_the_protocol_is_closed(server: BackgroundServer, frame: bytes) -> None:
    with _line(server) as line:
        _handshake(line)
        line.sendall(frame)
        assert _closed_with(line) in (1002, 1007)


def test_a_ping_flood_by_who_never_reads_is_cut_off(server: BackgroundServer) -> None:
    with _line(server) as line:
        line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        _handshake(line)
        ping = b"\x89\xfd" + b"\0\0\0\0" + b"x" * 125
        with pytest.raises(OSError):
            for _ in range(2_000):
                line.sendall(ping * 500)


def test_no_upgrade_is_told_what_to_do(server: BackgroundServer) -> None:
    with _line(server) as line:
        line.sendall(b"GET /ws/training-progress HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := line.recv(4096):
            answer += chunk
    assert b" 426 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer


def test_a_wrong_version_is_told(server: BackgroundServer) -> None:
    with _line(server) as line:
        answer = _handshake(line, version="8")
    assert b" 400 " in answer.splitlines()[0]
    assert b"Sec-WebSocket-Version" in answer


def test_a_hundred_connections_come_and_go(server: BackgroundServer) -> None:
    with ExitStack() as stack:
        viewers = [stack.enter_context(_connect(server)) for _ in range(100)]
        for viewer in viewers:
            assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"
