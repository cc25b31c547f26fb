"""Random faults in a row, seeded: nothing that was logged is lost, comes twice or out of order, for any kind of viewer.

`python tests/support/storm.py --faults 1000 --seed 7` runs four small trainings (one alone; a server with two clients),
`fpd serve`, and four viewers behind a proxy of ours. It kills, stops and restarts any of them, cuts, stalls, splits and
delays what passes the proxy, and deletes the database, then compares three things: what log calls returned, what stands
in the journals, and what each viewer has in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numbered_trainer
from forked_server import ForkedServer
from proxy import Proxy
from viewers import PollViewer, SocketViewer, StreamViewer, Viewer

from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import JournalReader

SETTLES_WITHIN_S = 300.0
PACE_S = 0.1
"""Between two log calls of one training, about."""
QUIET_S = 3.0
"""How long nothing may have come before things are compared: deaths are told within two seconds."""
_LONGEST_PAUSE_S = 0.12
_WAITS_FOR_SERVER = 0.75
_PID = re.compile(r"\(pid (\d+)\)")


@dataclass
class Trainer:
    """One small training, and what its log calls returned."""

    run_id: str
    client: str
    token: str
    returned_path: Path
    process: subprocess.Popen[bytes]
    killed: bool = False

    def end(self, how: signal.Signals) -> None:
        """End it, and wait for its end; one that is told before it listens dies of it, too."""
        self.process.send_signal(how)
        self.killed = self.process.wait(timeout=30) != 0

    def returned(self) -> list[int]:
        """The numbers of the log calls that have returned."""
        return [int(line) for line in self._lines() if line.isdigit()]

    def lost(self) -> int:
        """What its logger counted as lost; known only of one that ended."""
        return sum(int(line.removeprefix(b"lost ")) for line in self._lines() if line.startswith(b"lost "))

    def _lines(self) -> list[bytes]:
        # One killed in its first moments has not made the file.
        return self.returned_path.read_bytes().split(b"\n")[:-1] if self.returned_path.exists() else []


@dataclass
class Summary:
    """What a storm has shown."""

    faults: Counter[str]
    returned: int
    journalled: int
    seconds: float
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    connections: int = 0
    starts: int = 0
    documents: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_fair(self) -> bool:
        """Whether everything held."""
        return not (self.lost or self.twice or self.out_of_order or self.wrong)

    def __str__(self) -> str:
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.faults.total()} faults in {self.seconds:.0f} s ({kinds}); {self.returned} log calls returned, "
            f"{self.journalled} lifecycle messages in the journals, {self.connections} connections of viewers, "
            f"{self.starts} new starts told, documents parsed {self.documents} times; "
            f"lost {self.lost}, twice {self.twice}, out of order {self.out_of_order}"
        )


class Storm:
    """The processes, the proxy, the viewers, and what is done to them.

    Args:
        directory: an empty one.
        seed: of every choice; what the machine does in between is its own.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.log_dir = directory / "progress"
        self.log_dir.mkdir()
        self.chance = random.Random(seed)
        self.server = ForkedServer(self.log_dir)
        self.proxy = Proxy(self.server.port)
        self.trainers: list[Trainer] = []
        self.past: list[Trainer] = []
        self.viewers: list[Viewer] = []
        self.done: Counter[str] = Counter()
        self._alone = 0
        self._documents_read = 0
        self._torn: list[str] = []

    async def run(self, faults: int) -> Summary:
        """Do so many random things, then let everything come to rest and compare."""
        began = time.monotonic()
        await asyncio.to_thread(self.server.start)
        with self.proxy:
            self.viewers = [
                SocketViewer("a socket", self.proxy.port),
                SocketViewer("a socket of one run", self.proxy.port, run_id="hospitals"),
                StreamViewer("a stream", self.proxy.port),
                PollViewer("polling", self.proxy.port),
            ]
            for viewer in self.viewers:
                viewer.start()
            self.trainers = [self._alone_again(), *(self._hospital(who) for who in ("-", "north", "south"))]
            reader = asyncio.create_task(self._read_documents())
            try:
                for _ in range(faults):
                    await self._fault()
                return await self._settle(time.monotonic() - began)
            finally:
                reader.cancel()
                for viewer in self.viewers:
                    await viewer.stop()
                self._end_processes()

    async def _read_documents(self) -> None:
        """Parse one document after the other, as somebody does that polls them."""
        while True:
            for path in [*self.log_dir.glob("*.json")]:
                await asyncio.sleep(0.01)
                with contextlib.suppress(FileNotFoundError):
                    self._torn += torn(path)
                    self._documents_read += 1
            await asyncio.sleep(0.01)

    # --- faults ---

    async def _fault(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, _LONGEST_PAUSE_S))
        kinds: dict[Callable[[], Any], int] = {
            self.kill_trainer: 20,
            self.end_trainer: 3,
            self.stop_trainer: 3,
            self.kill_server: 10,
            self.restart_server: 4,
            self.stop_server: 4,
            self.kill_viewer: 8,
            self.cut: 16,
            self.cut_in_the_middle: 10,
            self.stall: 6,
            self.split: 7,
            self.delay: 6,
            self.delete_database: 2,
            self.delete_database_at_rest: 1,
        }
        act = self.chance.choices(list(kinds), list(kinds.values()))[0]
        self.done[act.__name__] += 1
        result = act()
        if asyncio.iscoroutine(result):
            await result

    def kill_trainer(self) -> None:
        """`kill -9` one; another one takes its place, mostly in the same run."""
        which = self.chance.randrange(len(self.trainers))
        self.trainers[which].end(signal.SIGKILL)
        self._replace(which)

    def end_trainer(self) -> None:
        """Let one end well; another one takes its place."""
        which = self.chance.randrange(len(self.trainers))
        self.trainers[which].end(signal.SIGTERM)
        self._replace(which)

    async def stop_trainer(self) -> None:
        """Stop one for a moment, as a machine does that suspends."""
        await self._suspend(self.chance.choice(self.trainers).process)

    async def kill_server(self) -> None:
        """`kill -9` it, perhaps while it starts; it starts again."""
        await asyncio.to_thread(self.server.kill)
        await self._serve_again()

    async def restart_server(self) -> None:
        """Stop it as Ctrl-C does, and start it."""
        await asyncio.to_thread(self.server.stop)
        await self._serve_again()

    async def stop_server(self) -> None:
        """Stop it for a moment."""
        assert self.server.process is not None
        await self._suspend(self.server.process)

    async def kill_viewer(self) -> None:
        """End one without a word; it comes back with its cursor."""
        await self.chance.choice(self.viewers).die()

    def cut(self) -> None:
        """Reset every connection."""
        self.proxy.cut()

    def cut_in_the_middle(self) -> None:
        """Reset every connection in the middle of what it gets next."""
        self.proxy.cut(after_bytes=self.chance.randint(1, 600))

    async def stall(self) -> None:
        """Hand on nothing for a moment, then go on, or cut."""
        self.proxy.stall()
        await asyncio.sleep(self.chance.uniform(0.05, 0.3))
        if self.chance.random() < 0.5:
            self.proxy.cut()
        self.proxy.flow()

    async def split(self) -> None:
        """Send each byte by itself for a moment."""
        self.proxy.splits = True
        await asyncio.sleep(self.chance.uniform(0.05, 0.3))
        self.proxy.splits = False

    async def delay(self) -> None:
        """Hold each piece back for a moment."""
        self.proxy.delay_s = self.chance.uniform(0.005, 0.1)
        await asyncio.sleep(self.chance.uniform(0.05, 0.3))
        self.proxy.delay_s = 0.0

    def delete_database(self) -> None:
        """Remove it while it is in use."""
        self._remove_database()

    async def delete_database_at_rest(self) -> None:
        """Remove it between two lives of the server."""
        await asyncio.to_thread(self.server.kill)
        self._remove_database()
        await self._serve_again()

    # --- what faults are made of ---

    def _remove_database(self) -> None:
        for path in self.log_dir.glob("hub.sqlite3*"):
            if self.chance.random() < 0.7 or path.name == "hub.sqlite3":
                path.unlink(missing_ok=True)

    async def _suspend(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.05, 0.4))
        process.send_signal(signal.SIGCONT)

    async def _serve_again(self) -> None:
        self.server.launch()
        if self.chance.random() < _WAITS_FOR_SERVER:
            await asyncio.to_thread(self.server.wait_until_it_answers)

    def _replace(self, which: int) -> None:
        old = self.trainers[which]
        self.past.append(old)
        if old.run_id != "hospitals":
            again = old.killed and self.chance.random() < 0.6
            self.trainers[which] = self._train(old.run_id, "-") if again else self._alone_again()
        else:
            self.trainers[which] = self._hospital(old.client)

    def _alone_again(self) -> Trainer:
        self._alone += 1
        return self._train(f"alone-{self._alone}", "-")

    def _hospital(self, client: str) -> Trainer:
        return self._train("hospitals", client)

    def _train(self, run_id: str, client: str) -> Trainer:
        token = f"t{len(self.past) + len(self.trainers)}-{self.chance.randrange(10**9)}"
        returned = self.directory / f"{token}.returned"
        command = [sys.executable, str(Path(numbered_trainer.__file__)), str(self.log_dir), run_id, client, token]
        command += [str(returned), str(self.chance.randrange(10**9)), str(PACE_S)]
        environment = {name: value for name, value in os.environ.items() if name != "FPD_RUN_ID"}
        return Trainer(run_id, client, token, returned, subprocess.Popen(command, env=environment))

    def _end_processes(self) -> None:
        for trainer in self.trainers:
            if trainer.process.poll() is None:
                trainer.process.kill()
                trainer.process.wait()
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.kill()
        self.server.end()

    # --- the end, and the comparison ---

    async def _settle(self, seconds: float) -> Summary:
        self.proxy.flow()
        # Those who lead a run last, so that its end is the last thing said in it.
        for trainer in sorted(self.trainers, key=lambda one: one.client == "-"):
            await asyncio.to_thread(trainer.end, signal.SIGTERM)
        assert self.server.process is not None
        if self.server.process.poll() is not None:
            self.server.launch()
        await asyncio.to_thread(self.server.wait_until_it_answers)
        deadline = time.monotonic() + SETTLES_WITHIN_S
        # To compare takes a while, in which nobody on this loop reads; so first everybody is let come to the top.
        quiet_since = time.monotonic()
        before: list[int] = []
        while time.monotonic() < min(deadline, quiet_since + QUIET_S):
            top = await self._top()
            present = [top, *(len(viewer.messages) for viewer in self.viewers)]
            if present != before or any(viewer.offset < top for viewer in self.viewers if viewer.run_id is None):
                before, quiet_since = present, time.monotonic()
            await asyncio.sleep(0.1)
        return await self._compare(seconds)

    async def _top(self) -> int:
        """How far the log has come."""
        try:
            async with httpx.AsyncClient(base_url=self.server.url, timeout=20, trust_env=False) as client:
                return int((await client.get("/api/events?limit=1")).json().get("top", -1))
        except httpx.TransportError:
            return -1

    async def _compare(self, seconds: float) -> Summary:
        journals = await asyncio.to_thread(read_journals, self.log_dir)
        everybody = [*self.past, *self.trainers]
        summary = Summary(
            self.done,
            returned=sum(len(trainer.returned()) for trainer in everybody),
            journalled=sum(map(len, journals.values())),
            seconds=seconds,
        )
        for viewer in self.viewers:
            summary.connections += viewer.connections
            summary.starts += viewer.starts
            summary.wrong += [f"{viewer.name}: {text}" for text in viewer.wrong]
            if viewer.needless_starts and not any("delete" in fault for fault in self.done):
                summary.wrong.append(f"{viewer.name}: told {viewer.needless_starts} needless starts")
            before = summary.lost, summary.twice, summary.out_of_order
            self._compare_with(viewer, journals, everybody, summary)
            if before != (summary.lost, summary.twice, summary.out_of_order):
                summary.wrong.append(f"{viewer.name} at {viewer.offset} of {viewer.log_id}: not what the journals say")
        summary.wrong += [f"{trainer.token} lost {trainer.lost()}" for trainer in everybody if trainer.lost()]
        summary.wrong += await self._wrong_states(everybody)
        summary.wrong += self._torn + torn_documents(self.log_dir)
        summary.documents = self._documents_read
        # Ctrl-C in the middle of an import is Python's to tell.
        said = self.server.output
        if said.count("Traceback") > said.count("KeyboardInterrupt"):
            summary.wrong.append(f"the server said: {said[-6000:]}")
        return summary

    def _compare_with(
        self, viewer: Viewer, journals: dict[str, list[str]], everybody: Iterable[Trainer], summary: Summary
    ) -> None:
        only = f'"run_id":"{viewer.run_id}"' if viewer.run_id else ""
        places: dict[str, list[int]] = {}
        for place, message in enumerate(viewer.messages):
            places.setdefault(key_of(message), []).append(place)
        wanted: Counter[str] = Counter()
        for keys in journals.values():
            keys = [key for key in keys if only in key]
            wanted.update(keys)
            order = [places[key][0] for key in keys if key in places]
            summary.out_of_order += sum(later < earlier for earlier, later in itertools.pairwise(order))
        seen = Counter({key: len(found) for key, found in places.items()})
        summary.lost += (wanted - seen).total()
        summary.twice += (seen - wanted).total()
        # What log calls returned is the measure; the journals might have lost something, too.
        said = Counter((said["by"], said["number"]) for m in viewer.messages if (said := _said(m)) is not None)
        for trainer in everybody:
            if viewer.run_id in (None, trainer.run_id):
                summary.lost += sum((trainer.token, number) not in said for number in trainer.returned())
        summary.twice += sum(count - 1 for count in said.values())

    async def _wrong_states(self, everybody: list[Trainer]) -> list[str]:
        """A run that ended well is completed, a killed one that nobody took up is failed; no living one was buried."""
        newest = {trainer.run_id: trainer for trainer in everybody if trainer.client == "-"}
        async with httpx.AsyncClient(base_url=self.server.url, timeout=20, trust_env=False) as client:
            found = {run_id: (await client.get(f"/api/runs/{run_id}")).json()["status"] for run_id in newest}
        wrong = []
        for run_id, trainer in newest.items():
            status = "failed" if trainer.killed else "completed"
            # A run killed before its first word is none.
            if found[run_id] != status and not (found[run_id] == 404 and not trainer.returned()):
                wrong.append(f"{run_id} is {found[run_id]}, and should be {status}")
        killed = {trainer.process.pid for trainer in everybody if trainer.killed}
        for message in self.viewers[0].messages:
            if message["type"] in ("training_error", "client_failed", "alert"):
                pids = {int(pid) for pid in _PID.findall(message.get("error") or message.get("text") or "")}
                wrong += [f"{message} although it lived" for pid in pids - killed]
        return wrong


