"""Schemathesis sends what the document promises of `POST /api/ingest`, and batches that were changed byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from shipments import body, end_line, line, round_end

from federated_pneumonia_detection.server.serving import BackgroundServer

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BATCH = body(
    line(1), round_end(2), line(3, "step", epoch=1, step=1, total_steps=1, phase="train", metrics={}), end_line(4)
)


@schemathesis.serializer("application/x-ndjson")
def as_it_is(context: Any, value: Any) -> bytes:
    """Any text as the bytes of a body."""
    return str(value).encode("utf-8", "replace")


def _journals(server: BackgroundServer) -> list[Path]:
    return sorted(server.service.settings.log_dir.glob("*.jsonl"))


def test_no_request_gets_an_answer_that_the_document_does_not_promise(shared_server: BackgroundServer) -> None:
    schema = schemathesis.openapi.from_url(f"{shared_server.url}/openapi.json")
    operation = schema["/api/ingest"]["POST"]

    @FEW
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        response = case.call(base_url=shared_server.url)
        # Any text is a body to the document; to the server it is lines of a journal or nothing.
        case.validate_response(response, excluded_checks=[positive_data_acceptance])

    hold()
    assert _journals(shared_server) == []


@pytest.mark.parametrize("how", ["flip", "cut", "double", "swap"])
def test_a_batch_that_was_changed_anywhere_is_refused_or_is_what_it_was(
    shared_server: BackgroundServer, how: str
) -> None:
    before = _journals(shared_server)
    client = httpx.Client(base_url=shared_server.url, headers={"content-type": "application/x-ndjson"})

    @FEW
    @given(st.integers(0, len(BATCH) - 1), st.integers(0, 7))
    def hold(at: int, bit: int) -> None:
        if how == "flip":
            changed = BATCH[:at] + bytes([BATCH[at] ^ 1 << bit]) + BATCH[at + 1 :]
        elif how == "cut":
            changed = BATCH[:at]
        elif how == "double":
            changed = BATCH[:at] + BATCH
        else:
            changed = BATCH[at:] + BATCH[:at]
        if changed == BATCH:
            return
        answer = client.post("/api/ingest", content=changed)
        if answer.status_code == 200:
            # Cut behind a line it is a batch, too; nothing else is.
            assert how == "cut"
            assert changed.endswith(b"\n")
        else:
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"

    with client:
        hold()
    assert how == "cut" or _journals(shared_server) == before
    assert httpx.get(f"{shared_server.url}/healthz").status_code == 200
