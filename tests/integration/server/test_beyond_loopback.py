"""A server that others can reach: what it refuses to start without, TLS, a proxy in front, and who gets connections."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from federated_pneumonia_detection.server import connections
from federated_pneumonia_detection.server.access.token_store import open_tokens
from federated_pneumonia_detection.server.access.tokens import issue
from federated_pneumonia_detection.server.errors import ServerError
from federated_pneumonia_detection.server.serving import BackgroundServer, running
from federated_pneumonia_detection.server.settings import ServerSettings

NAME = "hub.lab.example"


@pytest.fixture
def token(settings: ServerSettings) -> str:
    """A viewer's."""
    made, secret = issue("vera", "viewer", now=time.time())
    open_tokens(settings.log_dir, None).add(made)
    return secret


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(tmp_path: Path, authority: trustme.CA) -> dict[str, Path]:
    issued = authority.issue_cert(NAME, "127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(cert, append=number > 0)
    return {"tls_cert": cert, "tls_key": key}


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def _refusal(settings: ServerSettings, **changes: Any) -> str:
    with pytest.raises(ServerError) as refused, running(replace(settings, **changes)):
        pass
    told = str(refused.value)
    assert "\n" not in told
    return told


def test_it_refuses_to_start_without_tls_and_says_how(settings: ServerSettings, token: str) -> None:
    told = _refusal(settings, host="0.0.0.0")
    for way in ("--tls-cert", "--tls-key", "--behind-proxy", "ssh -L"):
        assert way in told


@pytest.mark.parametrize("how", ["require_token", "behind_proxy", "tls"])
def test_it_refuses_to_start_without_a_token_and_gives_the_command(
    settings: ServerSettings, certificate: dict[str, Path], how: str
) -> None:
    changes: dict[str, Any] = {"host": "0.0.0.0", **certificate} if how == "tls" else {how: True}
    assert f"`fpd token create NAME --role operator --log-dir {settings.log_dir}`" in _refusal(settings, **changes)


def test_an_expired_token_is_none(settings: ServerSettings) -> None:
    made, _ = issue("old", "operator", now=1.0, expires=2.0)
    open_tokens(settings.log_dir, None).add(made)
    assert "no token holds" in _refusal(settings, require_token=True)


def test_a_token_file_that_others_can_write_is_not_believed(settings: ServerSettings, token: str) -> None:
    path = settings.log_dir / ".server" / "tokens.json"
    path.chmod(0o666)
    assert f"chmod 600 {path}" in _refusal(settings, require_token=True)


def test_a_certificate_that_cannot_be_used_is_told_in_one_line(
    settings: ServerSettings, token: str, certificate: dict[str, Path], tmp_path: Path
) -> None:
    cert, key = certificate["tls_cert"], certificate["tls_key"]
    other = tmp_path / "other.pem"
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(other)
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    assert "No such file" in _refusal(settings, tls_cert=tmp_path / "missing.pem", tls_key=key)
    assert str(other) in _refusal(settings, tls_cert=cert, tls_key=other)
    assert str(nothing) in _refusal(settings, tls_cert=nothing, tls_key=key)
    assert "--tls-cert" in _refusal(settings, tls_key=key)
    assert "--proxy-address" in _refusal(settings, behind_proxy=True, proxy_addresses=("the proxy",))


@pytest.fixture
def secured(
    token: str, certificate: dict[str, Path], start: Callable[..., BackgroundServer]
) -> Iterator[BackgroundServer]:
    yield start(host="0.0.0.0", allow_hosts=(NAME,), **certificate)


def _url(server: BackgroundServer) -> str:
    return f"https://127.0.0.1:{server.url.rpartition(':')[2]}"


def test_over_tls_everything_comes_as_on_loopback_and_cookies_are_secure(
    secured: BackgroundServer, token: str, trusting: ssl.SSLContext
) -> None:
    named = {"host": f"{NAME}:8443"}
    with httpx.Client(base_url=_url(secured), verify=trusting, timeout=20) as http:
        assert http.get("/healthz").is_success
        assert http.get("/api/runs").status_code == 401
        assert http.get("/api/runs", headers={"authorization": f"Bearer {token}"}).is_success
        signed_in = http.post("/api/session", json={"token": token}, headers=named)
        cookie = signed_in.headers["set-cookie"]
        assert cookie.startswith("__Host-fpd-8443=")
        assert "; Secure" in cookie
        value = cookie.partition(";")[0]
        own = {"cookie": value, "origin": f"https://{NAME}:8443", **named}
        answer = http.get("/api/session", headers=own)
        assert answer.json()["name"] == "vera"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert f"wss://{NAME}:8443" in answer.headers["content-security-policy"]
        # A name of one's own machine is used for other things too.
        assert "strict-transport-security" not in http.get("/healthz", headers={"host": "localhost"}).headers
        # The same name without TLS is another origin.
        other = http.get("/api/session", headers={**own, "origin": f"http://{NAME}:8443"})
        assert other.status_code == 403
    with connect(
        f"{_url(secured).replace('https', 'wss')}/ws/training-progress",
        ssl=trusting,
        subprotocols=["fpd", f"fpd.token.{token}"],  # type: ignore[list-item]
    ) as socket_:
        assert json.loads(socket_.recv(timeout=20))["type"] == "subscribed"


def test_it_goes_by_addresses_and_by_names_that_were_named(
    secured: BackgroundServer, token: str, trusting: ssl.SSLContext
) -> None:
    with httpx.Client(base_url=_url(secured), verify=trusting, timeout=20) as http:
        headers = {"authorization": f"Bearer {token}"}
        for host in (NAME, NAME.upper(), f"{NAME}.", "10.1.2.3:8443", "[fd00::7]", socket.gethostname(), "localhost"):
            assert http.get("/api/runs", headers={**headers, "host": host}).is_success, host
        for host in ("evil.example", f"x.{NAME}", f"{NAME}.evil.example", "10.1.2.3.evil.example"):
            refused = http.get("/api/runs", headers={**headers, "host": host})
            assert refused.status_code == 403, host
            assert "--allow-host" in refused.json()["detail"]
            assert host not in refused.headers["content-security-policy"]


def test_a_page_of_a_loopback_port_is_a_foreign_one_here(
    secured: BackgroundServer, token: str, trusting: ssl.SSLContext
) -> None:
    headers = {"authorization": f"Bearer {token}", "origin": "http://localhost:5173"}
    refused = httpx.get(f"{_url(secured)}/api/runs", headers=headers, verify=trusting, timeout=20)
    assert refused.status_code == 403


def test_who_speaks_no_tls_gets_nothing(secured: BackgroundServer) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(_url(secured).replace("https", "http") + "/healthz", timeout=5)


def test_a_proxy_says_for_whom_it_asks_and_nobody_else_does(
    settings: ServerSettings, token: str, start: Callable[..., BackgroundServer]
) -> None:
    server = start(behind_proxy=True, proxy_addresses=("127.0.0.1",), allow_hosts=(NAME,))
    forwarded = {"host": NAME, "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
    with httpx.Client(base_url=server.url, timeout=20) as http:
        assert http.get("/api/runs", headers=forwarded).status_code == 401
        assert http.get("/api/runs", headers={**forwarded, "authorization": f"Bearer {token}"}).is_success
        signed_in = http.post("/api/session", json={"token": token}, headers=forwarded)
        assert signed_in.headers["set-cookie"].startswith("__Host-fpd-443=")
        plain = http.get("/api/runs", headers={**forwarded, "x-forwarded-proto": "http"})
        assert plain.status_code == 403
        assert "TLS" in plain.json()["title"]
        assert http.get("/healthz", headers={"host": NAME}).is_success
        # A program on the same machine, without any proxy.
        assert http.get("/api/runs", headers={"authorization": f"Bearer {token}"}).is_success
    lines = [
        json.loads(line)
        for file in (settings.log_dir / ".server").glob("*.log.jsonl")
        for line in file.read_text().splitlines()
    ]
    told = [line for line in lines if line["event"] == "refused"]
    assert [line["address"] for line in told] == ["203.0.113.7"] * 2


def test_behind_a_proxy_the_address_it_names_has_so_many_places(
    token: str, start: Callable[..., BackgroundServer], wait_until: Callable[..., None]
) -> None:
    server = start(behind_proxy=True)
    places = server.service.admission.places
    places.greatest = 2

    def coming_from(address: str) -> dict[str, str]:
        forwarded = {"x-forwarded-for": address, "x-forwarded-proto": "https"}
        return {"authorization": f"Bearer {token}", **forwarded}

    url = f"{server.url.replace('http', 'ws')}/ws/training-progress"
    one, other = coming_from("203.0.113.7"), coming_from("203.0.113.8")
    with connect(url, additional_headers=one) as first, connect(url, additional_headers=one) as second:
        for viewer in (first, second):
            viewer.recv(timeout=20)
        refused = httpx.get(f"{server.url}/api/runs", headers=one, timeout=20)
        assert refused.status_code == 429
        assert refused.json()["title"] == "Too many connections from this address."
        assert refused.headers["retry-after"]
        with connect(url, additional_headers=one) as third:
            with pytest.raises(ConnectionClosed) as closed:
                third.recv(timeout=20)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        assert httpx.get(f"{server.url}/api/runs", headers=other, timeout=20).is_success
    wait_until(lambda: places.held("203.0.113.7") == 0, "the places were given back")
    assert httpx.get(f"{server.url}/api/runs", headers=one, timeout=20).is_success


def test_who_is_not_the_proxy_is_refused(token: str, start: Callable[..., BackgroundServer]) -> None:
    server = start(behind_proxy=True, proxy_addresses=("10.0.0.0/8",), allow_hosts=(NAME,))
    headers = {
        "host": NAME,
        "authorization": f"Bearer {token}",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-proto": "https",
    }
    refused = httpx.get(f"{server.url}/api/runs", headers=headers, timeout=20)
    assert refused.status_code == 403
    assert refused.json()["title"] == "This server answers its proxy alone."
    with connect(f"{server.url.replace('http', 'ws')}/ws/training-progress") as viewer:
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


def test_on_loopback_forwarded_headers_mean_nothing(server: BackgroundServer) -> None:
    answer = httpx.get(f"{server.url}/healthz", headers={"x-forwarded-proto": "https"}, timeout=20)
    assert f"ws://{server.url.removeprefix('http://')}" in answer.headers["content-security-policy"]
    assert "strict-transport-security" not in answer.headers


def _raw(server: BackgroundServer) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20)
    raw.settimeout(20)
    return raw


def _to_the_end(raw: socket.socket) -> bytes:
    got = b""
    while True:
        try:
            part = raw.recv(65_536)
        except ConnectionResetError:
            return got
        if not part:
            return got
        got += part


def test_a_head_without_end_is_answered_431(server: BackgroundServer) -> None:
    with _raw(server) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(10_000):
                raw.sendall(b"x" * 65_536)
    with _raw(server) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 200_000)
        time.sleep(0)  # a piece for itself
        raw.sendall(b"x" * 150_000)
        assert _to_the_end(raw).startswith(b"HTTP/1.1 431 ")
    assert httpx.get(f"{server.url}/healthz", timeout=20).is_success


