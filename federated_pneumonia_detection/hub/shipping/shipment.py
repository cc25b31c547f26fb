"""What a shipper sends: a journal's first line, then lines of that one writer, checked one by one. Pure.

Nothing in it is believed: a line must be whole (its checksum), the next one of its writer, and a message that a logger
could have written. What only a hub says (`run_id`, `offset`, `row`, `received`, `about`) may not stand in it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.following import HUB_MODE
from federated_pneumonia_detection.hub.shipping.release import KEPT_MARK
from federated_pneumonia_detection.progress import messages
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import (
    LONGEST_MESSAGE,
    MARKS,
    Damage,
    JournalHeader,
    Line,
    decode_header,
    decode_line,
)
from federated_pneumonia_detection.progress.messages import MESSAGE_TYPES, TERMINAL

__all__ = ["LONGEST_NAME", "MOST_METRICS", "Shipment", "parse", "refuse_what_is_not", "written_by"]

LONGEST_NAME = 200
"""The most characters of a run's, a client's, a site's or a type's name."""
LONGEST_METRIC = 500
"""The most characters of a metric's name."""
MOST_METRICS = 2000
"""The most metrics of one message."""
LONGEST_HEADER = 16 * 1024
"""The most bytes of a first line."""
LONGEST_INTERVAL_S = 60.0

_HUBS_KEYS = ("run_id", "offset", "row", "received", "about")
_METRICS = ("metrics", "fit_metrics", "eval_metrics", "final_metrics")
_OURS = frozenset(MESSAGE_TYPES) - {"subscribed"}


class Shipment(NamedTuple):
    """Lines of one writer, dense and ascending, whose `type`s and keys have been looked at."""

    header: JournalHeader
    lines: list[Line]


def parse(body: bytes) -> Shipment:
    """The shipment in a body: the journal's first line, then any number of its lines.

    Raises:
        ShipmentRefused: it is none; with the number of the line (from 1) and of the message where one is to blame.
    """
    if not body:
        raise ShipmentRefused("malformed", "The body is empty.", "The journal's first line comes first.")
    if not body.endswith(b"\n"):
        raise ShipmentRefused("malformed", "The last line is not whole.", "Each line ends in a newline.")
    raw = body[:-1].split(b"\n")
    header = _header(raw[0])
    lines: list[Line] = []
    for number, text in enumerate(raw[1:], 2):
        line = _line(text, number)
        if lines and line.n != lines[-1].n + 1:
            raise ShipmentRefused(
                "malformed",
                f"Line {number}: message {line.n} follows message {lines[-1].n}.",
                "The lines of a batch are numbered one by one; a batch begins anew after what is missing.",
                line=number,
            )
        if lines and lines[-1].type == "journal_end":
            raise ShipmentRefused(
                "malformed", f"Line {number} comes after the journal's end.", "Nothing follows it.", line=number
            )
        lines.append(line)
    return Shipment(header, lines)


def written_by(shipment: Shipment, site: str, clients: Container[str]) -> None:
    """See that a site writes for its own clients alone, and ends no run.

    Raises:
        ShipmentRefused: it does not (`not_allowed`).
    """
    client_id = shipment.header.client_id
    if client_id is None:
        raise ShipmentRefused(
            "not_allowed",
            f"The token of {site} may not write a run's own journal, only its clients'.",
            "An operator's token may; or log with a client_id of the site.",
        )
    if client_id not in clients:
        raise ShipmentRefused(
            "not_allowed",
            f"The token of {site} may not write for client {client_id!r}.",
            "The client ids a token may write for are named when it is made (`fpd token create`).",
        )
    for number, line in enumerate(shipment.lines, 2):
        if line.type in MARKS:
            continue
        said = line.said.get("client_id")
        if said == client_id:
            continue
        if said is None and line.type in TERMINAL:
            what = f"Line {number}: {line.type} without a client_id would end the whole run; a site may not."
        elif said is None:
            what = f"Line {number}: {line.type} without a client_id speaks for the whole run; a site may not."
        else:
            what = f"Line {number}: it is client {str(said)[:LONGEST_NAME]!r}'s, in the journal of {client_id!r}."
        raise ShipmentRefused(
            "not_allowed", what, f"Each message carries client_id {client_id!r}.", line=number, n=line.n
        )


