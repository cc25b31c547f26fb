"""`fpd federation up`: every machine of a federation, as processes of this one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import typer

from federated_pneumonia_detection.cli.client import Client
from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED
from federated_pneumonia_detection.cli.lines import PHANTOMS, printable
from federated_pneumonia_detection.federated.roster import client_name
from federated_pneumonia_detection.federated.superlink.commands import (
    LAUNCHER,
    environment,
    superlink_command,
    supernode_command,
)
from federated_pneumonia_detection.federated.superlink.directory import Federation, NoFederation, write_private
from federated_pneumonia_detection.federated.superlink.flower import Flower
from federated_pneumonia_detection.federated.superlink.keys import make_node_key
from federated_pneumonia_detection.federated.superlink.processes import Processes, Program
from federated_pneumonia_detection.federated.superlink.ticket import Desk
from federated_pneumonia_detection.progress.cancel import request_cancel

__all__ = ["Laptop"]

_LOOK_S = 0.2
_STARTS_WITHIN_S = 90.0
_RUNS_END_WITHIN_S = 4.0
_HOST = "127.0.0.1"


class Laptop:
    """A federation on one machine, all of it on loopback.

    Args:
        directory: everything lies in here, and is used again the next time.
        nodes: hospitals.
        source: the images they share; as `data.find_source` takes it.
        partition: how they share them.
        alpha: of `dirichlet`.
        seed: of the sharing out.
        port: of the page, if it is free.
    """

    def __init__(
        self, directory: Path, *, nodes: int, source: str | None, partition: str, alpha: float, seed: int, port: int
    ) -> None:
        self._directory = directory
        self._names = [client_name(number) for number in range(nodes)]
        self._source = source
        self._sharing: dict[str, Any] = {"partition": partition, "alpha": alpha, "partition-seed": seed}
        self._port = port
        self._processes = Processes(_say)

    def run(self) -> int:
        """Start all, look after all until Ctrl-C, end all; the exit code."""
        ended_by = signal.SIGINT

        def end(number: int, frame: object) -> None:
            nonlocal ended_by
            ended_by = signal.Signals(number)
            raise KeyboardInterrupt

        # Losing the terminal is no reason to leave a federation behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        try:
            self._start()
            while True:
                self._processes.look_after()
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            return CANCELLED if ended_by is signal.SIGINT else 0
        except TimeoutError as error:
            typer.echo(f"fpd: {printable(str(error))}", err=True)
            return FAILED
        finally:
            # A second Ctrl-C in the middle of this would leave processes behind; what follows is bounded anyway.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self._cancel_runs()
            self._processes.end()
            _say("All of it has ended; what was written stays.")

    def _start(self) -> None:
        from federated_pneumonia_detection.data import find_source

        found = find_source(self._source)
        if found.kind == "publisher":
            from federated_pneumonia_detection.cli.train import fetch

            found = find_source("phantoms" if not fetch(self._source) else None)
        source = "phantoms" if found.path is None else str(found.path.resolve())
        federation = self._federation()
        _say(f"Starting {len(self._names)} hospitals in {self._directory}. Ctrl-C ends all of it.")
        flower = Flower(federation)
        port = int(federation.address.rpartition(":")[2])
        superlink = self._processes.start(
            Program(
                "SuperLink",
                superlink_command(federation, _HOST, port),
                self._directory / "superlink.log",
                environment(federation.flower_home),
                launcher=LAUNCHER,
            )
        )
        url = self._serve(source)
        self._wait(superlink, flower.is_there)
        for name in self._names:
            self._admit(flower, name)
        for number, name in enumerate(self._names):
            self._hospital(federation, number, name, source, url)
        self._tell(federation, url, source)

    def _cancel_runs(self) -> None:
        """Let the runs that go on say their end themselves, before what carries them is gone."""
        log_dir = self._directory / "log"
        desks = [Desk(path.parent) for path in (log_dir / ".jobs").glob("*/superlink-process.json")]
        going = [desk for desk in desks if desk.result() is None and desk.server_lives()]
        for desk in going:
            request_cancel(log_dir, desk.ticket().run_id, reason="the federation was ended", by="fpd federation up")
        deadline = time.monotonic() + _RUNS_END_WITHIN_S
        while any(desk.server_lives() for desk in going) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def _federation(self) -> Federation:
        try:
            federation = Federation.open(self._directory)
        except NoFederation:
            return Federation.create(self._directory, address=f"{_HOST}:{_free(9443)}")
        federation.address = f"{_HOST}:{_free(int(federation.address.rpartition(':')[2]))}"
        federation.save()
        return federation

    def _serve(self, source: str) -> str:
        port = _free(self._port)
        log_dir = self._directory / "log"
        command = [*_FPD, "serve", "--port", str(port), "--log-dir", str(log_dir)]
        command += ["--checkpoint-dir", str(self._directory / "checkpoints"), "--federation", str(self._directory)]
        # A run that names no images is judged by those that the hospitals share.
        given = {**os.environ, "FPD_DATA": source}
        program = self._processes.start(Program("server", command, self._directory / "server.log", given))
        url = f"http://{_HOST}:{port}"
        with Client(url, timeout_s=3) as client:
            self._wait(program, client.answers)
        return url

    def _admit(self, flower: Flower, name: str) -> None:
        """Make a hospital's key and token where it has none, and admit it."""
        place = self._place(name)
        place.mkdir(parents=True, exist_ok=True)
        key = place / "node.key"
        if not key.exists():
            pair = make_node_key(name)
            (place / "node.pub").write_bytes(pair.public)
            flower.admit(place / "node.pub", name)
            write_private(key, pair.private)
        token = place / "site.token"
        if not token.exists():
            write_private(token, _site_token(name, self._directory / "log"))

    def _hospital(self, federation: Federation, number: int, name: str, source: str, url: str) -> None:
        place = self._place(name)
        log_dir, home = place / "log", place / "flower"
        for made in (log_dir, home):
            made.mkdir(exist_ok=True)
        config = {
            "client-id": name,
            "partition-id": number,
            "num-partitions": len(self._names),
            "data": source,
            "log-dir": str(log_dir.resolve()),
            **self._sharing,
        }
        ship = [*_FPD, "ship", str(log_dir), "--to", url, "--token-file", str(place / "site.token")]
        self._processes.start(Program(f"{name}'s shipper", ship, place / "ship.log"))
        command = supernode_command(
            superlink=federation.address,
            ca=federation.ca,
            key=place / "node.key",
            port=_free(0),
            node_config=config,
        )
        self._processes.start(
            Program(f"{name}'s SuperNode", command, place / "supernode.log", environment(home), launcher=LAUNCHER)
        )

    def _place(self, name: str) -> Path:
        return self._directory / "hospitals" / name

    def _wait(self, program: Program, is_there: Any) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while not is_there():
            if not program.is_running or time.monotonic() > deadline:
                raise TimeoutError(f"the {program.name} did not start: {program.last_words()} ({program.output})")
            time.sleep(_LOOK_S)

    def _tell(self, federation: Federation, url: str, source: str) -> None:
        _say(f"\n  the page    {url}")
        _say(f"  SuperLink   {federation.address}, TLS, admitted nodes only; {self._directory / 'superlink.log'}")
        of = PHANTOMS if source == "phantoms" else source
        for number, name in enumerate(self._names):
            _say(f"  {name:<11} part {number + 1} of {len(self._names)} of {of}; {self._place(name)}")
        _say("\nStart a run on the page (engine superlink), or here:\n")
        _say(
            f"  fpd train federated --engine superlink --federation {self._directory} --clients {len(self._names)} "
            f"--log-dir {self._directory / 'log'} --checkpoint-dir {self._directory / 'checkpoints'}"
            + (f" {source}" if source != "phantoms" else " phantoms")
        )
        _say("")


_FPD = (sys.executable, "-m", "federated_pneumonia_detection")


def _site_token(name: str, log_dir: Path) -> bytes:
    from federated_pneumonia_detection.server.access.token_store import open_tokens
    from federated_pneumonia_detection.server.access.tokens import issue

    token, secret = issue(name, "site", now=time.time())
    store = open_tokens(log_dir, None)
    try:
        store.remove(name)
        store.add(token)
    finally:
        store.close()
    return f"{secret}\n".encode()


def _free(port: int) -> int:
    """`port` where nobody listens on it, else any free one."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(98, "no port of 127.0.0.1 is free", f"{_HOST}:{port}")


def _say(words: str) -> None:
    typer.echo("\n".join(printable_line(line) for line in words.split("\n")))


def printable_line(line: str) -> str:
    """A line with its indent, and nothing in it that would move a cursor."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