def test_a_head_that_comes_too_slowly_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., BackgroundServer]
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.2)
    server = start()
    with _raw(server) as silent, _raw(server) as slow, _raw(server) as second:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        assert _to_the_end(silent) == b""
        assert _to_the_end(slow).startswith(b"HTTP/1.1 408 ")
        assert _to_the_end(second).startswith(b"HTTP/1.1 200 ")


def test_a_socket_that_is_open_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch, start: Callable[..., BackgroundServer]
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", 0.2)
    server = start()
    with connect(f"{server.url.replace('http', 'ws')}/ws/training-progress") as viewer:
        assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.6)
        viewer.ping().wait(timeout=20)


def test_beyond_loopback_an_address_holds_so_many_connections_and_no_more(
    secured: BackgroundServer, token: str, trusting: ssl.SSLContext, wait_until: Callable[..., None]
) -> None:
    doors = secured.service.doors
    doors.places.greatest = 2
    url = f"{_url(secured).replace('https', 'wss')}/ws/training-progress"
    offered: Any = ["fpd", f"fpd.token.{token}"]
    with connect(url, ssl=trusting, subprotocols=offered), connect(url, ssl=trusting, subprotocols=offered):
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{_url(secured)}/healthz", verify=trusting, timeout=5)
        assert doors.turned_away >= 1
    wait_until(lambda: doors.places.held("127.0.0.1") == 0, "the places were given back")
    assert httpx.get(f"{_url(secured)}/healthz", verify=trusting, timeout=20).is_success