def refuse_what_is_not(name: str, what: str) -> None:
    """See that a text may be a run's, a client's or a site's name.

    Raises:
        ShipmentRefused: it may not.
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or "/" in name or "\\" in name or ".." in name:
        shown = ascii(name if len(name) <= 60 else f"{name[:57]}...")
        raise ShipmentRefused(
            "malformed",
            f"{what} {shown} is no name.",
            f"1 to {LONGEST_NAME} printable characters without /, \\ and `..`.",
            line=1,
        )


def _header(text: bytes) -> JournalHeader:
    if len(text) > LONGEST_HEADER:
        raise ShipmentRefused("malformed", "The first line is too long.", f"At most {LONGEST_HEADER} bytes.", line=1)
    try:
        header = decode_header(text)
    except NotAJournal as error:
        raise ShipmentRefused(
            "malformed", f"Line 1: {error}.", "The journal's first line comes first, as it stands there.", line=1
        ) from None
    if header.mode == HUB_MODE or header.shipped is True:
        whose = "a hub's own journal" if header.mode == HUB_MODE else "a journal that was shipped here"
        raise ShipmentRefused(
            "malformed", f"Line 1: it is {whose}.", "Ship what trainings and clients have written.", line=1
        )
    refuse_what_is_not(header.run_id, "The run id")
    if header.client_id is not None:
        refuse_what_is_not(header.client_id, "The client id")
    if not (header.writer.isascii() and header.writer.isalnum() and len(header.writer) <= 64):
        raise ShipmentRefused("malformed", "Line 1: the writer is no id.", "Up to 64 letters and digits.", line=1)
    if not 0 <= header.broadcast_interval <= LONGEST_INTERVAL_S:
        raise ShipmentRefused(
            "malformed", "Line 1: broadcast_interval is out of range.", f"0 to {LONGEST_INTERVAL_S:g} seconds.", line=1
        )
    if max(map(len, (header.experiment_name, header.mode, header.host, header.boot, header.start))) > 1000:
        raise ShipmentRefused("malformed", "Line 1: a name is too long.", "At most 1000 characters.", line=1)
    return header


def _line(text: bytes, number: int) -> Line:
    line = decode_line(text)
    if isinstance(line, Damage):
        raise ShipmentRefused(
            "malformed",
            f"Line {number} is damaged: {line.reason}.",
            "Lines are sent as they stand in the journal; send it again.",
            line=number,
        )
    if len(line.body) > LONGEST_MESSAGE:
        raise _refused(line, number, f"it has {len(line.body)} bytes", f"at most {LONGEST_MESSAGE}")
    if line.n < 1:
        raise _refused(line, number, f"its number is {line.n}", "messages are numbered from 1")
    if line.type in ("journal_end", KEPT_MARK):
        return line
    if line.type in MARKS or line.type == "subscribed" or not 1 <= len(line.type) <= LONGEST_NAME:
        raise _refused(line, number, f"no logger writes a message of type {line.type[:60]!r}", "another type")
    _look_at_keys(line, line.said, number)
    return line


def _look_at_keys(line: Line, said: Mapping[str, Any], number: int) -> None:
    for key in _HUBS_KEYS:
        if key in said:
            raise _refused(line, number, f"`{key}` is the hub's to say", "leave it out")
    if line.type in _OURS:
        try:
            messages.decode(line.body)
        except msgspec.DecodeError as error:
            raise _refused(line, number, f"{line.type}: {error}", "the keys stand in docs/reference/messages") from None
    time = said.get("timestamp")
    if not isinstance(time, str) or not _is_time(time):
        raise _refused(line, number, "its timestamp is no time", "ISO 8601, as 2026-01-31T12:00:00+00:00")
    client_id = said.get("client_id")
    if client_id is not None and not (isinstance(client_id, str) and 1 <= len(client_id) <= LONGEST_NAME):
        raise _refused(line, number, "its client_id is no name", f"1 to {LONGEST_NAME} characters")
    for key in _METRICS:
        metrics = said.get(key)
        if isinstance(metrics, dict):
            _look_at_metrics(line, key, metrics, number)


def _look_at_metrics(line: Line, key: str, metrics: dict[str, Any], number: int) -> None:
    if len(metrics) > MOST_METRICS:
        raise _refused(line, number, f"{key} holds {len(metrics)} metrics", f"at most {MOST_METRICS}")
    longest = max(map(len, metrics), default=0)
    if longest > LONGEST_METRIC:
        raise _refused(
            line, number, f"a name in {key} has {longest} characters", f"at most {LONGEST_METRIC} characters"
        )


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _refused(line: Line, number: int, wrong: str, right: str) -> ShipmentRefused:
    return ShipmentRefused(
        "malformed",
        f"Line {number} (message {line.n}): {wrong}.",
        f"{right[:1].upper()}{right[1:]}.",
        line=number,
        n=line.n,
    )
