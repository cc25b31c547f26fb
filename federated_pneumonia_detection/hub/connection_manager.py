"""`ConnectionManager`: the hub over memory, for the WebSocket endpoint of anybody's own app."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from federated_pneumonia_detection.hub.follower import NOTE_SUFFIX
from federated_pneumonia_detection.hub.frames import Burst, Frame
from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.private_directory import PrivateDirectory
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.subscription import Subscription

__all__ = ["ConnectionManager"]

logger = logging.getLogger(__name__)

_ENDED_KEPT_S = 3600.0
_BAD_REQUEST, _UNKNOWN_RUN, _TOO_SLOW = 4400, 4404, 4408
_TAKEN_WITHIN_S = 0.1
_CLOSED_WITHIN_S = 5.0


class _Socket(Protocol):
    """What is used of a WebSocket: FastAPI's has it, and nothing else is touched."""

    client_state: Any
    application_state: Any

    @property
    def query_params(self) -> Mapping[str, str]: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def accept(self) -> None: ...

    async def send_text(self, data: str) -> None: ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class ConnectionManager:
    """Shows viewers what loggers say, live: `connect` each WebSocket, hand the manager to loggers and trainers.

    The messages come by way of the loggers' journals, so a manager shows those of other processes as well, under any
    start method. Pickled, it is a reference: a logger that gets it in another process is heard here. It may be made at
    import, before any event loop, and starts its one thread with the first viewer. What it knows it keeps in memory:
    runs that ended for an hour, and 100 000 messages of a run.

    Args:
        log_dir: A directory to follow from the start, also when no logger of this process writes there: so each of
            several workers of a server shows everything.

    Examples:
        >>> manager = ConnectionManager()
        >>> manager.active_connections
        []
    """

    def __init__(self, log_dir: str | os.PathLike[str] | None = None) -> None:
        self._private = PrivateDirectory()
        # What is followed, in order. A reference knows what its owner followed when it was made.
        self._directories: list[str] = []
        self._is_reference = False
        self._begin_in_this_process()
        if log_dir is not None:
            self.follow(os.fspath(log_dir))

    def _begin_in_this_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._hub: Hub | None = None
        self._viewers: dict[int, _Viewer] = {}

    # --- for loggers ---

    def follow(self, directory: str | None) -> str:
        """Follow the journals of a directory from now on, from any thread and any process that has the manager.

        Args:
            directory: Where they lie; `None` for a private directory of this manager's, removed at its end.

        Returns:
            The absolute path of what is followed.

        Raises:
            OSError: The private directory cannot be made.
        """
        self._notice_fork()
        path = self._private.make() if directory is None else str(Path(directory).absolute())
        with self._lock:
            is_new = path not in self._directories
            if is_new:
                self._directories.append(path)
        if is_new and self._is_reference and path != self._private.path:
            self._leave_note(path)
        if not self._is_reference or self._hub is not None:
            self._own_hub().follow(path)
        return path

    def wake(self, directory: str) -> None:
        """Something was written there. Only a hint; nothing depends on it."""
        if self._hub is not None and self._pid == os.getpid():
            self._hub.hint()

    def _leave_note(self, path: str) -> None:
        """Tell the owner, in its own process, what else is to be followed."""
        folder = self._private.make()
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        temporary = Path(folder, f".{name}-{os.getpid()}.tmp")
        temporary.write_text(path, encoding="utf-8", errors="surrogateescape")
        temporary.replace(Path(folder, name + NOTE_SUFFIX))

    def _notice_fork(self) -> None:
        """In a child that inherited it, a manager is a reference as if it had been pickled."""
        if self._pid != os.getpid():
            self._begin_in_this_process()
            self._is_reference = True

    def _own_hub(self) -> Hub:
        with self._lock:
            if self._hub is None:
                self._hub = Hub(MemoryStore(), private=self._private, news_only=True, ended_kept_s=_ENDED_KEPT_S)
                # The private directory as well, even before it is there: children leave their notes in it.
                for directory in dict.fromkeys([*self._directories, self._private.path]):
                    self._hub.follow(directory)
            return self._hub

    # --- for a WebSocket endpoint ---

    @property
    def active_connections(self) -> list[Any]:
        """The sockets that are connected, in the order they came."""
        self._notice_fork()
        return [viewer.websocket for viewer in list(self._viewers.values())]

    async def connect(self, websocket: Any) -> None:
        """Accept a WebSocket (unless that was done), and send it everything its query asks for, then what is live.

        Everything said after it has returned is sent, by a task on the running loop, until the socket is gone or
        `disconnect` is called. The query may name `run_id` (or `latest`), `client_id`, `after` and `log_id`.

        Args:
            websocket: FastAPI's or Starlette's. Nothing is read from it: that is the endpoint's.
        """
        self._notice_fork()
        if _state(websocket, "application_state") != "CONNECTED":
            await websocket.accept()
        hub = self._own_hub()
        hub.start(wait=False)
        # What is in the journals already is history for this viewer; with the first one it has to be read first.
        await asyncio.to_thread(hub.wait_until_ready)
        viewer = _Viewer(websocket)
        subscription = await viewer.subscribe(hub)
        if subscription is not None:
            self._viewers[id(websocket)] = viewer
            viewer.task = asyncio.get_running_loop().create_task(self._serve(viewer, subscription))

    def disconnect(self, websocket: Any) -> _Done:
        """Send a WebSocket nothing more. It acts when called; awaiting what it returns is allowed."""
        self._notice_fork()
        viewer = self._viewers.pop(id(websocket), None)
        if viewer is not None:
            viewer.end()
        return _Done()

    async def broadcast(self, message: Mapping[str, Any]) -> None:
        """Send a JSON object as it is to every socket: it has no offset, and is not repeated to who comes back.

        Returns when those who keep up have taken it.

        Raises:
            TypeError: It is not JSON.
        """
        self._notice_fork()
        frame = Frame(msgspec.json.encode(message))
        loop = asyncio.get_running_loop()
        viewers = list(self._viewers.values())
        for viewer in viewers:
            viewer.push(frame)
        here = [viewer for viewer in viewers if viewer.loop is loop]
        deadline = loop.time() + _TAKEN_WITHIN_S
        # Each turn lets the viewers' own tasks send; there is nothing else to wait for, and not for long.
        while loop.time() < deadline and any(viewer.is_busy() for viewer in here):  # noqa: ASYNC110
            await asyncio.sleep(0)

    def close(self) -> None:
        """Let every socket go, stop following, remove the private directory. Twice is fine."""
        self._notice_fork()
        for viewer in list(self._viewers.values()):
            self.disconnect(viewer.websocket)
        hub, self._hub = self._hub, None
        if hub is not None:
            hub.close()
        self._private.remove()

    async def _serve(self, viewer: _Viewer, subscription: Subscription) -> None:
        try:
            await viewer.serve(subscription)
        finally:
            if self._viewers.get(id(viewer.websocket)) is viewer:
                del self._viewers[id(viewer.websocket)]

    # --- across processes ---

    def __reduce__(self) -> tuple[Any, ...]:
        self._notice_fork()
        if not self._is_reference:
            self.follow(None)
        return _reference, (list(self._directories), self._private.path)

    def __deepcopy__(self, memo: object) -> ConnectionManager:
        return self


