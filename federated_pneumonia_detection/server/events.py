"""One log, three ways to watch it: WebSocket, Server-Sent Events, long poll. All are a cursor in the hub's log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request, WebSocket
from fastapi.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from federated_pneumonia_detection.hub.errors import DatabaseAway
from federated_pneumonia_detection.hub.hub import Frame, Hub, Page, Subscription
from federated_pneumonia_detection.server.close_codes import (
    BAD_REQUEST,
    INTERNAL_ERROR,
    RESTART,
    TOO_SLOW,
    UNKNOWN_RUN,
)
from federated_pneumonia_detection.server.openapi import refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of
from federated_pneumonia_detection.server.viewer_protocol import LINE, SEND

__all__ = ["SSE_COMMENT_EVERY_S", "Viewers", "offset_of", "router"]

SSE_COMMENT_EVERY_S = 15.0
KNOWN_WITHIN_S = 1.2
"""How long a viewer of an unknown run waits for it: the hub looks at all journals each second."""
KNOWN_POLL_S = 0.02
GREATEST_OFFSET = 2**63 - 1

logger = logging.getLogger(__name__)
router = APIRouter(tags=["events"])

# The hub puts run and offset last into each frame; whatever a writer said stands before them.
_OFFSET = re.compile(rb',"offset":(\d{1,19})\}$')


def offset_of(frame: bytes) -> int | None:
    """The offset of a lifecycle message; `None` for a step and for a control frame."""
    found = _OFFSET.search(frame, max(0, len(frame) - 40))
    return int(found[1]) if found else None


class Cursor(msgspec.Struct, frozen=True):
    """What a viewer wants to see, and from where on."""

    run_id: str | None = None
    client_id: str | None = None
    after: int | None = None
    log_id: str | None = None


def _whole_number(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) > GREATEST_OFFSET:
        raise ValueError(text)
    return int(text)


class Viewers:
    """The WebSocket, before the router: what a router and its exit stacks keep for a request would stay for a viewer.

    Args:
        app: what answers everything else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a viewer, or let the others through."""
        if scope["type"] == "websocket" and scope["path"] == "/ws/training-progress":
            websocket = WebSocket(scope, receive, send)
            try:
                await training_progress(websocket)
            except DatabaseAway:
                await websocket.close(RESTART, "the database is away; come back with your cursor")
        else:
            await self.app(scope, receive, send)


async def training_progress(websocket: WebSocket) -> None:
    """Every message of all runs, or of one (`run_id`, `client_id`), from `after` on, then live."""
    service = service_of(websocket)
    await websocket.accept()
    query = websocket.query_params
    wanted = query.get("run_id")
    run_id = None if wanted is None else await _known_run(service.hub, wanted)
    if wanted is not None and run_id is None:
        await websocket.close(UNKNOWN_RUN, "there is no such run")
        return
    try:
        after = _whole_number(query.get("after"))
    except ValueError:
        await websocket.close(BAD_REQUEST, "after must be a whole number, 0 or more")
        return
    subscription = service.hub.subscribe(
        run_id=run_id, client_id=query.get("client_id"), after=after, log_id=query.get("log_id")
    )
    subscription.line = websocket.scope.get("extensions", {}).get(LINE)
    sender = asyncio.create_task(_send_frames(websocket, subscription))
    # Whoever is sent away is told so, also while the sender waits for what it does not take.
    subscription.on_end = sender.cancel
    try:
        await _read_until_closed(websocket)
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
        subscription.close()


async def _known_run(hub: Hub, wanted: str) -> str | None:
    """The run of that name; one whose first message was logged a moment ago is known within the next look at sizes."""
    hub.hint()
    deadline = time.monotonic() + KNOWN_WITHIN_S
    # Runs become known on the hub's own thread, which has no event for one of them.
    while (run_id := hub.resolve(wanted)) is None and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(KNOWN_POLL_S)
    return run_id


async def _send_frames(websocket: WebSocket, subscription: Subscription) -> None:
    """Send until the viewer is gone or the subscription has ended, then say why: that ends the reading, too."""
    code, reason = RESTART, "the server is closing"
    try:
        send = websocket.scope.get("extensions", {}).get(SEND)
        if send is None:
            async for frame in subscription:
                await websocket.send_text(frame.text)
        else:
            async for burst in subscription.bursts():
                await send(burst)
    except asyncio.CancelledError:
        pass  # by `on_end`: it has ended while this waited
    except (WebSocketDisconnect, OSError):  # what uvicorn raises for a viewer that is gone is an OSError
        return
    except DatabaseAway:
        reason = "the database is away; come back with your cursor"
    except Exception:
        logger.exception("sending to a viewer failed")
        code, reason = INTERNAL_ERROR, "something went wrong here; come back with your cursor"
    if subscription.too_slow:
        code, reason = TOO_SLOW, "come back with your cursor"
    with suppress(WebSocketDisconnect, RuntimeError):  # gone meanwhile, or closed already
        await websocket.close(code, reason)


async def _read_until_closed(websocket: WebSocket) -> None:
    """Wait for the viewer's end. What it says is read and forgotten: a viewer has nothing to say."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


