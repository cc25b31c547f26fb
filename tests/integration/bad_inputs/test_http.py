"""Everything that may be wrong in a request: its own clear answer, nothing changed, and the server lives."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from federated_pneumonia_detection.server import bodies
from federated_pneumonia_detection.server.serving import BackgroundServer

TRAIN = "/api/centralized/train"
FEDERATED = "/api/federated/train"


def _problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content, parse_constant=lambda name: pytest.fail(f"{name} echoed"))
    assert problem["status"] == status
    assert problem["title"]
    assert "\n" not in problem["title"]
    assert "Traceback" not in response.text
    return problem


def _post(http: httpx.Client, body: bytes | str, path: str = TRAIN) -> httpx.Response:
    return http.post(path, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "epochs=3",
        "\x00",
        b"\xff\xfe{\x00}\x00",
        '{"epochs": NaN}',
        '{"config": {"learning_rate": Infinity}}',
        '{"config": {"learning_rate": -Infinity}}',
        '{"config": {"learning_rate": 1e309}}',
        '{"experiment_name": "\\ud800"}',
        '{"epochs": 1,}',
        '{"epochs": 01}',
        "[]",
        "null",
        "3",
        '"text"',
        "[[1]]",
        "[" * 50_000,
        "[" * 50_000 + "]" * 50_000,
        '{"config":' * 50_000 + "1" + "}" * 50_000,
        '{"a":[' * 20_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_json_object_is_a_422(http: httpx.Client, body: str | bytes) -> None:
    assert "body" in _problem(_post(http, body), 422)["title"]


NUMBERS = [
    (path, where)
    for path, wheres in (
        (TRAIN, ["epochs", "config.epochs", "config.batch_size", "config.learning_rate", "config.image_size"]),
        (FEDERATED, ["num_clients", "num_rounds", "local_epochs", "alpha", "config.num_rounds", "config.threshold"]),
    )
    for where in wheres
]


@pytest.mark.parametrize("value", ["-1", "1000000000000", '"ten"', "true", "[]", "{}", '"3"', "1" + "0" * 4000])
@pytest.mark.parametrize(("path", "where"), NUMBERS)
def test_a_number_that_is_none_or_out_of_range_is_told_with_its_place(
    http: httpx.Client, path: str, where: str, value: str
) -> None:
    body = value
    for part in reversed(where.split(".")):
        body = f'{{"{part}": {body}}}'
    problem = _problem(_post(http, body, path), 422)
    if len(value) < 1000:  # longer ones are no number to a JSON parser any more
        assert problem["errors"][0]["where"] == where
        assert problem["errors"][0]["right"]


@pytest.mark.parametrize("value", ["0", "1.5", "null"])
@pytest.mark.parametrize("where", ["num_clients", "num_rounds", "local_epochs"])
def test_counts_are_whole_and_at_least_one(http: httpx.Client, where: str, value: str) -> None:
    assert _problem(_post(http, f'{{"{where}": {value}}}', FEDERATED), 422)["errors"][0]["where"] == where


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../x",
        "/etc/x",
        "a/b",
        "a\\b",
        "..",
        "x" * 201,
        "x" * 300,
        "with\0nul",
        "with\nnewline",
        "\x1b[31mred",
        "rtl\u202eemit",
        " ",
        "x" * 1_000_000,
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_an_experiment_name_that_is_none_is_told(http: httpx.Client, name: str) -> None:
    response = http.post(TRAIN, json={"experiment_name": name})
    if len(name) >= 1_000_000:
        _problem(response, 413)
    else:
        problem = _problem(response, 422)
        assert problem["errors"][0]["where"] == "experiment_name"
        assert problem["errors"][0]["right"]


@pytest.mark.parametrize("value", ["null", "3", "[]", "{}", "true"])
def test_a_name_that_is_no_text_is_told(http: httpx.Client, value: str) -> None:
    assert _problem(_post(http, f'{{"experiment_name": {value}}}'), 422)["errors"][0]["where"] == "experiment_name"


@pytest.mark.parametrize(
    ("path", "body", "place", "meant"),
    [
        (TRAIN, {"epoch": 3}, "epoch", "epochs"),
        (TRAIN, {"sourcepath": "phantoms"}, "sourcepath", "source_path"),
        (TRAIN, {"config": {"batchsize": 3}}, "config.batchsize", "batch_size"),
        (TRAIN, {"config": {"lerning_rate": 3}}, "config.lerning_rate", "learning_rate"),
        (FEDERATED, {"num_client": 3}, "num_client", "num_clients"),
        (FEDERATED, {"config": {"strategie": "fedavg"}}, "config.strategie", "strategy"),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(
    http: httpx.Client, path: str, body: dict[str, Any], place: str, meant: str
) -> None:
    error = _problem(http.post(path, json=body), 422)["errors"][0]
    assert error["where"] == place
    assert meant in error["right"]


@pytest.mark.parametrize(("field", "value"), [("partition", "by-moon"), ("strategy", "fedlol"), ("engine", "steam")])
def test_a_word_that_is_not_listed_is_told_with_the_list(http: httpx.Client, field: str, value: str) -> None:
    error = _problem(http.post(FEDERATED, json={field: value}), 422)["errors"][0]
    assert error["where"] == field
    assert "or" in error["right"]


def test_every_fault_of_a_body_is_told_at_once(http: httpx.Client) -> None:
    errors = _problem(http.post(TRAIN, json={"epochs": 0, "config": {"batch_size": "a", "x": 1}}), 422)["errors"]
    assert {error["where"] for error in errors} == {"epochs", "config.batch_size", "config.x"}


@pytest.mark.parametrize(
    "source",
    [
        "/etc/passwd",
        "/",
        "../../../../etc",
        "no-such-file.npz",
        "a\0b",
        "x" * 4000,
        "~nobody-like-that/x",
        "",
        "http://example.org/data.zip",
        "LINK",
        "NOT_A_SOURCE",
        "MISSING",
    ],
    ids=lambda source: ascii(source[:20]),
)
def test_a_source_that_is_not_there_or_not_allowed_is_told(
    http: httpx.Client, shared_server: BackgroundServer, source: str
) -> None:
    root = shared_server.service.settings.data_roots[0]
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("/etc")
        (root / "notes.txt").write_text("no images")
    given = {"LINK": root / "link", "NOT_A_SOURCE": root / "notes.txt", "MISSING": root / "missing.npz"}
    problem = _problem(http.post(TRAIN, json={"source_path": str(given.get(source, source))}), 422)
    assert problem["errors"][0]["where"] == "source_path"
    assert problem["errors"][0]["right"]


def test_what_lies_outside_the_data_roots_is_not_told(http: httpx.Client) -> None:
    there = http.post(TRAIN, json={"source_path": "/etc/passwd"}).json()
    not_there = http.post(TRAIN, json={"source_path": "/etc/passwd-not-there"}).json()
    assert there["title"] == not_there["title"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_said_to_be_json_is_a_415(http: httpx.Client, kind: str) -> None:
    _problem(http.post(TRAIN, content=b'{"epochs": 1}', headers={"content-type": kind}), 415)


def test_a_body_without_end_is_cut_off(http: httpx.Client) -> None:
    sent = 0

    def gigabyte() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1024):
            sent += 1024 * 1024
            yield b" " * 1024 * 1024

    try:
        response = http.post(TRAIN, content=gigabyte(), headers={"content-type": "application/json"})
    except httpx.TransportError:
        pass  # the answer came while we were still sending, and the connection was closed
    else:
        _problem(response, 413)
    assert sent < 100 * 1024 * 1024


def _raw(server: BackgroundServer, request: bytes, *, then_close: bool = False) -> bytes:
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as line:
        line.sendall(request)
        if then_close:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := line.recv(65_536):
            answer += chunk
    return answer


def test_a_length_that_says_too_much_is_refused_before_anything_is_read(
    http: httpx.Client, shared_server: BackgroundServer
) -> None:
    head = b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = _raw(shared_server, head + b"Content-Length: 1000000000\r\nConnection: close\r\n\r\n{}", then_close=True)
    assert b" 413 " in answer.splitlines()[0]


def test_a_body_shorter_than_its_length_changes_nothing(http: httpx.Client, shared_server: BackgroundServer) -> None:
    head = b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    _raw(shared_server, head + b"Content-Length: 100\r\n\r\n{}", then_close=True)


def test_a_length_that_is_no_number_is_a_400(http: httpx.Client, shared_server: BackgroundServer) -> None:
    head = b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 400 " in _raw(shared_server, head + b"Content-Length: ten\r\nConnection: close\r\n\r\n{}").splitlines()[0]


def test_a_body_that_comes_too_slowly_is_given_up(
    http: httpx.Client, shared_server: BackgroundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "READ_WITHIN_S", 0.2)
    head = b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 408 " in _raw(shared_server, head + b"Content-Length: 10\r\n\r\n{").splitlines()[0]


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/none",
        "/api/runs/none/events",
        "/api/runs/none/stream",
        "/api/runs/none/document",
        "/api/runs/none/series",
        "/api/runs/none/export",
        "/api/runs/none/log",
        "/api/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/runs/..%2f..%2fetc/log",
        "/api/runs/%252e%252e%252fetc/log",
        "/api/runs/a%00b",
        "/api/runs/" + "x" * 5000,
        "/api/runs/%ff%fe",
        "/api/runs/latest%2f",
    ],
)
def test_a_run_that_is_not_there_is_a_404(http: httpx.Client, path: str) -> None:
    _problem(http.get(path), 404)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_run_that_is_not_there_can_be_neither_changed_nor_cancelled(http: httpx.Client, method: str) -> None:
    _problem(http.request(method, "/api/runs/none" + ("/cancel" if method == "POST" else ""), json={}), 404)


@pytest.mark.parametrize(
    "query",
    [
        "runs?page=-1",
        "runs?page=0",
        "runs?page=x",
        "runs?limit=0",
        "runs?limit=1000000000000000000",
        "runs?limit=" + "9" * 5000,
        "runs?status=flying",
        "runs?mode=flying",
        "runs?sort=flying",
        "runs?q=" + "x" * 5000,
        "events?after=-1",
        "events?after=text",
        "events?after=1e3",
        "events?after=99999999999999999999",
        "events?limit=-1",
        "events?limit=1000000000000000000",
        "events?wait=-1",
        "events?wait=nan",
        "events?wait=inf",
        "events?wait=1e9",
        "stream?after=-1",
        "config/schema?kind=flying",
    ],
)
def test_a_bad_parameter_is_a_422_that_names_it(http: httpx.Client, query: str) -> None:
    problem = _problem(http.get(f"/api/{query}"), 422)
    assert query.split("?")[1].split("=")[0] in problem["errors"][0]["where"]


@pytest.mark.parametrize("last", ["x", "log:", ":3", "log:-1", "log:3x", "log:99999999999999999999"])
def test_a_last_event_id_that_is_none_of_ours_is_a_422(http: httpx.Client, last: str) -> None:
    _problem(http.get("/api/stream", headers={"Last-Event-ID": last}), 422)


def test_an_offset_beyond_the_top_or_of_another_log_is_answered_with_a_new_start(http: httpx.Client) -> None:
    for query in ("after=999999", "after=0&log_id=another"):
        assert http.get(f"/api/events?{query}").json()["recovered"] is False


@pytest.mark.parametrize("method", ["PUT", "TRACE", "PROPFIND", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/runs", TRAIN, "/healthz", "/ws/training-progress"])
def test_a_verb_that_does_not_fit_is_a_405_that_names_those_that_do(http: httpx.Client, method: str, path: str) -> None:
    response = http.request(method, path)
    assert response.status_code in (405, 426)
    _problem(response, response.status_code)


@pytest.mark.parametrize(
    "path",
    [
        "/api/%2e%2e/etc",
        "/..%2f..%2fetc/passwd",
        "/%00",
        "/assets/%2e%2e/%2e%2e/serving.py",
        "/assets/..%5c..%5cx",
        "/api/runs/%2525",
        "/api//runs",
    ],
)
def test_an_encoded_separator_leads_nowhere(http: httpx.Client, path: str) -> None:
    _problem(http.get(path), 404)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\0\0\0\0",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /api/centralized/train HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
    ids=["version", "TLS", "a long line", "two lengths", "no chunk"],
)
def test_what_is_no_request_is_a_400(http: httpx.Client, shared_server: BackgroundServer, request_bytes: bytes) -> None:
    address = urlsplit(shared_server.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20) as line:
        line.sendall(request_bytes)
        assert b" 400 " in line.recv(4096).splitlines()[0]