def _reference(directories: list[str], private: str) -> ConnectionManager:
    """The manager of another process."""
    manager = ConnectionManager.__new__(ConnectionManager)
    manager._private = PrivateDirectory(private)
    manager._directories = list(directories)
    manager._is_reference = True
    manager._begin_in_this_process()
    return manager


class _Done:
    """Awaiting it is allowed, and does nothing."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


class _Viewer:
    """One socket and what is sent to it."""

    def __init__(self, websocket: _Socket) -> None:
        self.websocket = websocket
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self._sending = False

    def push(self, frame: Frame) -> None:
        """Put a frame that stands in no log behind what is to be sent, from any thread."""
        if self.loop is _running_loop():
            self._push(frame)
        else:
            with contextlib.suppress(RuntimeError):  # its loop has ended, and its socket with it
                self.loop.call_soon_threadsafe(self._push, frame)

    def _push(self, frame: Frame) -> None:
        if self._subscription is not None:
            self._subscription.offer(Burst([frame]))

    def is_busy(self) -> bool:
        """Whether something is on its way to it."""
        alive = self.task is not None and not self.task.done()
        return alive and (self._sending or (self._subscription is not None and self._subscription.untaken > 0))

    def end(self) -> None:
        """Send nothing more, from any thread."""
        if self.loop is _running_loop():
            self._end()
        else:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    async def serve(self, subscription: Subscription) -> None:
        """Send until the socket is gone or too slow."""
        sender = self.loop.create_task(self._send(subscription))
        ended = self.loop.create_task(subscription.wait_closed())
        try:
            # A socket that takes nothing keeps the sender waiting; the subscription ends all the same.
            await asyncio.wait({sender, ended}, return_when=asyncio.FIRST_COMPLETED)
            if subscription.too_slow:
                sender.cancel()
                await self._close(_TOO_SLOW, "too slow: come back with your cursor")
        finally:
            subscription.close()
            for task in (sender, ended):
                task.cancel()
            await asyncio.gather(sender, ended, return_exceptions=True)

    async def subscribe(self, hub: Hub) -> Subscription | None:
        """What its query asks for; `None`, and the socket is closed, where that cannot be had."""
        query = self.websocket.query_params
        wanted, after = query.get("run_id") or None, query.get("after") or None
        run_id = None if wanted is None else hub.resolve(wanted)
        if after is not None and not re.fullmatch(r"[0-9]{1,18}", after):
            await self._close(_BAD_REQUEST, "after must be a whole number, 0 or more")
            return None
        if wanted is not None and run_id is None:
            await self._close(_UNKNOWN_RUN, "there is no such run")
            return None
        self._subscription = hub.subscribe(
            run_id=run_id,
            client_id=query.get("client_id") or None,
            after=None if after is None else int(after),
            log_id=query.get("log_id") or None,
        )
        return self._subscription

    async def _send(self, subscription: Subscription) -> None:
        try:
            async for frame in subscription:
                self._sending = True
                await self.websocket.send_text(frame.text)
                self._sending = False
        except Exception as error:  # noqa: BLE001 — each server raises its own when a socket is gone
            logger.debug("a viewer is gone: %s", error)
        finally:
            self._sending = False

    async def _close(self, code: int, reason: str) -> None:
        if _state(self.websocket, "client_state") == "DISCONNECTED":
            return
        with contextlib.suppress(Exception):  # it is gone already, or does not answer
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                await self.websocket.close(code=code, reason=reason)


def _state(websocket: Any, which: str) -> str:
    return str(getattr(getattr(websocket, which, None), "name", ""))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