RunId = Annotated[str, Path(description="A run, or `latest`.", examples=["latest"])]
ClientId = Annotated[str | None, Query(description="Only what this client made.", examples=["client_0"])]
After = Annotated[
    int | None,
    Query(
        ge=0, le=GREATEST_OFFSET, description="Everything after this offset; left out: the present state, then live."
    ),
]
LogId = Annotated[str | None, Query(description="The log that `after` is an offset of; another one starts afresh.")]
Limit = Annotated[int, Query(ge=1, le=10_000, description="At most so many messages.")]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a message when there is none yet.")]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="`log_id:offset`, as `id:` gave it.")]

_PAGE_SCHEMA: dict[str, Any] = {
    "description": "Messages after the cursor. `top` is the newest offset; go on with the last offset you got.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["log_id", "top", "recovered", "messages"],
                "properties": {
                    "log_id": {"type": "string"},
                    "top": {"type": "integer"},
                    "recovered": {"type": "boolean", "description": "false: clear what you have, this is a new start."},
                    "messages": {"type": "array", "items": {"type": "object"}},
                },
            },
            "example": {
                "log_id": "6f1c0a7be6c94b0d",
                "top": 2,
                "recovered": True,
                "messages": [
                    {
                        "type": "epoch_start",
                        "epoch": 1,
                        "total_epochs": 10,
                        "timestamp": "2026-11-24T09:32:46.123456+00:00",
                        "run_id": "pneumonia-20261124-093245-1f2e",
                        "offset": 2,
                    }
                ],
            },
        }
    },
}
_POLL_DOC: dict[int | str, dict[str, Any]] = {200: _PAGE_SCHEMA, **refuses(403, 404, 422)}
_STREAM_DOC: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One message an event. `id:` is `log_id:offset`; control frames and steps have none.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    **refuses(403, 404, 422),
}


@router.get("/api/events", summary="Poll the messages of all runs", responses=_POLL_DOC, response_class=Response)
async def all_events(
    request: Request,
    client_id: ClientId = None,
    after: After = None,
    log_id: LogId = None,
    limit: Limit = 1000,
    wait: Wait = 0,
) -> Response:
    """The polling fallback over all runs: the same messages as on the WebSocket, in pages."""
    return await _poll(service_of(request), Cursor(None, client_id, after, log_id), limit, wait)


@router.get(
    "/api/runs/{run_id}/events", summary="Poll the messages of a run", responses=_POLL_DOC, response_class=Response
)
async def run_events(
    request: Request,
    run_id: RunId,
    client_id: ClientId = None,
    after: After = None,
    log_id: LogId = None,
    limit: Limit = 1000,
    wait: Wait = 0,
) -> Response:
    """The polling fallback over one run. With `wait` the answer comes with the next message, or when time is up."""
    service = service_of(request)
    return await _poll(service, Cursor(service.run(run_id).run_id, client_id, after, log_id), limit, wait)


async def _poll(service: Service, cursor: Cursor, limit: int, wait: float) -> Response:
    page = await _page(service, cursor, limit)
    if wait and page.recovered and not any(offset_of(message) is not None for message in page.messages):
        after = page.top if cursor.after is None else cursor.after
        await _wait_for_a_message(service, msgspec.structs.replace(cursor, after=after, log_id=page.log_id), wait)
        page = await _page(service, msgspec.structs.replace(cursor, after=after, log_id=page.log_id), limit)
    head = msgspec.json.encode({"log_id": page.log_id, "top": page.top, "recovered": page.recovered})
    body = head[:-1] + b',"messages":[' + b",".join(page.messages) + b"]}"
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


