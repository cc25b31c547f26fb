"""What the application answers, whoever asks."""

import json

import httpx
import pytest

from federated_pneumonia_detection.progress.messages import RunEdited, RunQueued
from federated_pneumonia_detection.server.service import Service
from federated_pneumonia_detection.server.settings import ServerSettings

OWN = "http://localhost:8000"
LOOPBACK = "http://127.0.0.1:5173"
NAMED = "http://lab.example:3000"
FOREIGN = "http://evil.example"


def _is_problem(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    return problem


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8000", "10.0.0.1:8000", ""])
async def test_another_host_name_gets_nothing(client: httpx.AsyncClient, host: str) -> None:
    _is_problem(await client.get("/api/runs", headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.0.0.1"])
async def test_loopback_names_are_fine(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/api/runs", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("origin", [None, OWN, LOOPBACK, NAMED])
async def test_these_may_read(client: httpx.AsyncClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    response = await client.get("/api/runs/a-run/document", headers=headers)
    assert response.status_code == 200
    assert response.headers.get("access-control-allow-origin") == origin
    if origin is not None:
        assert "ETag" in response.headers["access-control-expose-headers"]
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("origin", [FOREIGN, "null", "", "https://localhost.evil.example"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_a_foreign_origin_may_nothing(client: httpx.AsyncClient, origin: str, method: str) -> None:
    response = await client.request(method, "/api/runs/a-run", headers={"origin": origin})
    _is_problem(response, 403)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", [LOOPBACK, NAMED])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/centralized/train"),
        ("POST", "/api/federated/train"),
        ("POST", "/api/runs/a-run/cancel"),
        ("POST", "/api/runs/a-run/pause"),
        ("POST", "/api/runs/a-run/resume"),
        ("PATCH", "/api/runs/a-run"),
        ("DELETE", "/api/runs/a-run"),
    ],
)
async def test_a_reader_of_another_port_may_not_change_anything(
    client: httpx.AsyncClient, hub: object, origin: str, method: str, path: str
) -> None:
    _is_problem(await client.request(method, path, headers={"origin": origin}, json={}), 403)
    preflight = await client.options(path, headers={"origin": origin, "access-control-request-method": method})
    _is_problem(preflight, 403)


async def test_a_reader_may_ask_before_it_reads(client: httpx.AsyncClient) -> None:
    preflight = await client.options(
        "/api/runs",
        headers={
            "origin": LOOPBACK,
            "access-control-request-method": "GET",
            "access-control-request-headers": "if-none-match",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == LOOPBACK
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]
    assert "POST" not in preflight.headers["access-control-allow-methods"]


async def test_the_own_page_and_a_program_may_start(client: httpx.AsyncClient, hub: object) -> None:
    for headers in ({"origin": OWN}, {}):
        body = {"source_path": "phantoms", "epochs": 2}
        response = await client.post("/api/centralized/train", json=body, headers=headers)
        assert response.status_code == 202, response.text
        run_id = response.json()["run_id"]
        assert response.headers["location"] == f"/api/runs/{run_id}"
        assert hub.expected[-1] == run_id  # type: ignore[attr-defined]
        told = hub.said[-1]  # type: ignore[attr-defined]
        assert told[0] == run_id
        assert isinstance(told[1], RunQueued)
        assert told[1].total_epochs == 2


async def test_what_is_started_is_the_command_line(client: httpx.AsyncClient, settings: ServerSettings) -> None:
    body = {"source_path": "phantoms", "experiment_name": "-x y", "num_rounds": 2, "config": {"seed": 7}}
    run_id = (await client.post("/api/federated/train", json=body)).json()["run_id"]

    job = json.loads((settings.jobs_dir / run_id / "job.json").read_text())

    home = settings.jobs_dir.resolve() / run_id
    assert job["command"] == [
        *settings.training_command,
        "train",
        "federated",
        "phantoms",
        "--config",
        str(home / "config.yaml"),
        "--experiment-name",
        "-x y",
        "--run-id",
        run_id,
        "--log-dir",
        str(settings.log_dir.resolve()),
        "--checkpoint-dir",
        str(settings.checkpoints.resolve() / run_id),
    ]
    assert "seed: 7" in (home / "config.yaml").read_text()
    assert job["total"] == 2


async def test_every_answer_tells_a_browser_to_be_careful(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/runs", "/api/nothing", "/docs"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "script-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/ws", "/ws/x", "/api/runs/", "/api/injest"])
async def test_an_unknown_path_below_api_or_ws_is_a_404_and_never_the_page(
    client: httpx.AsyncClient, path: str
) -> None:
    _is_problem(await client.get(path, headers={"accept": "text/html"}), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/api/runs", "GET"), ("GET", "/api/centralized/train", "POST"), ("POST", "/api/runs/a-run", "DELETE")],
)
async def test_a_method_that_does_not_fit_is_a_405_that_names_those_that_do(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)
    _is_problem(response, 405)
    assert allowed in response.headers["allow"]


async def test_a_websocket_path_asked_for_as_a_page_says_what_it_is(client: httpx.AsyncClient) -> None:
    _is_problem(await client.get("/ws/training-progress"), 426)


async def test_a_defect_of_ours_is_a_500_without_its_insides(
    client: httpx.AsyncClient, hub: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(hub, "runs", fail)
    response = await client.get("/api/runs", headers={"origin": LOOPBACK})
    _is_problem(response, 500)
    assert "secret" not in response.text
    assert response.headers["access-control-allow-origin"] == LOOPBACK


async def test_a_document_that_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/runs/latest/document")
    assert first.json() == {"metadata": {}}
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await client.get("/api/runs/latest/document", headers={"if-none-match": known})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
    other = await client.get("/api/runs/latest/document", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


async def test_a_run_opens_with_one_request(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/runs/latest/page")
    assert answer.json() == {"log_id": "a-log", "top": 0}
    assert answer.headers["cache-control"] == "no-store"


async def test_what_is_edited_is_said_and_what_is_left_out_is_not(client: httpx.AsyncClient, hub: object) -> None:
    response = await client.patch("/api/runs/latest", json={"name": "Best", "tags": ["a"]})
    assert response.status_code == 200
    assert hub.said == [("a-run", RunEdited(name="Best", tags=["a"]))]  # type: ignore[attr-defined]
    await client.patch("/api/runs/latest", json={})
    assert len(hub.said) == 1  # type: ignore[attr-defined]


async def test_an_export_is_a_file(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/runs/a-run/export?format=csv")
    assert response.text == "a,b\n"
    assert response.headers["content-type"].startswith("text/csv")
    assert 'filename="a-run.csv"' in response.headers["content-disposition"]


async def test_a_run_that_has_ended_cannot_be_cancelled(client: httpx.AsyncClient) -> None:
    assert "completed" in str(_is_problem(await client.post("/api/runs/a-run/cancel"), 409)["title"])


@pytest.mark.parametrize("what", ["pause", "resume"])
async def test_a_run_that_is_complete_neither_waits_nor_goes_on(client: httpx.AsyncClient, what: str) -> None:
    assert _is_problem(await client.post(f"/api/runs/a-run/{what}"), 409)["title"]


async def test_the_output_of_a_run_that_is_not_ours_is_a_404(client: httpx.AsyncClient) -> None:
    _is_problem(await client.get("/api/runs/a-run/log"), 404)


@pytest.mark.parametrize(("part", "status"), [("bytes=5-1", 400), ("lines=1-2", 400), ("bytes=900-", 416)])
async def test_a_part_of_the_output_that_is_none_is_a_problem(
    client: httpx.AsyncClient, service: Service, part: str, status: int
) -> None:
    output = service.supervisor.jobs.directory("a-run").output
    output.parent.mkdir(parents=True)
    output.write_text("epoch 1\n")
    assert (await client.get("/api/runs/a-run/log", headers={"Range": "bytes=-2"})).text == "1\n"
    answer = await client.get("/api/runs/a-run/log", headers={"Range": part})
    assert "Range" in str(_is_problem(answer, status)["title"])
    assert (answer.headers.get("content-range") == "bytes */8") == (status == 416)


@pytest.mark.parametrize(
    "edit",
    [{"name": "a\nb"}, {"name": "\x1b[31m"}, {"tags": ["ok", "a\tb"]}, {"notes": "a\x00"}, {"notes": "a\r\x85"}],
)
async def test_a_control_character_is_no_part_of_a_name_or_a_note(
    client: httpx.AsyncClient, hub: object, edit: dict[str, object]
) -> None:
    assert "control character" in str(_is_problem(await client.patch("/api/runs/latest", json=edit), 422))
    assert hub.said == []  # type: ignore[attr-defined]


async def test_a_note_has_lines_and_tabs(client: httpx.AsyncClient, hub: object) -> None:
    assert (await client.patch("/api/runs/latest", json={"notes": "one\n\ttwo"})).status_code == 200
    assert hub.said == [("a-run", RunEdited(notes="one\n\ttwo"))]  # type: ignore[attr-defined]


async def test_health_readiness_and_numbers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["status"] == "ok"
    assert (await client.get("/readyz")).status_code == 200
    text = (await client.get("/metrics")).text
    assert 'fpd_runs{status="completed"} 1.0' in text
    assert "fpd_hub_top 0.0" in text


@pytest.mark.parametrize("kind", ["centralized", "federated"])
async def test_the_configuration_explains_itself(client: httpx.AsyncClient, kind: str) -> None:
    schema = (await client.get(f"/api/config/schema?kind={kind}")).json()
    assert schema["properties"]["batch_size"]["description"]
    assert ("num_rounds" in schema["properties"]) == (kind == "federated")


async def test_every_operation_is_described_and_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (method, path, parameter)

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return here + [ref for item in value.values() for ref in references(item)]
        return [ref for item in value for ref in references(item)] if isinstance(value, list) else []

    names = {ref.removeprefix("#/components/schemas/") for ref in references(document)}
    assert names <= document["components"]["schemas"].keys()


async def test_the_documentation_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "POST /api/centralized/train" in page
    assert "<script" not in page
    assert "//" not in page.replace("http://localhost", "").split("<h1>")[0]
