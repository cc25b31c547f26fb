"""Two servers on one PostgreSQL, one killed in the middle, PostgreSQL restarted: nothing is lost, twice or late."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numbered_trainer
import pytest
from postgres_process import PostgresProcess
from server_process import ServerProcess
from viewers import PollViewer, SocketViewer, StreamViewer, Viewer

from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader

pytestmark = pytest.mark.postgres

FAULTS = 100


class Trainers:
    """Small trainings that say numbered things until they are told to end, one in each directory."""

    def __init__(self, folder: Path, log_dirs: list[Path]) -> None:
        self.journals = {f"run-{at}": log_dir / f"run-{at}.jsonl" for at, log_dir in enumerate(log_dirs)}
        self._returned = {run_id: folder / f"{run_id}.returned" for run_id in self.journals}
        self._processes = [
            subprocess.Popen(
                [
                    *(sys.executable, numbered_trainer.__file__, str(journal.parent), run_id, "-", run_id),
                    *(str(self._returned[run_id]), str(seed), "0.02"),
                ]
            )
            for seed, (run_id, journal) in enumerate(self.journals.items())
        ]

    def returned(self, run_id: str) -> int:
        """How many log calls of a run have returned."""
        path = self._returned[run_id]
        return sum(line.isdigit() for line in path.read_bytes().split(b"\n")) if path.exists() else 0

    def go_on(self, wait_until: Callable[..., None], by: int = 20) -> None:
        """Wait until each has said so much more."""
        goals = {run_id: self.returned(run_id) + by for run_id in self.journals}
        wait_until(lambda: all(self.returned(run_id) >= goal for run_id, goal in goals.items()), "they said more")

    def end(self) -> None:
        """Let them say their last word."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            assert process.wait(timeout=20) == 0

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def said(self, run_id: str) -> list[dict[str, Any]]:
        """The lifecycle messages in a run's journal, in order."""
        reader = JournalReader(self.journals[run_id])
        lines: list[Line] = []
        while entries := reader.read():
            lines += [entry for entry in entries if isinstance(entry, Line)]
        return [json.loads(line.body) for line in lines if line.type not in ("step", "journal_end")]


class PatientPollViewer(PollViewer):
    """Comes back when it is told that the database is away."""

    async def _connection(self) -> None:
        try:
            await super()._connection()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 503:
                raise


def serve(log_dir: Path, database: str) -> ServerProcess:
    command = [sys.executable, "-m", "federated_pneumonia_detection", "serve", "--port", "{port}"]
    return ServerProcess(log_dir, command=[*command, "--log-dir", str(log_dir), "--database", database])


