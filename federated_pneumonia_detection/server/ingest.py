"""Takes journals of other machines: lines of one writer, acknowledged once they are written."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery
from federated_pneumonia_detection.hub.shipping.outbox import WriterState
from federated_pneumonia_detection.hub.shipping.shipment import Shipment, parse, refuse_what_is_not, written_by
from federated_pneumonia_detection.hub.shipping.wish import Wish, wish_of
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.wording import duration_words
from federated_pneumonia_detection.progress.cancel import CancelWatch
from federated_pneumonia_detection.progress.exits import Exit
from federated_pneumonia_detection.progress.framing import JournalHeader
from federated_pneumonia_detection.progress.pause import pause_of, word_of
from federated_pneumonia_detection.server.access.security import require
from federated_pneumonia_detection.server.access.tokens import Caller
from federated_pneumonia_detection.server.openapi import Answers, answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, service_of

__all__ = ["GREATEST_BATCH_BYTES", "GREATEST_UNPACKED_BYTES", "MEDIA_TYPE", "Acknowledged", "router"]

router = APIRouter(prefix="/api", tags=["shipping"])
log = logging.getLogger(__name__)

MEDIA_TYPE = "application/x-ndjson"
GREATEST_BATCH_BYTES = 1_000_000
GREATEST_UNPACKED_BYTES = 10_000_000
READ_WITHIN_S = 60.0
CLOCK_MAY_DIFFER_S = 60.0
_GZIP = 31
_STATUS = {"malformed": 422, "not_allowed": 403, "jump": 409, "conflict": 409, "gone": 410}


class Acknowledged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything of this writer up to message `acked` is kept here (0: nothing)."""

    writer: str
    acked: int
    wish: Wish | None = None
    """What is wished of whoever writes it; nothing, as a rule."""