async def until(condition: Callable[[], object], what: str, *, timeout_s: float = 30.0) -> None:
    """Wait for a condition, on the loop on which viewers live."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain until {what}"
        await asyncio.sleep(0.01)


def _said(message: dict[str, Any]) -> dict[str, Any] | None:
    """What a trainer of ours numbered, wherever it stands in a message."""
    for where in ("data", "metrics", "final_metrics"):
        inner = message.get(where)
        if isinstance(inner, dict) and "by" in inner and "number" in inner:
            return inner
    return None


def key_of(message: dict[str, Any]) -> str:
    """What tells one message from any other: everything but its place in the log."""
    return msgspec.json.encode({k: v for k, v in message.items() if k != "offset"}, order="sorted").decode()


def read_journals(directory: Path) -> dict[str, list[str]]:
    """The lifecycle messages of each writer, in the order of its journal."""
    found: dict[str, list[str]] = {}
    for path in sorted(directory.glob("*.jsonl")):
        reader = JournalReader(path)
        for entries in reader.present():
            assert reader.header is not None
            for entry in entries:
                if not isinstance(entry, Line) or entry.type in ("journal", "journal_end", "step"):
                    continue
                message = {**msgspec.json.decode(entry.body), "run_id": reader.header.run_id}
                found.setdefault(reader.header.writer, []).append(key_of(message))
    return found


def torn_documents(directory: Path) -> list[str]:
    """The polled documents that do not parse."""
    return [text for path in directory.glob("*.json") for text in torn(path)]


def torn(path: Path) -> list[str]:
    """Why a document does not parse, if it does not."""
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return [f"{path.name}: {error}"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--faults", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=None, metavar="S")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="storm-") as directory:
        summary = asyncio.run(Storm(Path(directory), seed).run(asked.faults))
    print(f"seed {seed}: {summary}")
    for text in summary.wrong[:50]:
        print(f"  {text}")
    return 0 if summary.is_fair else 1


if __name__ == "__main__":
    sys.exit(main())
