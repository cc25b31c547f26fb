"""The guard around an application that a test plays."""

from __future__ import annotations

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from federated_pneumonia_detection.server import problems
from federated_pneumonia_detection.server.access.admission import Admission
from federated_pneumonia_detection.server.access.authority import Authority
from federated_pneumonia_detection.server.access.security import CALLER_KEY, Guard, caller_of, require
from federated_pneumonia_detection.server.access.tokens import Caller, Role
from federated_pneumonia_detection.server.problems import Problem


def _asked_by(caller: Caller | None) -> HTTPConnection:
    return HTTPConnection({"type": "http", "headers": [], CALLER_KEY: caller})


@pytest.mark.parametrize(
    ("caller", "role", "status"),
    [
        (Caller("v", "viewer"), "viewer", None),
        (Caller("v", "viewer"), "operator", 403),
        (Caller("s", "site", "north"), "site", None),
        (Caller("s", "site", "north"), "viewer", 403),
        (Caller("o", "operator"), "site", None),
        (None, "viewer", 401),
    ],
)
def test_a_route_asks_for_a_role(caller: Caller | None, role: Role, status: int | None) -> None:
    if status is None:
        assert require(role)(_asked_by(caller)) is caller
        return
    with pytest.raises(Problem) as refused:
        require(role)(_asked_by(caller))
    assert refused.value.status_code == status


def test_nobody_is_an_operator_where_no_guard_stands() -> None:
    with pytest.raises(Problem):
        caller_of(HTTPConnection({"type": "http", "headers": []}))


async def test_without_tokens_everybody_on_this_machine_is_an_operator_and_head_has_no_body() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/api/thing")
    async def thing(caller: Caller = Depends(require("operator"))) -> dict[str, str]:  # noqa: B008
        return {"name": caller.name}

    guarded = Guard(app, admission=Admission(Authority()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=guarded), base_url="http://localhost") as http:
        assert (await http.get("/api/thing")).json() == {"name": "local"}
        head = await http.head("/api/thing")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == "16"
        assert (await http.head("/api/nothing")).status_code == 404
