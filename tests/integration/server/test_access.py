"""Who may do what, on a server that demands tokens: over HTTP, streams, polls and sockets, and in its own log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from shipments import body, round_end
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.access.admission import needed_role
from federated_pneumonia_detection.server.access.token_store import TokenStore, open_tokens
from federated_pneumonia_detection.server.access.tokens import Role, issue
from federated_pneumonia_detection.server.app import create_app
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

WAITS_S = 5.0
"""Within seconds: tokens are read each second."""

LINES = {"content-type": "application/x-ndjson"}


class Keyring:
    """Tokens made for a test, by name; their texts are remembered, to look for in places where they must not be."""

    def __init__(self, settings: ServerSettings) -> None:
        self.store: TokenStore = open_tokens(settings.log_dir, None)
        self.secrets: dict[str, str] = {}

    def make(self, name: str, role: Role, *, expires_in_s: float | None = None, **more: Any) -> str:
        now = time.time()
        token, secret = issue(name, role, now=now, expires=None if expires_in_s is None else now + expires_in_s, **more)
        self.store.add(token)
        self.secrets[name] = secret
        return secret

    def bearer(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secrets[name]}"}


@pytest.fixture
def keys(settings: ServerSettings) -> Keyring:
    made = Keyring(settings)
    made.make("olga", "operator")
    made.make("vera", "viewer")
    made.make("north", "site", clients=("ward-1", "ward-2"))
    return made


@pytest.fixture
def guarded(keys: Keyring, start: Callable[..., BackgroundServer]) -> BackgroundServer:
    return start(require_token=True)


@pytest.fixture
def own_log(settings: ServerSettings) -> Callable[[], list[dict[str, Any]]]:
    """The lines of the server's own log."""

    def read() -> list[dict[str, Any]]:
        files = (settings.log_dir / ".server").glob("*.log.jsonl*")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    return read


def _ask(server: BackgroundServer, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, f"{server.url}{path}", timeout=20, **options)


def _socket(server: BackgroundServer, query: str = "", **options: Any) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws', 1)}/ws/training-progress{query}", open_timeout=20, **options)


def _close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["title"]
    return problem


def test_no_route_but_those_of_the_page_answers_somebody_without_a_token(guarded: BackgroundServer) -> None:
    paths = create_app(service=guarded.service).openapi()["paths"]
    everybodys = {("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/session"), ("DELETE", "/api/session")}
    asked = 0
    for path, operations in paths.items():
        for method in map(str.upper, operations):
            if (method, path) in everybodys:
                assert needed_role(method, path) is None
                continue
            answer = _ask(guarded, method, path.replace("{run_id}", "a-run"))
            assert _problem(answer, 401)["title"] == "This server needs a token.", path
            assert answer.headers["www-authenticate"] == 'Bearer realm="fpd"'
            asked += 1
    assert asked > 15
    for path in ("/openapi.json", "/docs", "/metrics", "/api/nothing", "//api/runs"):
        assert _ask(guarded, "GET", path).status_code in (401, 404), path
    assert _ask(guarded, "POST", "/healthz").status_code == 405
    assert _ask(guarded, "GET", "/healthz").is_success


@pytest.mark.parametrize(
    "path",
    [
        "/api/data/sources",
        "/api/data/source?source_path=phantoms",
        "/api/data/images/test/0?source_path=phantoms",
        "/api/data/runs/latest",
    ],
)
def test_images_are_for_an_operator_alone(guarded: BackgroundServer, keys: Keyring, path: str) -> None:
    _problem(_ask(guarded, "GET", path), 401)
    _problem(_ask(guarded, "GET", path, headers=keys.bearer("vera")), 403)
    _problem(_ask(guarded, "GET", path, headers=keys.bearer("north")), 403)
    assert _ask(guarded, "GET", path, headers=keys.bearer("olga")).status_code == (404 if "runs" in path else 200)