def test_on_loopback_nobody_is_counted(server: BackgroundServer) -> None:
    server.service.doors.places.greatest = 1
    with _raw(server), _raw(server), _raw(server):
        assert httpx.get(f"{server.url}/healthz", timeout=20).is_success
    assert server.service.doors.turned_away == 0


def test_a_body_nested_fifty_thousand_deep_is_a_422(server: BackgroundServer) -> None:
    for deep in (
        b"[" * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"config":' + b"[" * 50_000 + b"]" * 50_000,
    ):
        answer = httpx.post(
            f"{server.url}/api/centralized/train",
            content=deep,
            headers={"content-type": "application/json"},
            timeout=20,
        )
        assert answer.status_code == 422
    assert httpx.get(f"{server.url}/healthz", timeout=20).is_success


@pytest.mark.parametrize("path", ["/api/runs", "/api/stream", "/healthz", "/metrics", "/api/events", "/docs"])
def test_head_is_answered_as_get_without_the_body(server: BackgroundServer, path: str) -> None:
    head = httpx.head(f"{server.url}{path}", timeout=20)
    assert head.status_code == 200
    assert head.content == b""
    if path != "/api/stream":
        got = httpx.get(f"{server.url}{path}", timeout=20)
        assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_what_is_no_get_is_a_405_that_names_what_is(server: BackgroundServer) -> None:
    head = httpx.head(f"{server.url}/api/centralized/train", timeout=20)
    assert head.status_code == 405
    assert head.headers["allow"] == "POST"
    assert httpx.head(f"{server.url}/api/nothing", timeout=20).status_code == 404