async def _page(service: Service, cursor: Cursor, limit: int) -> Page:
    return await run_in_threadpool(
        service.hub.events,
        run_id=cursor.run_id,
        client_id=cursor.client_id,
        after=cursor.after,
        log_id=cursor.log_id,
        limit=limit,
    )


async def _wait_for_a_message(service: Service, cursor: Cursor, wait_s: float) -> None:
    """Return when a lifecycle message came after `cursor`, the server closes, or `wait_s` seconds are over."""
    subscription = service.hub.subscribe(
        run_id=cursor.run_id, client_id=cursor.client_id, after=cursor.after, log_id=cursor.log_id
    )

    async def first() -> None:
        async for frame in subscription:
            if offset_of(frame) is not None:
                return

    arrival = asyncio.create_task(first())
    closing = asyncio.create_task(service.closing.wait())
    try:
        await asyncio.wait({arrival, closing}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        arrival.cancel()
        closing.cancel()
        await asyncio.gather(arrival, closing, return_exceptions=True)
        subscription.close()


@router.get("/api/stream", summary="Stream the messages of all runs", responses=_STREAM_DOC, response_class=Response)
async def all_stream(
    request: Request,
    client_id: ClientId = None,
    after: After = None,
    log_id: LogId = None,
    last_event_id: LastEventId = None,
) -> Response:
    """All runs as Server-Sent Events."""
    return _stream(service_of(request), _resumed(Cursor(None, client_id, after, log_id), last_event_id))


@router.get(
    "/api/runs/{run_id}/stream", summary="Stream the messages of a run", responses=_STREAM_DOC, response_class=Response
)
async def run_stream(
    request: Request,
    run_id: RunId,
    client_id: ClientId = None,
    after: After = None,
    log_id: LogId = None,
    last_event_id: LastEventId = None,
) -> Response:
    """One run as Server-Sent Events. A browser that lost the line comes back by itself with `Last-Event-ID`."""
    service = service_of(request)
    cursor = Cursor(service.run(run_id).run_id, client_id, after, log_id)
    return _stream(service, _resumed(cursor, last_event_id))


def _resumed(cursor: Cursor, last_event_id: str | None) -> Cursor:
    """`cursor`, moved to where `Last-Event-ID` says the viewer stopped; it is newer than the address's."""
    if not last_event_id:
        return cursor
    log_id, colon, offset = last_event_id.rpartition(":")
    try:
        after = _whole_number(offset)
    except ValueError:
        after = None
    if not colon or not log_id or after is None:
        raise Problem(422, "Last-Event-ID is none of ours.", "It is log_id:offset, as the last `id:` line gave it.")
    return msgspec.structs.replace(cursor, after=after, log_id=log_id)


def _stream(service: Service, cursor: Cursor) -> Response:
    return EventSourceResponse(
        _server_sent(service, cursor), headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


def _on_one_line(frame: bytes) -> bytes:
    # Legal inside a JSON string, and no line break to a browser; but fastapi.sse's formatter and more than one Python
    # client split at them, and half a message is no JSON. Escaped, they are the same text to everybody.
    for character in ("\u2028", "\u2029", "\x85"):
        frame = frame.replace(character.encode(), b"\\u%04x" % ord(character))
    return frame


async def _server_sent(service: Service, cursor: Cursor) -> AsyncIterator[bytes]:
    subscription = service.hub.subscribe(
        run_id=cursor.run_id, client_id=cursor.client_id, after=cursor.after, log_id=cursor.log_id
    )
    log_id = service.hub.log_id
    closing = asyncio.create_task(service.closing.wait())
    arrival: asyncio.Task[Frame] | None = None
    try:
        while not service.closing.is_set():
            arrival = arrival or asyncio.ensure_future(anext(subscription))
            await asyncio.wait({arrival, closing}, timeout=SSE_COMMENT_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                if not service.closing.is_set():
                    yield b": still here\n\n"
                continue
            try:
                frame = arrival.result()
            except (StopAsyncIteration, DatabaseAway):  # it comes back by itself, with what it has
                return
            arrival = None
            if frame.offset:
                yield b"id: %b:%d\ndata: %b\n\n" % (log_id.encode(), frame.offset, _on_one_line(frame))
            else:
                if frame.startswith(b'{"type":"subscribed"'):
                    log_id = msgspec.json.decode(frame)["log_id"]
                yield b"data: %b\n\n" % _on_one_line(frame)
    finally:
        for task in (arrival, closing):
            if task is not None:
                task.cancel()
        subscription.close()