@pytest.mark.parametrize("path", ["/api/events", "/api/stream"])
def test_polls_and_streams_need_a_token_and_take_a_viewers(guarded: BackgroundServer, keys: Keyring, path: str) -> None:
    _problem(_ask(guarded, "GET", path), 401)
    with httpx.stream("GET", f"{guarded.url}{path}", headers=keys.bearer("vera"), timeout=20) as answer:
        assert answer.is_success
        assert "subscribed" in next(answer.iter_text()) or path == "/api/events"


def test_a_socket_needs_a_token_in_its_header_or_as_a_subprotocol(guarded: BackgroundServer, keys: Keyring) -> None:
    with _socket(guarded) as refused:
        assert _close_code(refused) == 4401
    with _socket(guarded, additional_headers=keys.bearer("vera")) as program:
        assert json.loads(program.recv(timeout=20))["type"] == "subscribed"
    with _socket(guarded, subprotocols=["fpd", f"fpd.token.{keys.secrets['vera']}"]) as page:
        assert json.loads(page.recv(timeout=20))["type"] == "subscribed"
        assert page.subprotocol == "fpd"
    with _socket(guarded, subprotocols=["fpd", f"fpd.token.fpd_{'x' * 43}"]) as stranger:
        assert stranger.subprotocol == "fpd"
        assert _close_code(stranger) == 4401
    with _socket(guarded, additional_headers=keys.bearer("north")) as site:
        assert _close_code(site) == 4403


def test_a_viewers_token_starts_nothing_and_the_log_says_who_tried(
    guarded: BackgroundServer, keys: Keyring, settings: ServerSettings, own_log: Callable[[], list[dict[str, Any]]]
) -> None:
    body = {"source_path": "phantoms", "experiment_name": "not mine to start", "epochs": 1}
    refused = _ask(guarded, "POST", "/api/centralized/train", json=body, headers=keys.bearer("vera"))
    assert "viewer" in _problem(refused, 403)["title"]
    for method, path in (
        ("POST", "/api/federated/train"),
        ("POST", "/api/runs/a-run/cancel"),
        ("PATCH", "/api/runs/a-run"),
        ("DELETE", "/api/runs/a-run"),
        ("POST", "/api/ingest"),
    ):
        _problem(_ask(guarded, method, path, json={}, headers=keys.bearer("vera")), 403)
    assert _ask(guarded, "GET", "/api/runs", headers=keys.bearer("vera")).json()["total"] == 0
    assert not list(settings.jobs_dir.glob("[!.]*"))
    told = [line for line in own_log() if line["event"] == "refused"]
    first = next(line for line in told if line["path"] == "/api/centralized/train")
    assert (first["status"], first["caller"], first["role"], first["method"]) == (403, "vera", "viewer", "POST")
    assert guarded.service.stats()["refused_requests_total"] == len(told) >= 6
    assert _ask(guarded, "POST", "/api/centralized/train", json=body, headers=keys.bearer("olga")).status_code == 202
    changed = [(line["caller"], line["path"]) for line in own_log() if line["event"] == "changed"]
    assert changed == [("olga", "/api/centralized/train")]


def test_a_sites_token_ships_its_own_clients_and_does_nothing_else(
    guarded: BackgroundServer, keys: Keyring, own_log: Callable[[], list[dict[str, Any]]]
) -> None:
    def ship(client_id: str) -> httpx.Response:
        batch = body(round_end(1, client_id=client_id), client_id=client_id)
        return _ask(guarded, "POST", "/api/ingest", content=batch, headers={**LINES, **keys.bearer("north")})

    assert ship("ward-1").is_success
    assert "intruder" in _problem(ship("intruder"), 403)["title"]
    for method, path in (("GET", "/api/runs"), ("POST", "/api/centralized/train"), ("GET", "/metrics")):
        _problem(_ask(guarded, method, path, headers=keys.bearer("north")), 403)
    told = [line for line in own_log() if line["event"] == "refused" and line["path"] == "/api/ingest"]
    assert [(line["caller"], line["status"]) for line in told] == [("north", 403)]
    assert "intruder" in told[0]["why"]


