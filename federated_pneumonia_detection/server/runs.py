"""What runs there are, what is known of each, and what may be changed about one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from federated_pneumonia_detection.hub.axes import Axis
from federated_pneumonia_detection.hub.errors import RunActive, RunElsewhere, UnknownRun
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.progress.messages import RunEdited
from federated_pneumonia_detection.server.bodies import StrictModel, body_doc, read_body
from federated_pneumonia_detection.server.events import ClientId, RunId
from federated_pneumonia_detection.server.openapi import answers, refuses, text_answer
from federated_pneumonia_detection.server.packing import packed
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import no_run, service_of

__all__ = ["RunEdit", "RunList", "router", "select"]

router = APIRouter(prefix="/api/runs", tags=["runs"])

Status = Literal["queued", "started", "running", "completed", "failed", "cancelled", "lost"]
Mode = Literal["centralized", "federated"]
Sort = Literal["live", "start_time", "-start_time", "updated_at", "-updated_at", "name", "-name", "status", "-status"]

ENDS_WITHIN_S = 5.0
LIVE = frozenset({"queued", "started", "running"})

_PAGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["log_id", "top", "state", "steps", "messages"],
    "properties": {
        "log_id": {"type": "string"},
        "top": {"type": "integer", "description": "Go on from here."},
        "state": {"$ref": "#/components/schemas/RunState"},
        "steps": {"type": "array", "items": {"type": "object"}, "description": "As in `series`, without clients'."},
        "messages": {"type": "array", "items": {"type": "object"}, "description": "In order, with offsets."},
    },
}


class RunList(msgspec.Struct, frozen=True):
    """One page of runs, and how many there are in all."""

    runs: list[RunState]
    total: int
    page: int
    limit: int


def _without_controls(text: str, *, but: str = "") -> str:
    """Return `text` if it holds no control character: in a list or a terminal it would do something.

    Raises:
        ValueError: it holds one that is not among `but`.
    """
    for letter in text:
        if unicodedata.category(letter) == "Cc" and letter not in but:
            raise ValueError(f"it holds the control character U+{ord(letter):04X}; leave that out")
    return text


def _is_note(text: str) -> str:
    return _without_controls(text, but="\n\t")


_Word = Annotated[str, AfterValidator(_without_controls)]


class RunEdit(StrictModel):
    """What may be changed about a run; what is left out stays as it is."""

    name: _Word | None = Field(None, max_length=200, description="How the run is called in lists, in one line.")
    tags: list[Annotated[_Word, Field(min_length=1, max_length=50)]] | None = Field(
        None, max_length=20, description="Words to find it by."
    )
    notes: Annotated[str, AfterValidator(_is_note)] | None = Field(
        None, max_length=10_000, description="Anything, in any number of lines."
    )


class _Output(FileResponse):
    """A file of which a part may be asked for; a part that is none is a problem like any other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file, or the part.

        Raises:
            Problem: The `Range` header is none, or names nothing of the file.
        """

        async def send_if_well(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                length = Headers(raw=message["headers"]).get("content-range")
                raise Problem(
                    message["status"],
                    "The Range header names no part of the file.",
                    "One like bytes=0-999, or bytes=-4000 for the end; without one you get all of it.",
                    headers={} if length is None else {"content-range": length},
                )
            await send(message)

        await super().__call__(scope, receive, send_if_well)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


def select(runs: Iterable[RunState], *, q: str, status: frozenset[str], mode: str | None, sort: Sort) -> list[RunState]:
    """The runs that fit, in order. `q` is looked for in name, experiment, run id, tags and notes."""
    wanted = q.casefold()
    fitting = [
        run
        for run in runs
        if (not status or run.status in status)
        and (mode is None or run.mode == mode)
        and (not wanted or any(wanted in text.casefold() for text in _texts(run)))
    ]
    # Sorting keeps the order of equals, so each rule stands on top of "newest first". A run without a start waits for
    # it: that is the newest of all.
    fitting.sort(key=lambda run: run.start_time or "9", reverse=True)
    key, backwards = sort.removeprefix("-"), sort.startswith("-")
    if key == "live":
        fitting.sort(key=lambda run: run.status not in LIVE)
    elif key == "start_time" and not backwards:
        fitting.reverse()
    elif key == "updated_at":
        fitting.sort(key=lambda run: run.updated_at or "", reverse=backwards)
    elif key == "name":
        fitting.sort(key=lambda run: (run.name or run.experiment_name).casefold(), reverse=backwards)
    elif key == "status":
        fitting.sort(key=lambda run: run.status, reverse=backwards)
    return fitting


def _texts(run: RunState) -> tuple[str, ...]:
    return (run.name, run.experiment_name, run.run_id, run.notes, *run.tags)


@router.get("", summary="List the runs", responses=answers(RunList, "Runs, a page of them.") | refuses(403, 422))
def list_runs(
    request: Request,
    q: Annotated[str, Query(max_length=200, description="Part of a name, experiment, id, tag or note.")] = "",
    status: Annotated[list[Status] | None, Query(description="Only these; may be given several times.")] = None,
    mode: Annotated[Mode | None, Query(description="Only these.")] = None,
    sort: Annotated[Sort, Query(description="live: those not ended first, then the newest. `-` turns it.")] = "live",
    page: Annotated[int, Query(ge=1, le=1_000_000, description="Counted from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=500, description="Runs on a page.")] = 50,
) -> Response:
    """All runs the server knows, whoever made them."""
    found = select(service_of(request).runs(), q=q, status=frozenset(status or ()), mode=mode, sort=sort)
    first = (page - 1) * limit
    return _json(RunList(found[first : first + limit], len(found), page, limit))


@router.get("/{run_id}", summary="One run's state", responses=answers(RunState, "The run, now.") | refuses(403, 404))
def one_run(request: Request, run_id: RunId) -> Response:
    """Everything in one object: where the run stands, in numbers and in one sentence."""
    return _json(service_of(request).run(run_id))


@router.patch(
    "/{run_id}",
    summary="Name, tag or note a run",
    responses=answers(RunState, "The run as it is then.") | refuses(403, 404, 413, 415, 422),
    openapi_extra=body_doc(RunEdit, {"name": "Baseline", "tags": ["paper"], "notes": "lower learning rate"}),
)
async def edit_run(request: Request, run_id: RunId) -> Response:
    """What is left out stays. It is a message of the run like any other, so every viewer sees it."""
    service = service_of(request)
    run = service.run(run_id)
    edit = await read_body(request, RunEdit)
    given: dict[str, Any] = {name: getattr(edit, name) for name in edit.model_fields_set}
    if given.get("tags", ()) is None:
        given["tags"] = []
    if given:
        await run_in_threadpool(service.hub.say, run.run_id, RunEdited(**given))
    return _json(service.run(run.run_id))


@router.delete(
    "/{run_id}",
    status_code=204,
    summary="Delete an ended run",
    responses=refuses(403, 404, 409),
    response_class=Response,
)
def delete_run(request: Request, run_id: RunId) -> Response:
    """Its journals, documents and output are deleted; its checkpoints stay."""
    service = service_of(request)
    run = service.run(run_id)
    active = Problem(409, f"Run {run.run_id!r} is {run.status}.", "Only an ended run is deleted; cancel it first.")
    if run.status in LIVE:
        raise active
    if not service.supervisor.is_gone(run.run_id, within_s=ENDS_WITHIN_S):
        raise Problem(409, f"The process of run {run.run_id!r} has not ended yet.", "Try again in a moment.")
    try:
        service.hub.forget(run.run_id)
    except RunActive:
        raise active from None
    except UnknownRun:
        raise no_run(run_id) from None
    except RunElsewhere:
        raise Problem(
            409,
            f"The journals of run {run.run_id!r} lie with another server on the same database.",
            "Delete it there; here it is only read.",
        ) from None
    service.supervisor.forget(run.run_id)
    return Response(status_code=204)


@router.get(
    "/{run_id}/log",
    summary="What the training process printed",
    responses=text_answer("text/plain", "Standard output and error.") | refuses(400, 403, 404, 416),
    response_class=Response,
)
def run_log(request: Request, run_id: RunId) -> Response:
    """Only of runs this server started. A `Range` header gets a part of it, as `bytes=-4000`."""
    service = service_of(request)
    run = service.run(run_id)
    output = service.supervisor.jobs.directory(run.run_id).output
    if not output.is_file():
        raise Problem(
            404, f"There is no output of run {run.run_id!r}.", "It is kept for runs that this server started."
        )
    return _Output(output, media_type="text/plain; charset=utf-8", headers={"cache-control": "no-cache"})


@router.get(
    "/{run_id}/document",
    summary="The polled document of the whole run",
    responses=answers({"type": "object"}, "What the file beside the journal holds, of all writers, with offsets.")
    | {304: {"description": "It is as you know it (`If-None-Match`)."}}
    | refuses(403, 404),
    response_class=Response,
)
def run_document(request: Request, run_id: RunId) -> Response:
    """For a page that polls one URL; ask with `If-None-Match` and an unchanged document costs nothing."""
    service = service_of(request)
    body, etag = service.hub.document(service.run(run_id).run_id)
    tag = etag if etag.startswith(('"', "W/")) else f'"{etag}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if tag.removeprefix("W/") in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return packed(request, body, headers)


@router.get(
    "/{run_id}/page",
    summary="All that a page needs to open a run",
    responses=answers(_PAGE_SCHEMA, "State, all messages, and the run's own steps.") | refuses(403, 404),
    response_class=Response,
)
def run_page(request: Request, run_id: RunId) -> Response:
    """One request instead of three: after it a viewer goes on live with `after=top&log_id=…`."""
    service = service_of(request)
    return packed(request, service.hub.page(service.run(run_id).run_id), {"cache-control": "no-store"})


@router.get(
    "/{run_id}/series",
    summary="Metrics as columns",
    responses=answers({"type": "object"}, "Step and epoch metrics as columns.") | refuses(403, 404, 422),
    response_class=Response,
)
def run_series(
    request: Request,
    run_id: RunId,
    metric: Annotated[str | None, Query(max_length=1000, description="Only this one.", examples=["val_loss"])] = None,
    client_id: ClientId = None,
    points: Annotated[
        int | None,
        Query(ge=2, le=100_000, description="At most about so many; least and greatest of each bucket stay."),
    ] = None,
    since: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="Only steps above this `row`.")] = None,
    attempt: Annotated[
        Literal["current", "all"] | Annotated[int, Field(ge=1, le=1_000_000_000)],
        Query(description="Of a run that was begun again: its curve, all with what is superseded, or one attempt."),
    ] = "current",
    x: Annotated[
        list[Axis] | None,
        Query(
            description="Also say where each point lies, as a column `x.<axis>`; may be given several times. `images` "
            "seen, `epochs` of data, `rounds`, `seconds` since the start, `bytes` moved: so runs of both kinds lie on "
            "one axis.",
            examples=["images"],
        ),
    ] = None,
) -> Response:
    """What was merged on the way to a viewer is all here.

    On the axes a centralised run counts epochs × the size of its training split, a federated one what its hospitals
    said they trained on (`num_samples`) × their local epochs, and the bytes each measured. `null`: it cannot be told.
    """
    service = service_of(request)
    run = service.run(run_id)
    found = service.hub.series(
        run.run_id, metric=metric, client_id=client_id, points=points, since=since, attempt=attempt, x=x or ()
    )
    return packed(request, msgspec.json.encode(found), {"cache-control": "no-store"})


@router.get(
    "/{run_id}/export",
    summary="Metrics for a notebook",
    responses=text_answer("text/csv", "A file; `format=jsonl` is `application/jsonl`.") | refuses(403, 404, 422),
    response_class=Response,
)
def run_export(
    request: Request,
    run_id: RunId,
    format: Annotated[Literal["csv", "jsonl"], Query(description="csv, or JSON Lines.")] = "csv",
) -> Response:
    """As `pandas.read_csv("http://localhost:8000/api/runs/latest/export?format=csv")`."""
    service = service_of(request)
    run = service.run(run_id)
    return StreamingResponse(
        service.hub.export(run.run_id, format),
        media_type="text/csv; charset=utf-8" if format == "csv" else "application/jsonl",
        headers={"content-disposition": f'attachment; filename="{_file_name(run.run_id)}.{format}"'},
    )


def _file_name(run_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", run_id)[:100]
