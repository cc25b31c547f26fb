"""Viewers that come, go and come back beside a log that grows, restarts and is lost: each message once, in order.

The hub is the real one over the real stores, fed by real journals; the model is a list of what each writer said.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule
from machines import tried

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

RUNS = ("one", "two")
CLIENTS = (None, "a", "b")
PATIENCE_S = 20.0


class Viewer:
    """What somebody sees who keeps a cursor: what was said, by run and client, and where it stands."""

    def __init__(self, run_id: str | None, client_id: str | None, *, from_the_start: bool) -> None:
        self.run_id, self.client_id = run_id, client_id
        self.after: int | None = 0 if from_the_start else None
        self.log_id: str | None = None
        self.said: dict[tuple[str, str | None], list[int]] = {}
        # What had been said when it came without a cursor: of that it sees the newest alone.
        self.before: dict[tuple[str, str | None], int] = {}
        self.offsets: list[int] = []
        self.steps: dict[tuple[str, str | None], int] = {}
        self.subscription: Any = None

    def takes(self, run_id: str, client_id: str | None) -> bool:
        return self.run_id in (None, run_id) and self.client_id in (None, client_id)

    def see(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribed":
            if not message["recovered"] and self.after is not None:
                self.said.clear(), self.before.clear(), self.steps.clear()
                self.offsets.clear()
                self.after = 0
            self.log_id = message["log_id"]
            if self.after is None:
                self.after = message["top"]
            return
        assert self.run_id in (None, message["run_id"]), message
        assert self.client_id in (None, message.get("client_id")), message
        key = message["run_id"], message.get("client_id")
        if message["type"] == "step":
            assert "offset" not in message
            assert message["row"] >= self.steps.get(key, 0), "a step went back"
            self.steps[key] = message["row"]
            return
        assert not self.offsets or message["offset"] > self.offsets[-1], "an offset was repeated, or went back"
        self.offsets.append(message["offset"])
        self.after = max(self.after or 0, message["offset"])
        if message["type"] == "said":
            self.said.setdefault(key, []).append(message["data"])


class CursorMachine(RuleBasedStateMachine):
    """A directory of journals, one hub over it, any number of viewers."""

    viewers = Bundle("viewers")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="fpd-cursor-"))
        self.log_dir = self.directory / "progress"
        self.log_dir.mkdir()
        self.loop = asyncio.new_event_loop()
        self.loggers: dict[tuple[str, str | None], ProgressLogger] = {}
        self.told: dict[tuple[str, str | None], int] = {}
        self.everybody: list[Viewer] = []

    @initialize(kind=st.sampled_from(["memory", "sqlite"]))
    def begin(self, kind: str) -> None:
        self.kind = kind
        self._open()

    def _open(self) -> None:
        url = f"sqlite:///{self.directory / 'hub.sqlite3'}"
        self.hub = Hub(MemoryStore() if self.kind == "memory" else SqlStore(url))
        self.hub.follow(str(self.log_dir))
        self.hub.start()

    @rule(run_id=st.sampled_from(RUNS), client_id=st.sampled_from(CLIENTS), count=st.integers(1, 12))
    def say(self, run_id: str, client_id: str | None, count: int) -> None:
        key = run_id, client_id
        logger = self.loggers.get(key)
        if logger is None:
            logger = self.loggers[key] = (
                ProgressLogger(self.log_dir, "exp", run_id=run_id)
                if client_id is None
                else FederatedProgressLogger(client_id, self.log_dir, "exp", run_id=run_id)
            )
        for _ in range(count):
            number = self.told[key] = self.told.get(key, 0) + 1
            logger.log_step(1, number, None, {"loss": 1.0})
            logger.log_custom_event("said", number)

    @rule(
        target=viewers,
        run_id=st.sampled_from([None, *RUNS]),
        client_id=st.sampled_from(CLIENTS),
        from_the_start=st.booleans(),
    )
    def come(self, run_id: str | None, client_id: str | None, from_the_start: bool) -> Viewer:
        viewer = Viewer(run_id, client_id, from_the_start=from_the_start)
        self.everybody.append(viewer)
        if not from_the_start:
            # Everything that was said is in the log by now, so that what comes later is what it must see.
            self._until_all_is_committed()
            viewer.before = dict(self.told)
        self._connect(viewer)
        if not from_the_start:
            self._catch_up(viewer)
        return viewer

    def _connect(self, viewer: Viewer) -> None:
        async def connect() -> None:
            viewer.subscription = self.hub.subscribe(
                run_id=viewer.run_id, client_id=viewer.client_id, after=viewer.after, log_id=viewer.log_id
            )

        if viewer.subscription is None:
            self.loop.run_until_complete(connect())

    @rule(viewer=viewers, frames=st.integers(0, 20))
    def read_some(self, viewer: Viewer, frames: int) -> None:
        self._connect(viewer)
        self.loop.run_until_complete(self._read(viewer, frames, wait_s=0.0))

    @rule(viewer=viewers)
    def read_all(self, viewer: Viewer) -> None:
        self._connect(viewer)
        self._catch_up(viewer)

    @rule(viewer=viewers)
    def go(self, viewer: Viewer) -> None:
        if viewer.subscription is not None:
            viewer.subscription.close()
            viewer.subscription = None

    @rule(viewer=viewers, forgets=st.booleans())
    def come_back(self, viewer: Viewer, forgets: bool) -> None:
        self.go(viewer)
        if forgets and viewer.log_id == self.hub.log_id:
            # Then its cursor is taken at its word, which is right as long as the log is the same.
            viewer.log_id = None
        self._connect(viewer)

    @rule()
    def the_server_restarts(self) -> None:
        self._close()
        self._open()
        if self.kind == "memory":
            self._cursors_are_of_another_log()

    @rule()
    def the_database_is_lost(self) -> None:
        self._close()
        for path in self.directory.glob("hub.sqlite3*"):
            path.unlink()
        self._open()
        self._cursors_are_of_another_log()

    def _cursors_are_of_another_log(self) -> None:
        for viewer in self.everybody:
            # Taken at its word, a cursor without a log would be one of the new log.
            viewer.log_id = viewer.log_id or "lost"

    def _close(self) -> None:
        for viewer in self.everybody:
            self.go(viewer)
        self.hub.close()

    def _until_all_is_committed(self) -> None:
        async def wait() -> None:
            deadline = self.loop.time() + PATIENCE_S
            while not self._is_committed():
                assert self.loop.time() < deadline, "the log does not take in what was said"
                await asyncio.sleep(0.002)

        self.loop.run_until_complete(wait())

    def _is_committed(self) -> bool:
        newest: dict[tuple[str, str | None], int] = {}
        for text in self.hub.events(after=0, log_id=None, limit=10_000).messages:
            message = json.loads(text)
            if message["type"] == "said":
                newest[message["run_id"], message.get("client_id")] = message["data"]
        return newest == self.told

    async def _read(self, viewer: Viewer, frames: int, *, wait_s: float) -> int:
        seen = 0
        while seen < frames:
            waiting = asyncio.ensure_future(anext(viewer.subscription))
            done, _ = await asyncio.wait({waiting}, timeout=max(wait_s, 0.001))
            if not done:
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    await waiting
                break
            viewer.see(json.loads(bytes(waiting.result())))
            seen += 1
        return seen

    def _wanted(self, viewer: Viewer) -> dict[tuple[str, str | None], list[int]]:
        wanted = {}
        for key, newest in self.told.items():
            # Who came without a cursor got the newest of each kind, and then everything.
            first = max(viewer.before.get(key, 0), 1)
            if viewer.takes(*key) and newest:
                wanted[key] = list(range(first, newest + 1))
        return wanted

    def _catch_up(self, viewer: Viewer) -> None:
        deadline = self.loop.time() + PATIENCE_S

        async def read() -> None:
            # Without a first frame it has no cursor to come back with.
            while viewer.log_id is None or viewer.said != self._wanted(viewer):
                if self.loop.time() > deadline:
                    raise AssertionError(f"{viewer.said} was seen, and not {self._wanted(viewer)}")
                await self._read(viewer, 1, wait_s=0.05)

        self.loop.run_until_complete(read())

    def teardown(self) -> None:
        try:
            if hasattr(self, "hub"):
                for viewer in self.everybody:
                    self.read_all(viewer)
                self._close()
        finally:
            for logger in self.loggers.values():
                logger.log_training_complete({})
                logger.close()
            self.loop.close()
            shutil.rmtree(self.directory, ignore_errors=True)


TestCursor, TestCursorForLong = tried(CursorMachine, examples=25, long_examples=400, steps=30)