_BODY = {
    "requestBody": {
        "required": True,
        "description": "The journal's first line, then lines of it as they stand there; `Content-Encoding: gzip` or "
        f"none; at most {GREATEST_BATCH_BYTES} bytes, {GREATEST_UNPACKED_BYTES} unpacked.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_ANSWER: Answers = answers(Acknowledged, "How far the copy here is.")


@router.post(
    "/ingest",
    summary="Ship a journal",
    response_class=Response,
    responses=_ANSWER | refuses(400, 401, 403, 408, 409, 410, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
async def ingest(
    request: Request,
    caller: Annotated[Caller, Depends(require("site"))],
    writer_state: Annotated[
        WriterState,
        Query(
            description="What the sender sees of the writer: it lives, is stopped by a signal, or died and everything "
            "was sent."
        ),
    ] = "unknown",
    exit_code: Annotated[
        int | None, Query(ge=0, le=255, description="With what exit code a dead writer's process ended, if with one.")
    ] = None,
    exit_signal: Annotated[
        int | None, Query(ge=1, le=127, description="Which signal ended a dead writer's process, if one did.")
    ] = None,
    exit_for_memory: Annotated[
        bool, Query(description="Whether the kernel ended it for want of memory, as it seems there.")
    ] = False,
    skipped: Annotated[
        int,
        Query(ge=0, le=2**53, description="So many numbers before the first line are missing in the journal itself."),
    ] = 0,
    site: Annotated[
        str | None,
        Query(max_length=200, description="Whose machine sends; a site's token says it, others may."),
    ] = None,
    sent: Annotated[
        str | None,
        Query(max_length=40, description="The sender's time: a clock that is wrong by more than a minute is told."),
    ] = None,
) -> Response:
    """Lines of one writer of another machine, in the order of their numbers.

    They are kept beside this server's own journals and followed like those. What is here already is passed over, so a
    batch may be sent again. After a jump the answer is a 409 that says which number is `expected`. A body of the first
    line alone asks how far the copy is. A run's end is an operator's to ship: a site's token writes for its clients.
    """
    body = await _body(request)
    service = service_of(request)
    try:
        exit = (
            Exit(exit_code, exit_signal, exit_for_memory) if exit_code is not None or exit_signal is not None else None
        )
        delivery = Delivery(site or "", writer_state, skipped, exit)
        acked = await run_in_threadpool(_take, service, caller, body, delivery, sent)
    except ShipmentRefused as refused:
        service.ingest_refused += 1
        raise _problem(refused) from None
    except OSError as error:
        log.warning("a shipped journal cannot be written: %s", error.strerror or error)
        raise Problem(
            503, "The lines cannot be written here now.", "Nothing of them was kept; send them again later."
        ) from None
    return Response(msgspec.json.encode(acked), media_type="application/json")


def _take(service: Service, caller: Caller, body: bytes, delivery: Delivery, sent: str | None) -> Acknowledged:
    shipment = parse(body)
    named = _site(caller, delivery.site or None, shipment)
    is_site = caller.role == "site"
    try:
        if is_site:
            written_by(shipment, named, caller.clients)
        acked = service.mirrors.take(shipment, delivery._replace(site=named, own_only=is_site))
    except ShipmentRefused as refused:
        refused.writer = shipment.header.writer
        raise
    _tell_of_its_clock(service, shipment.header, named, sent)
    return Acknowledged(shipment.header.writer, acked, _wish(service, shipment.header, delivery.state))


def _wish(service: Service, header: JournalHeader, state: WriterState) -> Wish | None:
    """What is wished of the writer of a journal: only one that lives can hear."""
    if state != "alive":
        return None
    log_dir, run_id = service.settings.log_dir, header.run_id
    asked = CancelWatch(log_dir, run_id).asked()
    return wish_of(service.hub.run(run_id), asked, pause_of(log_dir, run_id) or word_of(log_dir, run_id))


def _tell_of_its_clock(service: Service, header: JournalHeader, site: str, sent: str | None) -> None:
    """Say once of a journal that its machine's clock is wrong: its messages keep the times they have."""
    sent_at = seconds(sent)
    if sent_at is None or abs(ahead_s := sent_at - time.time()) <= CLOCK_MAY_DIFFER_S:
        return
    which = "ahead of" if ahead_s > 0 else "behind"
    body = {
        "title": f"The clock of {site} is wrong",
        "text": f"It is {duration_words(abs(ahead_s))} {which} the clock here. What {site} says keeps its own times; "
        "`received` says when it came.",
    }
    whom = {} if header.client_id is None else {"client_id": header.client_id}
    service.hub.warn(header.run_id, str(service.settings.log_dir.absolute()), f"clock:{header.writer}", body | whom)


def _site(caller: Caller, site: str | None, shipment: Shipment) -> str:
    if caller.site is not None:
        if site not in (None, caller.site):
            raise ShipmentRefused(
                "not_allowed",
                f"The token is {caller.site}'s and speaks for no other site.",
                f"Leave the site out, or name {caller.site!r}.",
            )
        return caller.site
    named = site or shipment.header.host or "somewhere"
    refuse_what_is_not(named, "The site")
    return named


def _problem(refused: ShipmentRefused) -> Problem:
    facts = {"writer": refused.writer, "line": refused.line, "n": refused.n, "expected": refused.expected}
    more: dict[str, Any] = {name: value for name, value in facts.items() if value is not None}
    return Problem(_STATUS[refused.why], str(refused), refused.right, **more)


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Problem(415, "The body is not said to be lines of JSON.", f"Send it with Content-Type: {MEDIA_TYPE}.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(415, "The body is packed in a way nobody here unpacks.", "Content-Encoding: gzip, or none.")
    packed = await _read(request)
    return packed if encoding == "identity" else await run_in_threadpool(_unpacked, packed)


async def _read(request: Request) -> bytes:
    too_big = Problem(413, "The batch is too big.", f"At most {GREATEST_BATCH_BYTES} bytes; send it in several.")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:19]) > GREATEST_BATCH_BYTES:
        raise too_big
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > GREATEST_BATCH_BYTES:
                    raise too_big
    except TimeoutError:
        raise Problem(
            408,
            "The body came too slowly.",
            f"All of it within {READ_WITHIN_S:g} seconds.",
            headers={"connection": "close"},
        ) from None
    except ClientDisconnect:
        raise Problem(400, "The body ended before its announced length.", "Send all of it.") from None
    return bytes(body)


def _unpacked(packed: bytes) -> bytes:
    """The bytes in a gzip; never more of them in memory than are allowed."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, GREATEST_UNPACKED_BYTES + 1)
    except zlib.error:
        raise Problem(422, "The body is not gzip, as it is said to be.", "Leave Content-Encoding out.") from None
    if len(body) > GREATEST_UNPACKED_BYTES:
        raise Problem(413, "The batch is too big unpacked.", f"At most {GREATEST_UNPACKED_BYTES} bytes unpacked.")
    if not unpacker.eof:
        raise Problem(422, "The gzip is not whole.", "Send all of it.")
    if unpacker.unused_data:
        raise Problem(422, "Something follows the gzip.", "One gzip is the whole body.")
    return body