def test_what_is_open_under_a_token_is_closed_when_it_is_revoked(
    guarded: BackgroundServer, keys: Keyring, wait_until: Callable[..., None]
) -> None:
    with ExitStack() as stack:
        mine = stack.enter_context(_socket(guarded, additional_headers=keys.bearer("vera")))
        others = stack.enter_context(_socket(guarded, additional_headers=keys.bearer("olga")))
        stream = stack.enter_context(
            httpx.stream("GET", f"{guarded.url}/api/stream", headers=keys.bearer("vera"), timeout=20)
        )
        parts = stream.iter_text()
        assert "subscribed" in next(parts)
        for socket in (mine, others):
            assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
        revoked_at = time.monotonic()
        keys.store.remove("vera")
        assert _close_code(mine) == 4401
        assert list(parts) is not None  # the stream comes to its end
        assert time.monotonic() - revoked_at < WAITS_S
        _problem(_ask(guarded, "GET", "/api/runs", headers=keys.bearer("vera")), 401)
        with ProgressLogger(str(guarded.service.settings.log_dir), "goes on", run_id="goes-on") as logger:
            logger.log_epoch_start(1, 2)
            while json.loads(others.recv(timeout=20))["type"] != "epoch_start":
                pass


def test_a_long_poll_ends_with_its_token(guarded: BackgroundServer, keys: Keyring) -> None:
    with httpx.Client(base_url=guarded.url, headers=keys.bearer("vera"), timeout=30) as http:
        log_id = http.get("/api/events").json()["log_id"]
        keys.store.remove("vera")
        began = time.monotonic()
        answer = http.get("/api/events", params={"after": 0, "log_id": log_id, "wait": 20})
        assert answer.status_code == 401
        assert time.monotonic() - began < WAITS_S


def test_a_token_that_expires_ends_by_itself(guarded: BackgroundServer, keys: Keyring) -> None:
    keys.make("brief", "viewer", expires_in_s=1.5)
    with _socket(guarded, additional_headers=keys.bearer("brief")) as socket:
        assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
        assert _close_code(socket) == 4401
    _problem(_ask(guarded, "GET", "/api/runs", headers=keys.bearer("brief")), 401)


def test_a_token_made_while_the_server_runs_works_at_once(guarded: BackgroundServer, keys: Keyring) -> None:
    keys.make("new", "viewer")
    assert _ask(guarded, "GET", "/api/runs", headers=keys.bearer("new")).is_success


def test_the_page_gets_a_cookie_for_its_token_and_gives_it_back(guarded: BackgroundServer, keys: Keyring) -> None:
    with httpx.Client(base_url=guarded.url, timeout=20) as page:
        _problem(page.get("/api/session"), 401)
        _problem(page.post("/api/session", json={"token": "fpd_wrong"}), 401)
        _problem(page.post("/api/session", json={"token": keys.secrets["north"]}), 403)
        signed_in = page.post("/api/session", json={"token": keys.secrets["vera"]})
        assert signed_in.json() == {"name": "vera", "role": "viewer", "tokens": True}
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie  # no browser keeps such a one without TLS
        assert page.get("/api/session").json()["name"] == "vera"
        _problem(page.post("/api/centralized/train", json={}), 403)
        gone = page.delete("/api/session")
        assert gone.status_code == 204
        _problem(page.get("/api/session"), 401)


def test_a_stale_cookie_is_taken_away(guarded: BackgroundServer, keys: Keyring) -> None:
    with httpx.Client(base_url=guarded.url, timeout=20) as page:
        page.post("/api/session", json={"token": keys.secrets["vera"]})
        keys.store.remove("vera")
        while page.get("/api/runs").is_success:
            time.sleep(0.05)
        assert not page.cookies


