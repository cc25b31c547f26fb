"""A server's messages as they come: by WebSocket, else by long poll, over its restarts, each once.

The cursor is kept over every break, so nothing is asked twice and nothing is left out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from federated_pneumonia_detection.cli.client import Client, ServerAway, ServerRefused

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["AFRESH", "LineState", "live_messages"]

AFRESH: dict[str, Any] = {"type": "afresh"}
"""Stands where the server's log was rebuilt: what came before is void, everything follows from the start."""

_HEARTBEAT_S = 0.2
_POLL_WAIT_S = 1
_TRY_SOCKET_AGAIN_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0

Message = dict[str, Any]


class LineState(NamedTuple):
    """How a screen is connected. It is never the state of a run."""

    kind: Literal["connecting", "live", "polling", "away", "refused", "journals"]
    words: str


LIVE = LineState("live", "Live by WebSocket")
POLLING = LineState("polling", "Live by polling")


class _Cursor:
    def __init__(self) -> None:
        self.after, self.log_id = 0, ""

    def query(self) -> dict[str, Any]:
        return {"after": self.after, **({"log_id": self.log_id} if self.log_id else {})}

    def subscribed(self, frame: Message) -> bool:
        """Note which log this is; whether what was read before is void."""
        void = not frame["recovered"] and self.after > 0
        self.log_id = frame["log_id"]
        if void:
            self.after = 0
        return void

    def passed(self, message: Message) -> None:
        offset = message.get("offset")
        if isinstance(offset, int):
            self.after = max(self.after, offset)


def live_messages(
    client: Client, run_id: str | None, stopped: Event, tell: Callable[[LineState], None]
) -> Iterator[Message | None]:
    """Messages until `stopped`; `None` when nothing came for a moment.

    Args:
        client: the server.
        run_id: every message of this run, from its first on; `None`: what comes of all runs from now on.
        stopped: set by whoever takes no more.
        tell: told how the line is, each time that changes.
    """
    cursor = _Cursor()
    tries, no_socket_until = 0, 0.0
    while not stopped.is_set():
        try:
            if time.monotonic() >= no_socket_until:
                came_back = yield from _by_socket(client, run_id, cursor, stopped, tell)
                if came_back:
                    tries = 0
                else:
                    no_socket_until = time.monotonic() + _TRY_SOCKET_AGAIN_S
            else:
                yield from _by_poll(client, run_id, cursor, stopped, tell, no_socket_until)
                tries = 0
        except ServerAway:
            if not tries:
                tell(LineState("away", f"Server away since {time.strftime('%H:%M:%S')}"))
            tries += 1
            pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (tries - 1)) * random.uniform(0.5, 1)
            if not stopped.wait(pause_s):
                yield None
        except ServerRefused as refused:
            tell(LineState("refused", str(refused)))
            return


def _by_socket(
    client: Client, run_id: str | None, cursor: _Cursor, stopped: Event, tell: Callable[[LineState], None]
) -> Generator[Message | None, None, bool]:
    """As long as a socket holds; returns whether there was one, or the way for it is barred.

    Raises:
        ServerAway: nobody answers, not by HTTP either.
    """
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

    query = {} if run_id is None else {"run_id": run_id, **cursor.query()}
    try:
        socket = client.socket("/ws/training-progress", query)
    except (InvalidHandshake, InvalidMessage, TimeoutError, EOFError):
        return False
    except OSError as error:
        if client.answers():
            return False
        raise ServerAway(client.url, error) from None
    with socket:
        tell(LIVE)
        while not stopped.is_set():
            try:
                message = _received(socket)
            except ConnectionClosed as closed:
                told = closed.rcvd
                return told is None or _comes_back(told.code, told.reason)
            if message is None:
                yield None
            elif message["type"] == "subscribed":
                if run_id is not None and cursor.subscribed(message):
                    yield AFRESH
            else:
                cursor.passed(message)
                yield message
    return True


def _received(socket: ClientConnection) -> Message | None:
    try:
        message: Message = msgspec.json.decode(socket.recv(timeout=_HEARTBEAT_S))
    except TimeoutError:
        return None
    return message


def _comes_back(code: int, reason: str) -> bool:
    from federated_pneumonia_detection.server.close_codes import CLOSE_CODES

    known = {each.code: each for each in CLOSE_CODES}
    if code in known and not known[code].comes_back:
        raise ServerRefused({"title": reason or known[code].meaning}, code)
    return True


def _by_poll(
    client: Client,
    run_id: str | None,
    cursor: _Cursor,
    stopped: Event,
    tell: Callable[[LineState], None],
    until: float,
) -> Iterator[Message | None]:
    while not stopped.is_set() and time.monotonic() < until:
        if run_id is None:
            if not client.answers():
                raise ServerAway(client.url)
            tell(POLLING)
            stopped.wait(_POLL_WAIT_S)
            yield None
            continue
        page = client.events(run_id, wait=_POLL_WAIT_S, **cursor.query())
        tell(POLLING)
        if cursor.subscribed(page):
            yield AFRESH
            continue
        for message in page["messages"]:
            cursor.passed(message)
            yield message
        if not page["messages"]:
            yield None
