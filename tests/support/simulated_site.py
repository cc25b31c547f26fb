"""A site whose time is simulated: hospitals that write journals, a watch that is the only clock, and a bad network."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader
from federated_pneumonia_detection.progress.journal import Journal, encode_end

BEGAN = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""An hour after which clocks in Europe go forward."""


class SimulatedTime:
    """A clock, and what happens when; it is also the `Watch` of a shipper, whose waiting is what makes time pass."""

    is_prompt = True

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], Path | None]]] = []
        self._changed: set[str] = set()

    def __call__(self) -> float:
        return self.now

    def stamp(self) -> str:
        return (BEGAN + timedelta(seconds=self.now)).isoformat(timespec="microseconds")

    def at(self, when: float, event: Callable[[], Path | None]) -> None:
        heapq.heappush(self._events, (when, len(self._events), event))

    def pass_by(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            when, _, event = heapq.heappop(self._events)
            self.now = max(self.now, when)
            if (path := event()) is not None:
                self._changed.add(str(path))
        self.now = until

    def touch(self, path: Path) -> None:
        """Somebody wrote to it just now."""
        self._changed.add(str(path))

    def add(self, directory: str) -> bool:
        return True

    def wait(self, timeout_s: float) -> set[str]:
        timeout_s = max(0.0, timeout_s)
        if self._events and not self._changed:
            # Woken by the next event, as inotify would.
            timeout_s = min(timeout_s, max(0.0, self._events[0][0] - self.now))
        self.pass_by(timeout_s)
        changed, self._changed = self._changed, set()
        return changed

    def wake(self) -> None: ...

    def close(self) -> None: ...


class Hospital:
    """Writes a journal as a client of a federated run does, at simulated times."""

    def __init__(self, time: SimulatedTime, directory: Path, run_id: str, client_id: str) -> None:
        self._time = time
        self._client_id = client_id
        header = JournalHeader(
            format=FORMAT,
            writer=f"writer{client_id}",
            run_id=run_id,
            client_id=client_id,
            experiment_name="exp",
            mode="federated",
            host="a-hospital",
            boot=liveness.boot_id(),
            pid=1,
            pid_start=1,
            start=time.stamp(),
            broadcast_interval=0.1,
        )
        self.journal = Journal.create(directory, header)
        self._n = 0

    def say(self, type_: str, **keys: Any) -> Path:
        self._n += 1
        message = {"type": type_, "timestamp": self._time.stamp(), "client_id": self._client_id, **keys}
        self.journal.append(msgspec.json.encode(message), self._n)
        return self.journal.path

    def end(self) -> Path:
        self._n += 1
        self.journal.append(encode_end(self._time.stamp()), self._n)
        self.journal.close()
        return self.journal.path

    def train(self, rounds: int, *, begin_s: float, round_s: float, step_s: float) -> None:
        """Plan rounds of steps from a moment on."""
        steps = int(round_s // step_s) - 1
        for round_ in range(1, rounds + 1):
            at = begin_s + (round_ - 1) * round_s
            self._time.at(at, lambda r=round_: self.say("round_start", round=r, total_rounds=rounds))  # type: ignore[misc]
            for step in range(1, steps + 1):
                self._time.at(at + step * step_s, lambda r=round_, s=step: self._step(r, s, steps))  # type: ignore[misc]
            self._time.at(at + round_s - 1, lambda r=round_: self._round_end(r))  # type: ignore[misc]
        self._time.at(begin_s + rounds * round_s, self.end)

    def _step(self, round_: int, step: int, of: int) -> Path:
        metrics = {"train_loss": 1 / (round_ * of + step)}
        return self.say("step", round=round_, epoch=1, step=step, total_steps=of, phase="train", metrics=metrics)

    def _round_end(self, round_: int) -> Path:
        return self.say(
            "round_end", round=round_, fit_metrics={"train_loss": 1 / round_}, eval_metrics={"val_auroc": 0.9}
        )


class BadNetwork(httpx.BaseTransport):
    """Cuts (on the way there or back), repeats, delivers late and out of order, delays, and goes away for minutes."""

    def __init__(self, time: SimulatedTime, random: Random, *, away: list[tuple[float, float]]) -> None:
        self._time = time
        self._random = random
        self._away = away
        self._real = httpx.HTTPTransport()
        self._late: list[httpx.Request] = []
        self.happened: Counter[str] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self._time.pass_by(self._random.uniform(0.01, 0.3))
        if any(begin <= self._time.now < end for begin, end in self._away):
            self.happened["away"] += 1
            raise httpx.ConnectError("no route to host", request=request)
        if self._late and self._random.random() < 0.3:
            # A copy that somebody on the way had kept comes after newer ones.
            self.happened["late"] += 1
            self._deliver(self._late.pop(self._random.randrange(len(self._late))))
        fate = self._random.random()
        if fate < 0.08:
            self.happened["cut there"] += 1
            raise httpx.ReadError("reset", request=request)
        if fate < 0.16:
            self.happened["cut back"] += 1
            self._deliver(request)
            raise httpx.ReadTimeout("timed out", request=request)
        if fate < 0.24:
            self.happened["repeated"] += 1
            self._deliver(request)
        elif fate < 0.30:
            self.happened["kept"] += 1
            self._late.append(request)
            raise httpx.ReadTimeout("timed out", request=request)
        elif fate < 0.34:
            self.happened["delayed"] += 1
            self._time.pass_by(self._random.uniform(1, 20))
        elif fate < 0.36:
            self.happened["gateway"] += 1
            return httpx.Response(502, text="<html>bad gateway</html>", request=request)
        self.happened["delivered"] += 1
        return self._deliver(request)

    def _deliver(self, request: httpx.Request) -> httpx.Response:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = self._real.handle_request(copy)
        response.read()
        return response

    def close(self) -> None:
        self._real.close()
