"""Journals of other machines over HTTP: what is taken, what is refused and how, and what follows from who vouches."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from shipments import body, end_line, first_line, line, round_end

from federated_pneumonia_detection.server.access.token_store import open_tokens
from federated_pneumonia_detection.server.access.tokens import issue
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
def token(settings: ServerSettings) -> Callable[..., dict[str, str]]:
    """Makes a token: the header that shows it."""

    def make(role: Any, *, name: str = "", expires: float | None = None, **site: Any) -> dict[str, str]:
        made, secret = issue(name or role, role, now=time.time(), expires=expires, **site)
        settings.log_dir.mkdir(exist_ok=True)
        open_tokens(settings.log_dir, None).add(made)
        return {"authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def operator(token: Callable[..., dict[str, str]]) -> dict[str, str]:
    return token("operator")


@pytest.fixture
def server(operator: dict[str, str], start: Callable[..., BackgroundServer]) -> BackgroundServer:
    """A server that demands tokens, of which there has to be one before it starts."""
    return start(require_token=True)


@pytest.fixture
def http(server: BackgroundServer, operator: dict[str, str]) -> Iterator[httpx.Client]:
    """An operator."""
    with httpx.Client(base_url=server.url, timeout=30, headers=operator) as client:
        yield client


@pytest.fixture
def site(http: httpx.Client, token: Callable[..., dict[str, str]]) -> dict[str, str]:
    return token("site", site="site-a", clients=("ward",))


def _ship(http: httpx.Client, batch: bytes, as_: dict[str, str] | None = None, **asked: Any) -> httpx.Response:
    return http.post("/api/ingest", content=batch, params=asked, headers={**LINES, **(as_ or {})})


def _problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert problem["title"]
    assert "\n" not in problem["title"]
    assert "Traceback" not in response.text
    return problem


def _until(condition: Callable[[], Any], what: str, within_s: float = 20) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)
    return found


def _run(http: httpx.Client, run_id: str = "run") -> dict[str, Any]:
    return dict(http.get(f"/api/runs/{run_id}").json())


def _messages(http: httpx.Client, run_id: str = "run") -> list[dict[str, Any]]:
    return list(http.get(f"/api/runs/{run_id}/events", params={"after": 0}).json().get("messages", []))


def _age(server: BackgroundServer, seconds: float, name: str = "run.ward.jsonl") -> None:
    """As if nobody had been heard for so long."""
    at = time.time() - seconds
    os.utime(server.service.settings.log_dir / name, (at, at))


STARTS = line(1, "round_start", round=1, total_rounds=3)


# --- what is taken ----------------------------------------------------------------------------------------------


def test_what_a_site_ships_is_a_run_like_any_other(http: httpx.Client, site: dict[str, str]) -> None:
    assert _ship(http, body(STARTS, round_end(2)), site).json() == {"writer": "w1", "acked": 2}

    _until(lambda: http.get("/api/runs/run").status_code == 200 and len(_messages(http)) == 2, "both are there")
    first, second = _messages(http)
    assert (first["type"], first["client_id"], first["timestamp"]) == (
        "round_start",
        "ward",
        "2026-01-31T12:00:00+00:00",
    )
    assert second["eval_metrics"] == {"val_auroc": 0.9}
    assert second["received"] > second["timestamp"]
    assert [message["offset"] for message in (first, second)] == [1, 2]


def test_a_batch_twice_changes_nothing(http: httpx.Client, site: dict[str, str], server: BackgroundServer) -> None:
    for _ in range(3):
        assert _ship(http, body(STARTS, round_end(2)), site).json()["acked"] == 2
    _until(lambda: server.service.hub.top == 2, "it is committed")
    assert len((server.service.settings.log_dir / "run.ward.jsonl").read_bytes().splitlines()) == 3


def test_a_packed_batch_is_unpacked(http: httpx.Client, site: dict[str, str]) -> None:
    packed = gzip.compress(body(STARTS, *(line(n, data="x" * 1000) for n in range(2, 3000))))
    assert len(packed) < 1_000_000
    assert _ship(http, packed, {**site, "content-encoding": "gzip"}).json()["acked"] == 2999


def test_a_jump_names_what_is_expected(http: httpx.Client, site: dict[str, str]) -> None:
    assert _problem(_ship(http, body(line(5)), site), 409)["expected"] == 1
    _ship(http, body(STARTS), site)
    problem = _problem(_ship(http, body(line(5)), site), 409)
    assert (problem["expected"], problem["n"]) == (2, 5)
    assert _ship(http, body(line(5)), site, skipped=3).json()["acked"] == 5


def test_odd_names_and_clocks_are_kept_as_they_are_and_stay_text(http: httpx.Client, site: dict[str, str]) -> None:
    name = "<script>alert(1)</script>"
    old, future = "1970-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"
    batch = body(
        line(1, "round_start", round=1, total_rounds=9, timestamp=old),
        round_end(2, eval_metrics={name: 0.5, "val_auroc": 0.7}, timestamp=future),
        line(3, "__proto__", data={"x": name}, timestamp=old),
    )
    assert _ship(http, batch, site).json()["acked"] == 3
    _until(lambda: http.get("/api/runs/run").status_code == 200 and len(_messages(http)) == 3, "all are there")

    answer = http.get("/api/runs/run/events", params={"after": 0})
    assert answer.json()["messages"][1]["eval_metrics"][name] == 0.5
    assert [message["timestamp"] for message in answer.json()["messages"]] == [old, future, old]
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert _run(http)["status"] == "running"
    for path in ("document", "series", "export?format=csv"):
        assert http.get(f"/api/runs/run/{path}").status_code == 200


@pytest.mark.parametrize(
    ("sent", "words"),
    [("1970-01-01T00:00:00+00:00", "behind the clock here"), ("2100-01-01", "ahead of the clock here")],
)
def test_a_clock_that_is_wrong_is_told_once(http: httpx.Client, site: dict[str, str], sent: str, words: str) -> None:
    for number in (1, 2):
        _ship(http, body(line(number, timestamp=f"{sent[:4]}-01-01T00:00:00+00:00")), site, sent=sent)
    _until(lambda: [m for m in _messages(http) if m["type"] == "alert"], "it is told")
    _ship(http, body(line(3)), site, sent=sent)
    _until(lambda: len([m for m in _messages(http) if m["type"] == "said"]) == 3, "all is there")
    (alert,) = [m for m in _messages(http) if m["type"] == "alert"]
    assert alert["title"] == "The clock of site-a is wrong"
    assert words in alert["text"]
    assert alert["client_id"] == "ward"


def test_a_deleted_database_is_rebuilt_from_what_was_shipped(
    start: Callable[..., BackgroundServer], settings: ServerSettings
) -> None:
    with httpx.Client() as client:
        first = start()
        client.post(f"{first.url}/api/ingest", content=body(STARTS, round_end(2)), headers=LINES).raise_for_status()
        _until(lambda: first.service.hub.top == 2, "it is committed")
        first.stop()
        for file in settings.log_dir.glob("hub.sqlite3*"):
            file.unlink()
        second = start()
        assert second.service.hub.top == 2
        asked = client.post(f"{second.url}/api/ingest", content=body(), headers=LINES)
        assert asked.json()["acked"] == 2


def test_a_run_that_was_deleted_does_not_come_back(http: httpx.Client, site: dict[str, str]) -> None:
    ended = body(line(1, "round_start", round=1, total_rounds=1), round_end(2), end_line(3))
    _ship(http, ended, site)
    _until(lambda: http.get("/api/runs/run").status_code == 200 and _run(http)["status"] == "completed", "it has ended")
    assert http.delete("/api/runs/run").status_code in (200, 204)
    assert "Run run was deleted here" in _problem(_ship(http, ended, site), 410)["title"]
    _problem(_ship(http, body(), site), 410)
    assert http.get("/api/runs/run").status_code == 404


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.fixture
def unchanged(server: BackgroundServer) -> Iterator[None]:
    """What is refused leaves nothing behind, and the server lives."""
    journals = sorted(path.name for path in server.service.settings.log_dir.glob("*.jsonl"))
    yield
    assert sorted(path.name for path in server.service.settings.log_dir.glob("*.jsonl")) == journals
    assert list(server.service.settings.log_dir.parent.glob("*.jsonl")) == []
    assert server.service.hub.top == 0
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.usefixtures("unchanged")
class TestRefused:
    def test_without_a_token(self, server: BackgroundServer) -> None:
        _problem(httpx.post(f"{server.url}/api/ingest", content=body(STARTS), headers=LINES), 401)

    def test_with_a_wrong_token(self, http: httpx.Client) -> None:
        _problem(_ship(http, body(STARTS), {"authorization": "Bearer nobody-knows-this"}), 401)

    def test_with_an_expired_token(self, http: httpx.Client, token: Callable[..., dict[str, str]]) -> None:
        expired = token("site", name="old", site="site-a", clients=("ward",), expires=time.time() - 1)
        _problem(_ship(http, body(STARTS), expired), 401)

    def test_with_a_viewers_token(self, http: httpx.Client, token: Callable[..., dict[str, str]]) -> None:
        assert "viewer" in _problem(_ship(http, body(STARTS), token("viewer")), 403)["title"]

    def test_with_another_sites_client(self, http: httpx.Client, site: dict[str, str]) -> None:
        assert "'other'" in _problem(_ship(http, body(STARTS, client_id="other"), site), 403)["title"]

    def test_with_another_sites_name(self, http: httpx.Client, site: dict[str, str]) -> None:
        assert "site-a" in _problem(_ship(http, body(STARTS), site, site="site-b"), 403)["title"]

    def test_a_runs_own_journal(self, http: httpx.Client, site: dict[str, str]) -> None:
        _problem(_ship(http, body(STARTS, client_id=None), site), 403)

    def test_a_runs_end(self, http: httpx.Client, site: dict[str, str]) -> None:
        end = line(2, "training_complete", client_id=None, final_metrics={})
        problem = _problem(_ship(http, body(STARTS, end), site), 403)
        assert "training_complete without a client_id would end the whole run" in problem["title"]
        assert (problem["line"], problem["n"]) == (3, 2)

    def test_a_path_for_a_run(self, http: httpx.Client) -> None:
        for run_id in ("../../x", "/etc/passwd", "..", "a/b", "a\\b"):
            assert "run id" in _problem(_ship(http, body(STARTS, run_id=run_id)), 422)["title"]

    def test_a_path_for_a_site(self, http: httpx.Client) -> None:
        assert "site" in _problem(_ship(http, body(STARTS), site="../x"), 422)["title"]

    def test_a_damaged_line(self, http: httpx.Client, site: dict[str, str]) -> None:
        problem = _problem(_ship(http, body(STARTS, line(2).replace(b"said", b"sajd")), site), 422)
        assert "Line 3 is damaged" in problem["title"]
        assert problem["line"] == 3

    def test_names_too_long_and_too_many(self, http: httpx.Client, site: dict[str, str]) -> None:
        long = body(round_end(1, eval_metrics={"m" * 10_240: 1}))
        assert "10240 characters" in _problem(_ship(http, long, site), 422)["title"]
        many = body(round_end(1, eval_metrics={f"m{n}": 1 for n in range(10_000)}))
        assert "10000 metrics" in _problem(_ship(http, many, site), 422)["title"]

    def test_keys_missing_and_keys_that_are_not_the_senders(self, http: httpx.Client, site: dict[str, str]) -> None:
        missing = _problem(_ship(http, body(line(1, "round_end", round=1)), site), 422)
        assert "fit_metrics" in missing["title"]
        extra = _problem(_ship(http, body(line(1, offset=9)), site), 422)
        assert "`offset` is the hub's" in extra["title"]

    def test_another_kind_of_body(self, http: httpx.Client, site: dict[str, str]) -> None:
        for kind in ("application/json", "text/plain", ""):
            _problem(_ship(http, body(STARTS), {**site, "content-type": kind}), 415)
        _problem(_ship(http, body(STARTS), {**site, "content-encoding": "br"}), 415)
        _problem(_ship(http, body(STARTS), {**site, "content-encoding": "gzip, gzip"}), 415)

    def test_no_body(self, http: httpx.Client, site: dict[str, str]) -> None:
        _problem(_ship(http, b"", site), 422)

    def test_a_body_that_is_too_big(self, http: httpx.Client, site: dict[str, str]) -> None:
        _problem(_ship(http, body(STARTS) + b"x" * 1_000_000, site), 413)

        def pieces() -> Iterator[bytes]:
            for _ in range(20):
                yield b"x" * 100_000

        answer = http.post("/api/ingest", content=pieces(), headers={**LINES, **site})
        _problem(answer, 413)

    def test_a_bomb(self, http: httpx.Client, site: dict[str, str]) -> None:
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
        assert len(bomb) < 1_000_000
        problem = _problem(_ship(http, bomb, {**site, "content-encoding": "gzip"}), 413)
        assert "unpacked" in problem["title"]

    def test_a_gzip_that_is_none_not_whole_or_not_alone(self, http: httpx.Client, site: dict[str, str]) -> None:
        whole = gzip.compress(body(STARTS))
        for packed in (b"none", whole[:-4], whole[:40], whole + b"x", whole + whole):
            _problem(_ship(http, packed, {**site, "content-encoding": "gzip"}), 422)

    def test_parameters_that_are_none(self, http: httpx.Client, site: dict[str, str]) -> None:
        for asked in ({"skipped": -1}, {"skipped": "x"}, {"skipped": 10**30}, {"writer_state": "undead"}):
            _problem(_ship(http, body(STARTS), site, **asked), 422)


def test_a_first_line_that_changes(http: httpx.Client, site: dict[str, str]) -> None:
    _ship(http, body(STARTS), site)
    problem = _problem(_ship(http, body(line(2), experiment_name="another"), site), 409)
    assert "another one than before" in problem["title"]
    assert "expected" not in problem


def test_a_journal_that_another_site_began(
    http: httpx.Client, site: dict[str, str], token: Callable[..., dict[str, str]]
) -> None:
    _ship(http, body(STARTS), site)
    other = token("site", name="b", site="site-b", clients=("ward",))
    assert "site-a ships it" in _problem(_ship(http, body(round_end(2)), other), 403)["title"]


def test_refusals_and_lines_are_counted(http: httpx.Client, site: dict[str, str]) -> None:
    _ship(http, body(STARTS, round_end(2)), site)
    _ship(http, body(STARTS), site)
    _ship(http, body(line(9)), site)
    told = http.get("/metrics").text
    assert "fpd_server_ingested_lines_total 2.0" in told
    assert "fpd_server_ingest_refused_total 1.0" in told


# --- life and death ---------------------------------------------------------------------------------------------


def test_a_death_the_site_saw_is_judged_like_one_here(http: httpx.Client, site: dict[str, str]) -> None:
    _ship(http, body(STARTS), site, writer_state="dead")
    failed = _until(lambda: [m for m in _messages(http) if m["type"] == "client_failed"], "the death is told")
    assert failed[0]["error"] == "Its process (pid 7 on far-away) was killed or crashed"
    assert (failed[0]["client_id"], failed[0]["round"]) == ("ward", 1)
    assert _run(http)["status"] == "failed"
    _ship(http, body(), site, writer_state="dead")
    assert len([m for m in _messages(http) if m["type"] == "client_failed"]) == 1


def test_a_run_that_died_elsewhere_has_failed(http: httpx.Client) -> None:
    start = line(1, "run_start", client_id=None, experiment_name="exp", mode="centralized")
    _ship(http, body(start, client_id=None), writer_state="dead", site="lab")
    error = _until(lambda: [m for m in _messages(http) if m["type"] == "training_error"], "the death is told")
    assert error[0]["error"] == "The training process (pid 7 on far-away) was killed or crashed."
    assert (_run(http)["status"], _run(http)["pid"], _run(http)["hears_cancel"]) == ("failed", None, False)


def test_a_silent_site_is_lost_until_it_is_heard_again(http: httpx.Client, server: BackgroundServer) -> None:
    start = line(1, "run_start", client_id=None, experiment_name="exp", mode="centralized")
    epoch = line(2, "epoch_start", client_id=None, epoch=1, total_epochs=3)
    _ship(http, body(start, epoch, client_id=None), writer_state="alive", site="lab")
    _until(lambda: http.get("/api/runs/run").status_code == 200 and _run(http)["status"] == "running", "it runs")

    _age(server, 61, "run.jsonl")
    lost = _until(lambda: [m for m in _messages(http) if m["type"] == "alert"], "the silence is told")
    assert lost[0]["text"] == "no word from far-away for a minute"
    assert _run(http)["status"] == "lost"
    assert _run(http)["end_time"] is None

    # Nobody says anything, the site only vouches: that is a sign of life.
    _ship(http, body(client_id=None), writer_state="alive", site="lab")
    _until(lambda: _run(http)["status"] == "running", "it goes on")
    assert [m["title"] for m in _messages(http) if m["type"] == "alert"][1:] == ["Heard again"]

    _age(server, 200, "run.jsonl")
    _until(lambda: _run(http)["status"] == "lost", "it is silent again")
    # Its clock is months behind; that it speaks is what counts.
    _ship(http, body(line(3, "epoch_start", client_id=None, epoch=2, total_epochs=3), client_id=None), site="lab")
    _until(lambda: _run(http)["status"] == "running", "it goes on")

    _age(server, 300, "run.jsonl")
    _until(lambda: _run(http)["status"] == "lost", "it is silent once more")
    _ship(http, body(client_id=None), writer_state="dead", site="lab")
    _until(lambda: _run(http)["status"] == "failed", "its death is told though it was lost")


def test_a_silent_hospital_of_a_run_that_goes_on_is_lost_alone(http: httpx.Client, server: BackgroundServer) -> None:
    for client in ("ward", "other"):
        begins = line(1, "round_start", client_id=client, round=1, total_rounds=2)
        _ship(http, body(begins, client_id=client, writer=client), writer_state="alive")
    _until(lambda: http.get("/api/runs/run").status_code == 200 and len(_run(http)["clients"]) == 2, "both are there")

    _age(server, 61)
    _until(lambda: [m for m in _messages(http) if m["type"] == "alert"], "the silence is told")
    states = {client["client_id"]: (client["status"], client["words"]) for client in _run(http)["clients"]}
    assert states["ward"] == ("lost", "Lost: no word for a minute")
    assert states["other"][0] != "lost"
    assert _run(http)["status"] == "running"

    _ship(http, body(writer="ward"), writer_state="alive")
    _until(lambda: _run(http)["clients"][0]["status"] != "lost", "it goes on")


def test_a_server_that_starts_again_knows_when_it_was_vouched_for(
    start: Callable[..., BackgroundServer], settings: ServerSettings, tmp_path: Path
) -> None:
    first = start()
    with httpx.Client(base_url=first.url) as client:
        _ship(client, body(STARTS), writer_state="alive")
        _until(lambda: first.service.hub.top == 1, "it is committed")
    first.stop()
    _age(first, 50)
    second = start()
    with httpx.Client(base_url=second.url) as client:
        assert _run(client)["status"] == "running"
        _age(second, 61)
        _until(lambda: _run(client)["status"] == "lost", "its silence counts from before")


def test_an_end_that_was_shipped_is_an_end(http: httpx.Client, server: BackgroundServer) -> None:
    done = round_end(2, round=1)
    _ship(http, body(line(1, "round_start", round=1, total_rounds=1), done, end_line(3)), writer_state="unknown")
    _until(lambda: http.get("/api/runs/run").status_code == 200 and _run(http)["status"] == "completed", "it has ended")
    _age(server, 10_000)
    assert _ship(http, first_line(), writer_state="alive").json()["acked"] == 3
    assert _run(http)["status"] == "completed"
