"""Viewers that lose their connection again and again, and come back with their cursor: WebSocket, SSE, polling.

Each checks what it gets while it gets it: offsets are dense, and a new start (`recovered: false`) clears.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

_AGAIN_S = 0.02
_ANSWERS_WITHIN_S = 5.0


class Viewer:
    """What a viewer knows, and how it goes on watching until `stop`.

    Attributes:
        name: for the summary.
        messages: what it has now, in the order it came; cleared by a new start.
        wrong: what must never happen, in words.
        connections: how often it has connected.
        starts: how often it was told that this is a new start.
        needless_starts: how often of the log that it had already.
    """

    def __init__(self, name: str, port: int, *, run_id: str | None = None) -> None:
        self.name = name
        self.port = port
        self.run_id = run_id
        self.log_id: str | None = None
        self.offset = 0
        self.messages: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.connections = self.starts = self.needless_starts = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch, from the beginning of the log."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def die(self) -> None:
        """End as if killed, and begin again with nothing but messages and cursor."""
        await self.stop()
        self.start()

    async def _watch(self) -> None:
        while True:
            try:
                await self._connection()
            except httpx.HTTPStatusError as error:
                # "Not for now" is an answer; any other one says that something went wrong.
                if (status := error.response.status_code) != 503:
                    self.wrong.append(f"{status} for {error.request.url}: {error.response.text[:300]}")
            except (OSError, WebSocketException, InvalidHandshake, httpx.TransportError, EOFError):
                pass
            await asyncio.sleep(_AGAIN_S)

    async def _connection(self) -> None:
        raise NotImplementedError

    def _query(self) -> str:
        return f"after={self.offset}" + (f"&log_id={self.log_id}" if self.log_id else "")

    def began(self, log_id: str, recovered: bool) -> None:
        """The log said where this viewer stands."""
        if not recovered:
            self.starts += 1
            if self.log_id == log_id:
                self.needless_starts += 1
            self.messages.clear()
            self.offset = 0
        elif self.log_id not in (None, log_id):
            self.wrong.append(f"recovered, but the log was {self.log_id} and is {log_id}")
        self.log_id = log_id

    def take(self, message: dict[str, Any]) -> None:
        """One frame, of whatever kind."""
        if message["type"] == "subscribed":
            self.began(message["log_id"], message["recovered"])
            return
        offset = message.get("offset")
        if offset is None:
            return
        is_next = offset == self.offset + 1 if self.run_id is None else offset > self.offset
        if not is_next:
            self.wrong.append(f"offset {offset} after {self.offset} (connection {self.connections})")
        self.offset = max(offset, self.offset)
        self.messages.append(message)


class SocketViewer(Viewer):
    """By WebSocket."""

    async def _connection(self) -> None:
        path = f"/ws/training-progress?{self._query()}" + (f"&run_id={self.run_id}" if self.run_id else "")
        socket: ClientConnection = await connect(
            f"ws://127.0.0.1:{self.port}{path}",
            open_timeout=_ANSWERS_WITHIN_S,
            ping_interval=1,
            ping_timeout=_ANSWERS_WITHIN_S,
            proxy=None,
        )
        try:
            self.connections += 1
            while True:
                self.take(msgspec.json.decode(await socket.recv()))
        finally:
            socket.transport.abort()


class StreamViewer(Viewer):
    """By Server-Sent Events, with `Last-Event-ID`."""

    async def _connection(self) -> None:
        headers = {"Last-Event-ID": f"{self.log_id}:{self.offset}"} if self.log_id else {}
        url = f"http://127.0.0.1:{self.port}/api/stream?after=0"
        timeout = httpx.Timeout(_ANSWERS_WITHIN_S, read=20)
        async with (
            httpx.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.is_error:
                await answer.aread()
            answer.raise_for_status()
            self.connections += 1
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    key, _, value = line.partition(": ")
                    event[key] = value
                elif "data" in event:
                    self._event(event)
                    event = {}

    def _event(self, event: dict[str, str]) -> None:
        message = msgspec.json.decode(event["data"])
        self.take(message)
        if "id" in event and event["id"] != f"{self.log_id}:{message['offset']}":
            self.wrong.append(f"event {event['id']} holds offset {message['offset']} of {self.log_id}")


class PollViewer(Viewer):
    """By long poll."""

    async def _connection(self) -> None:
        async with httpx.AsyncClient(timeout=_ANSWERS_WITHIN_S + 10, trust_env=False) as client:
            while True:
                url = f"http://127.0.0.1:{self.port}/api/events?{self._query()}&limit=500&wait=2"
                answer = await client.get(url)
                answer.raise_for_status()
                self.connections += 1
                page = msgspec.json.decode(answer.content)
                self.began(page["log_id"], page["recovered"])
                for message in page["messages"]:
                    self.take(message)