@pytest.fixture(params=["a directory each", "the same directory"])
def two(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Iterator[list[ServerProcess]]:
    """Two servers on one database."""
    names = ["one/progress", "two/progress"] if request.param == "a directory each" else ["one/progress"] * 2
    servers = []
    for name in names:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        servers.append(serve(tmp_path / name, postgres_url))
    with ExitStack() as stack:
        for server in servers:
            server.launch()
            stack.callback(server.stop)
        for server in servers:
            server.wait_until_it_answers()
        yield servers


def plain(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in ("run_id", "offset")}


def by_run(messages: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        found.setdefault(message["run_id"], []).append(plain(message))
    return found


def told_everywhere(states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what only the server beside the process knows, and how often it hears steps, which others get merged."""
    return [{key: value for key, value in run.items() if key not in ("pid", "hears_cancel", "pace")} for run in states]


async def test_one_killed_and_the_database_restarted_nothing_is_lost_twice_or_out_of_order(
    two: list[ServerProcess],
    postgres: PostgresProcess,
    tmp_path: Path,
    wait_until: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, other = two
    trainers = Trainers(tmp_path, [server.log_dir for server in two])
    viewers: list[Viewer] = [
        SocketViewer("a socket of the one that is killed", one.port),
        StreamViewer("a stream of the one that is killed", one.port),
        SocketViewer("a socket of the other", other.port),
        PatientPollViewer("polling the other", other.port),
    ]
    for viewer in viewers:
        viewer.start()
    try:
        await asyncio.to_thread(trainers.go_on, wait_until)
        one.kill()
        for viewer in viewers[:2]:
            viewer.port = other.port
        await asyncio.to_thread(trainers.go_on, wait_until)
        postgres.stop()
        await asyncio.to_thread(trainers.go_on, wait_until)
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(one.start)
        viewers[2].port = one.port
        await viewers[2].die()
        await asyncio.to_thread(trainers.go_on, wait_until)
        postgres.crash()
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(trainers.go_on, wait_until)
        await asyncio.to_thread(trainers.end)
        said = {run_id: trainers.said(run_id) for run_id in trainers.journals}
        total = sum(map(len, said.values()))
        await asyncio.to_thread(
            wait_until, lambda: all(len(v.messages) >= total for v in viewers), "every viewer has it all", timeout_s=40
        )
        states = [httpx.get(f"{server.url}/api/runs", timeout=10).json()["runs"] for server in two]
    finally:
        trainers.kill()
        for viewer in viewers:
            await viewer.stop()

    for viewer in viewers:
        assert viewer.wrong == [], viewer.name
        assert viewer.starts == 0, f"{viewer.name} was sent back to the start"
        assert by_run(viewer.messages) == said, viewer.name
    assert {(run["run_id"], run["status"]) for run in states[0]} == {("run-0", "completed"), ("run-1", "completed")}
    assert told_everywhere(states[0]) == told_everywhere(states[1])
    connections = sum(viewer.connections for viewer in viewers)
    with capsys.disabled():
        print(f"\n{total} messages, {connections} connections; lost 0, twice 0, out of order 0")


class Weather:
    """Random faults, seeded: a server killed or stopped for a moment, PostgreSQL stopped or crashed, viewers moved."""

    def __init__(
        self, seed: int, servers: list[ServerProcess], postgres: PostgresProcess, viewers: list[Viewer]
    ) -> None:
        self._chance = random.Random(seed)
        self._servers, self._postgres, self._viewers = servers, postgres, viewers
        self.done: Counter[str] = Counter()

    async def fault(self) -> None:
        """Do one of them, and what it takes to go on."""
        fault = self._chance.choice((self._kill, self._kill, self._stand_still, self._stop, self._crash, self._move))
        self.done[fault.__name__.strip("_")] += 1
        await fault()
        await asyncio.sleep(self._chance.uniform(0, 0.3))

    async def _kill(self) -> None:
        server = self._chance.choice(self._servers)
        await asyncio.to_thread(server.kill)
        await self._move()
        await asyncio.to_thread(server.start)

    async def _stand_still(self) -> None:
        server = self._chance.choice(self._servers)
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._chance.uniform(0.1, 1.0))
        server.process.send_signal(signal.SIGCONT)

    async def _stop(self) -> None:
        await asyncio.to_thread(self._postgres.stop)
        await asyncio.sleep(self._chance.uniform(0, 0.5))
        await asyncio.to_thread(self._postgres.start)

    async def _crash(self) -> None:
        await asyncio.to_thread(self._postgres.crash)
        await asyncio.to_thread(self._postgres.start)

    async def _move(self) -> None:
        viewer = self._chance.choice(self._viewers)
        viewer.port = self._chance.choice(self._servers).port
        await viewer.die()


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [7])
async def test_whatever_happens_to_servers_and_database_every_viewer_gets_the_same_log_once(
    seed: int,
    two: list[ServerProcess],
    postgres: PostgresProcess,
    tmp_path: Path,
    wait_until: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainers = Trainers(tmp_path, [server.log_dir for server in two])
    viewers: list[Viewer] = [
        SocketViewer("a socket", two[0].port),
        SocketViewer("a socket of one run", two[1].port, run_id="run-0"),
        StreamViewer("a stream", two[1].port),
        PatientPollViewer("polling", two[0].port),
    ]
    weather = Weather(seed, two, postgres, viewers)
    await asyncio.to_thread(trainers.go_on, wait_until)
    for viewer in viewers:
        viewer.start()
    try:
        for _ in range(FAULTS):
            await weather.fault()
        await asyncio.to_thread(trainers.end)
        said = {run_id: trainers.said(run_id) for run_id in trainers.journals}
        wanted = {viewer.name: {"run-0": said["run-0"]} if viewer.run_id else said for viewer in viewers}
        totals = {name: sum(map(len, runs.values())) for name, runs in wanted.items()}
        await asyncio.to_thread(
            wait_until,
            lambda: all(len(viewer.messages) >= totals[viewer.name] for viewer in viewers),
            "every viewer has it all",
            timeout_s=60,
        )
    finally:
        trainers.kill()
        for viewer in viewers:
            await viewer.stop()

    for viewer in viewers:
        assert viewer.wrong == [], viewer.name
        assert viewer.starts == 0, f"{viewer.name} was sent back to the start"
        assert by_run(viewer.messages) == wanted[viewer.name], viewer.name
    with capsys.disabled():
        print(f"\n{dict(weather.done)}, {sum(map(len, said.values()))} messages; lost 0, twice 0, out of order 0")
