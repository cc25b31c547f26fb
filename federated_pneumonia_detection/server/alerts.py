"""What somebody should look at, over all runs, and the rules that say who is told of what."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from federated_pneumonia_detection.hub.alerts import END, LEVELS, Alerted
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.cancelling import SOMEBODY, by_whom
from federated_pneumonia_detection.server.openapi import Answers, answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of
from federated_pneumonia_detection.server.telling.postman import Standing
from federated_pneumonia_detection.server.telling.rules import Rule, rule_of
from federated_pneumonia_detection.server.telling.teller import RuleThere, TooManyRules

__all__ = ["AlertList", "Quietness", "RuleBody", "RuleList", "router"]

router = APIRouter(prefix="/api", tags=["alerts"])

Level = Literal["info", "warning", "error"]


class AlertLine(Alerted, frozen=True):
    """One thing that somebody should look at, with the name of its run."""

    run_name: str = ""
    experiment_name: str = ""


class AlertList(msgspec.Struct, frozen=True):
    """Alerts, the newest first; those after `before` the oldest of them come with another request."""

    alerts: list[AlertLine]
    log_id: str
    top: int
    """The newest offset of the log."""


class Quietness(msgspec.Struct, frozen=True):
    """When targets are told nothing."""

    begins: str
    ends: str
    zone: str | None
    """`None`: the server's."""
    failures: Literal["held", "through"]


class RuleList(msgspec.Struct, frozen=True):
    """What is told to whom."""

    rules: list[Rule]
    targets: list[Standing]
    quiet: Quietness | None
    file: bool
    """Whether the operator has given a file; without one, no target is known."""


class RuleBody(StrictModel):
    """A rule somebody makes."""

    when: str = Field(
        min_length=1, max_length=150, description="finished, failed, stalled, stopped, or a line: val_auroc > 0.95."
    )
    runs: str = Field("*", min_length=1, max_length=200, description="A pattern that name, experiment or id must fit.")


def _json(value: object, status: int = 200) -> Response:
    body = msgspec.json.encode(value)
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})


@router.get(
    "/alerts",
    summary="What somebody should look at",
    response_class=Response,
    responses=answers(AlertList, "Alerts and failures of all runs, the newest first.") | refuses(403, 422),
)
def list_alerts(
    request: Request,
    level: Annotated[list[Level] | None, Query(description="Only these; may be given several times.")] = None,
    run_id: Annotated[str | None, Query(max_length=1000, description="Only of this run (`latest` is one).")] = None,
    before: Annotated[int, Query(ge=1, le=END, description="Only below this offset: the next page.")] = END,
    after: Annotated[int, Query(ge=0, le=END, description="Only above this offset: what is new.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 100,
) -> Response:
    """`alert` messages, failures of runs and of hospitals, what rules have told; each with its offset in the log."""
    hub = service_of(request).hub
    known = None if run_id is None else hub.resolve(run_id) or run_id
    found = hub.alerts(levels=level or LEVELS, run_id=known, before=before, after=after, limit=limit)
    names = {state.run_id: state for state in hub.undescribed()} if found else {}
    lines = []
    for one in found:
        state = names.get(one.run_id)
        name, experiment = ("", "") if state is None else (state.name, state.experiment_name)
        lines.append(AlertLine(**msgspec.structs.asdict(one), run_name=name, experiment_name=experiment))
    return _json(AlertList(lines, hub.log_id, hub.top))


@router.get(
    "/rules",
    summary="Who is told of what",
    response_class=Response,
    responses=answers(RuleList, "Rules, targets without their addresses, and quiet hours.") | refuses(403),
)
def list_rules(request: Request) -> Response:
    """The operator's file (`fpd serve --notify`) and the rules that were made here."""
    return _json(_told(service_of(request)))


def _told(service: Service) -> RuleList:
    quiet = service.teller.quiet
    shown = None
    if quiet is not None:
        zone = None if quiet.zone is None else str(quiet.zone)
        failures: Literal["held", "through"] = "through" if quiet.lets_failures_through else "held"
        shown = Quietness(f"{quiet.begins:%H:%M}", f"{quiet.ends:%H:%M}", zone, failures)
    return RuleList(service.teller.rules(), service.teller.targets(), shown, service.settings.notify is not None)


_MADE: Answers = {
    201: {
        "description": "It is kept, and about what happens from now on.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Rule"}}},
    }
}


@router.post(
    "/rules",
    status_code=201,
    summary="Make a rule",
    response_class=Response,
    responses=_MADE | refuses(403, 409, 413, 415, 422),
    openapi_extra=body_doc(RuleBody, {"when": "val_auroc > 0.95", "runs": "*"}, required=True),
)
async def make_rule(request: Request) -> Response:
    """What fires is an alert of the run, and is told to all targets there are. It lasts over a restart."""
    asked = await read_body(request, RuleBody)
    try:
        rule = rule_of(asked.when, asked.runs, by=by_whom(request, SOMEBODY))
    except ValueError as error:
        wrong, _, right = str(error).partition("; ")
        fault = {"where": "when", "wrong": wrong, "right": right}
        raise Problem(422, f"when: {wrong}.", right[:1].upper() + right[1:] + ".", errors=[fault]) from None
    try:
        made = await run_in_threadpool(service_of(request).teller.add, rule)
    except RuleThere:
        raise Problem(409, f"There is a rule {rule.when!r} for these runs already.", "It is told once.") from None
    except TooManyRules:
        raise Problem(409, "There are too many rules.", "Remove one that is not needed.") from None
    return _json(made, 201)


@router.delete(
    "/rules/{rule_id}",
    status_code=204,
    summary="Remove a rule",
    response_class=Response,
    responses=refuses(403, 404, 409),
)
def remove_rule(request: Request, rule_id: Annotated[str, Path(max_length=100, description="Its `id`.")]) -> Response:
    """Of those that were made here; what it has told stays told."""
    teller = service_of(request).teller
    rule = next((each for each in teller.rules() if each.id == rule_id), None)
    if rule is None:
        raise Problem(404, f"There is no rule {rule_id!r}.", "GET /api/rules lists those there are.")
    if rule.source == "file":
        raise Problem(409, "This rule stands in the operator's file.", "Change the file, and start the server again.")
    teller.remove(rule_id)
    return Response(status_code=204)