def test_the_cookie_of_a_page_counts_for_no_page_of_another_port(guarded: BackgroundServer, keys: Keyring) -> None:
    port = guarded.url.rpartition(":")[2]
    cookie = {"cookie": f"fpd-{port}={keys.secrets['olga']}"}
    own, other = {"origin": guarded.url}, {"origin": "http://127.0.0.1:9"}
    assert _ask(guarded, "GET", "/api/runs", headers=cookie | own).is_success
    _problem(_ask(guarded, "GET", "/api/runs", headers=cookie | other), 401)
    _problem(_ask(guarded, "GET", "/api/runs", headers=cookie | {"sec-fetch-site": "same-site"}), 401)
    with _socket(guarded, additional_headers=cookie, origin=guarded.url) as mine:
        assert json.loads(mine.recv(timeout=20))["type"] == "subscribed"
    with _socket(guarded, additional_headers=cookie, origin="http://127.0.0.1:9") as theirs:
        assert _close_code(theirs) == 4401
    with _socket(
        guarded, origin="http://127.0.0.1:9", subprotocols=["fpd", f"fpd.token.{keys.secrets['vera']}"]
    ) as told:
        assert json.loads(told.recv(timeout=20))["type"] == "subscribed"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example"])
def test_a_page_of_another_origin_may_nothing_even_with_a_token(
    guarded: BackgroundServer, keys: Keyring, own_log: Callable[[], list[dict[str, Any]]], origin: str
) -> None:
    headers = keys.bearer("olga") | {"origin": origin}
    for method, path in (("GET", "/api/runs"), ("GET", "/api/stream"), ("POST", "/api/centralized/train")):
        answer = _ask(guarded, method, path, headers=headers)
        _problem(answer, 403)
        assert "access-control-allow-origin" not in answer.headers
    with _socket(guarded, origin=origin, additional_headers=keys.bearer("olga")) as socket:
        assert _close_code(socket) == 4403
    told = [line for line in own_log() if line["event"] == "refused"]
    assert {line["origin"] for line in told} == {origin}
    assert len(told) == 4


@pytest.mark.parametrize(
    "query", ["token={}", "access_token={}", "q={}", "q=x&API_KEY=hunter2", "after=0&x=fpd.token.{}"]
)
def test_a_token_in_an_address_is_refused_and_told_why_and_stays_out_of_the_log(
    guarded: BackgroundServer, keys: Keyring, settings: ServerSettings, query: str
) -> None:
    query = query.format(keys.secrets["vera"])
    answer = _ask(guarded, "GET", f"/api/runs?{query}", headers=keys.bearer("vera"))
    assert "does not belong in an address" in _problem(answer, 400)["title"]
    assert "Authorization" in answer.json()["detail"]
    with _socket(guarded, f"?{query}", additional_headers=keys.bearer("vera")) as socket:
        assert _close_code(socket) == 4400
    for file in (settings.log_dir / ".server").glob("*.log.jsonl*"):
        text = file.read_text()
        assert keys.secrets["vera"] not in text
        assert "hunter2" not in text


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(guarded: BackgroundServer, keys: Keyring) -> None:
    wrong = {"authorization": f"Bearer fpd_{'z' * 43}"}
    with httpx.Client(base_url=guarded.url, timeout=20) as http:
        statuses = [http.get("/api/runs", headers=wrong).status_code for _ in range(25)]
        assert statuses[:20] == [401] * 20
        assert set(statuses[20:]) == {429}
        assert 1 <= int(http.get("/api/runs", headers=wrong).headers["retry-after"]) <= 5
        assert http.get("/api/runs", headers=keys.bearer("vera")).is_success


def test_what_changes_something_is_bounded_for_each_token(guarded: BackgroundServer, keys: Keyring) -> None:
    with httpx.Client(base_url=guarded.url, timeout=20) as http:
        statuses = [
            http.post("/api/runs/none/cancel", json={}, headers=keys.bearer("olga")).status_code for _ in range(75)
        ]
        assert 429 in statuses
        assert statuses.index(429) >= 60
        assert http.get("/api/runs", headers=keys.bearer("olga")).is_success


