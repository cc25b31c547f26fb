"""Schemathesis makes requests of the OpenAPI document and holds the answers to it. Bounded in number and in time."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

from federated_pneumonia_detection.server.serving import BackgroundServer

# A stream has no end, so no answer either that could be held to anything.
OPERATIONS = [
    "GET /api/runs",
    "GET /api/runs/{run_id}",
    "PATCH /api/runs/{run_id}",
    "DELETE /api/runs/{run_id}",
    "GET /api/runs/{run_id}/log",
    "GET /api/runs/{run_id}/document",
    "GET /api/runs/{run_id}/page",
    "GET /api/runs/{run_id}/checkpoints",
    "GET /api/runs/{run_id}/series",
    "GET /api/runs/{run_id}/export",
    "GET /api/runs/{run_id}/events",
    "POST /api/runs/{run_id}/cancel",
    "POST /api/runs/{run_id}/pause",
    "POST /api/runs/{run_id}/resume",
    "GET /api/events",
    "POST /api/centralized/train",
    "POST /api/federated/train",
    "GET /api/config/schema",
    "GET /api/data/sources",
    "GET /api/data/source",
    "GET /api/data/images/{split}/{n}",
    "GET /api/data/runs/{run_id}",
    "POST /api/prune",
    "GET /api/alerts",
    "GET /api/rules",
    "POST /api/rules",
    "DELETE /api/rules/{rule_id}",
    "GET /api/session",
    "POST /api/session",
    "DELETE /api/session",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
]
STREAMS = ["GET /api/stream", "GET /api/runs/{run_id}/stream"]


@cache
def _operations(url: str) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


def test_every_operation_is_tried(shared_server: BackgroundServer) -> None:
    # What sites ship has a table of its own.
    assert sorted(_operations(shared_server.url).keys() - {"POST /api/ingest"}) == sorted(OPERATIONS + STREAMS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_gets_an_answer_that_the_document_does_not_promise(
    shared_server: BackgroundServer, label: str
) -> None:
    operation = _operations(shared_server.url)[label]

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        if label.endswith("/train") and isinstance(case.body, dict):
            # A right body would start a training; that a source elsewhere is refused is asked anyway.
            case.body = {**case.body, "source_path": "/outside"}
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        response = case.call(base_url=shared_server.url)
        # That a source lies elsewhere, that one of two fields is needed, or what a rule's words are, is no matter of a
        # schema.
        free = label.endswith(("/train", "/prune", "POST /api/rules")) or "/api/data" in label
        excluded = [positive_data_acceptance] if free else []
        case.validate_response(response, excluded_checks=excluded)

    hold()