def test_when_a_token_was_last_used_is_noted(
    guarded: BackgroundServer, keys: Keyring, wait_until: Callable[..., None]
) -> None:
    assert _ask(guarded, "GET", "/api/runs", headers=keys.bearer("vera")).is_success

    def used() -> dict[str, bool]:
        return {token.name: token.last_used is not None for token in keys.store.read()}

    wait_until(lambda: used()["vera"], "the use of the token was noted")
    assert not used()["olga"]


def test_a_damaged_token_file_lets_nobody_new_in_and_is_told_once(
    guarded: BackgroundServer, keys: Keyring, settings: ServerSettings, own_log: Callable[[], list[dict[str, Any]]]
) -> None:
    path = settings.log_dir / ".server" / "tokens.json"
    whole = path.read_text()
    path.write_text(whole[:40])
    _problem(_ask(guarded, "GET", "/api/runs", headers={"authorization": f"Bearer fpd_{'q' * 43}"}), 401)
    assert _ask(guarded, "GET", "/api/runs", headers=keys.bearer("vera")).is_success  # for a minute
    path.write_text(whole)
    deadline = time.monotonic() + 10
    while not any("can be read again" in line["event"] for line in own_log()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sum("cannot be read" in line["event"] for line in own_log()) == 1


def test_no_secret_of_all_this_is_in_the_output_or_in_a_file_but_the_tokens_own(
    guarded: BackgroundServer, keys: Keyring, settings: ServerSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, secret in keys.secrets.items():
        _ask(guarded, "GET", "/api/runs", headers=keys.bearer(name))
        _ask(guarded, "GET", f"/api/runs?token={secret}")
        _ask(guarded, "GET", f"/api/runs/{secret}", headers=keys.bearer("vera"))
        _ask(guarded, "GET", f"/{secret}")
        _ask(guarded, "GET", "/api/runs", headers={"origin": f"http://{secret}"})
        _ask(guarded, "POST", "/api/session", json={"token": secret})
        _ask(guarded, "POST", "/api/session", json={"token": secret, "more": secret})
        with _socket(guarded, f"?run_id={secret}", additional_headers=keys.bearer("vera")) as socket:
            assert _close_code(socket) in (4400, 4403)
        with _socket(guarded, subprotocols=["fpd", f"fpd.token.{secret}"]) as socket:
            assert socket.subprotocol == "fpd"
    written = "".join(capfd.readouterr())
    for file in Path(settings.log_dir).rglob("*"):
        if file.is_file():
            written += file.read_bytes().decode("latin-1")
    for secret in keys.secrets.values():
        assert secret not in written


def test_two_servers_on_one_database_know_the_same_tokens(
    settings: ServerSettings, start: Callable[..., BackgroundServer], postgres_url: str, wait_until: Callable[..., None]
) -> None:
    shared = open_tokens(settings.log_dir, postgres_url)
    token, secret = issue("vera", "viewer", now=time.time())
    shared.add(token)
    bearer = {"authorization": f"Bearer {secret}"}
    first = start(require_token=True, database=postgres_url)
    second = start(require_token=True, database=postgres_url, log_dir=settings.log_dir.with_name("other"))
    try:
        for server in (first, second):
            assert _ask(server, "GET", "/api/session", headers=bearer).json()["name"] == "vera"
        assert not (settings.log_dir / ".server" / "tokens.json").exists()
        with _socket(second, additional_headers=bearer) as viewer:
            assert json.loads(viewer.recv(timeout=20))["type"] == "subscribed"
            shared.remove("vera")
            assert _close_code(viewer) == 4401
        wait_until(
            lambda: all(
                _ask(server, "GET", "/api/runs", headers=bearer).status_code == 401 for server in (first, second)
            ),
            "both had heard of it",
        )
    finally:
        shared.remove("vera")
        shared.close()
