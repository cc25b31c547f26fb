"""`fpd demo`: a server, a browser, a real centralised run, then a federated one with three hospitals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from federated_pneumonia_detection.cli.client import Client, ServerAway, ServerRefused
from federated_pneumonia_detection.cli.feed import ENDED
from federated_pneumonia_detection.cli.lines import PHANTOMS, line

__all__ = ["demo"]

CENTRAL: dict[str, Any] = {"experiment_name": "demo-one-machine", "epochs": 12}
FEDERATED: dict[str, Any] = {"experiment_name": "demo-three-hospitals", "num_clients": 3, "num_rounds": 3}
STOP_S = 6.0
"""How long a run may take to obey at the end, before its process is ended; all of it is over within ten seconds."""


def _free(port: int) -> int:
    """`port` where nobody listens on it, else any free one."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError(98, "no port of 127.0.0.1 is free", f"127.0.0.1:{port}")


def _start_server(port: int, log_dir: Path) -> subprocess.Popen[bytes]:
    """`fpd serve` in a session of its own, so that a Ctrl-C reaches us alone and we end things in order."""
    log_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "federated_pneumonia_detection", "serve"]
    command += ["--port", str(port), "--log-dir", str(log_dir)]
    with (log_dir / ".serve.log").open("wb") as output:
        return subprocess.Popen(command, start_new_session=True, stdout=output, stderr=subprocess.STDOUT)


def _wait_for(server: subprocess.Popen[bytes], client: Client, log_dir: Path) -> None:
    deadline = time.monotonic() + 60
    while not client.answers():
        if server.poll() is not None or time.monotonic() > deadline:
            said = (log_dir / ".serve.log").read_text(errors="replace").strip().splitlines()
            typer.echo(said[-1] if said else "fpd: the server did not start", err=True)
            raise typer.Exit(1)
        time.sleep(0.1)


def _watch(client: Client, run_id: str) -> str:
    """Tell a run line by line until it ends; the status it ended with."""
    for message in client.messages(run_id):
        if message is not None and (told := line(message)) is not None:
            typer.echo(f"  {told}")
        ends = message is None or message["type"].startswith("training_")
        if ends and (status := client.run(run_id)["status"]) in ENDED:
            return str(status)
    raise AssertionError("a feed of messages has no end")


def _stop(client: Client, server: subprocess.Popen[bytes], started: list[str]) -> None:
    """Cancel what the demo started, then the server; nothing is left after ten seconds."""
    # A second Ctrl-C in the middle of this would leave processes behind; what follows is bounded anyway.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = [run_id for run_id in started if client.run(run_id)["status"] not in ENDED]
        for run_id in running:
            typer.echo(f"stopping {run_id}")
            client.cancel(run_id)
        deadline = time.monotonic() + STOP_S
        while running and time.monotonic() < deadline:
            running = [run_id for run_id in running if client.run(run_id)["status"] not in ENDED]
            time.sleep(0.1)
        for run_id in running:
            _end_process(client.run(run_id).get("pid"))
    except (ServerAway, ServerRefused) as away:
        typer.echo(f"fpd: {away}", err=True)
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=3)
    except subprocess.TimeoutExpired:
        server.kill()


def _end_process(pid: int | None) -> None:
    if pid is not None:
        try:
            os.killpg(os.getpgid(pid), signal.SIGKILL)
        except ProcessLookupError:
            return


def _run(client: Client, started: list[str], kind: str, body: dict[str, Any], words: str) -> bool:
    run_id = client.start(kind, body)
    started.append(run_id)
    typer.echo(f"\n{words}: {client.url}/runs/{run_id}")
    return _watch(client, run_id) == "completed"


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Another one is taken where it is not free.")] = 8000,
    log_dir: Annotated[Path, typer.Option(help="Where the runs are written.")] = Path("logs/progress"),
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    stay: Annotated[bool, typer.Option(help="Go on serving after the two runs.")] = True,
) -> None:
    """Show all of it: a server and its page, a run that learns on one machine, a federated one with three hospitals."""
    port = _free(port)
    client = Client(f"http://localhost:{port}")
    server = _start_server(port, log_dir)
    started: list[str] = []
    good = False
    try:
        _wait_for(server, client, log_dir)
        typer.echo(f"The page: {client.url}  (Ctrl-C stops everything)")
        if browser:
            webbrowser.open(client.url)
        good = _run(client, started, "centralized", CENTRAL, "1 of 2, on one machine")
        good = _run(client, started, "federated", FEDERATED, "2 of 2, federated over three hospitals") and good
        if any(client.run(run_id).get("phantom") for run_id in started):
            typer.echo(f"\nThese were {PHANTOMS}: FPD_DATA names no images and their publisher was out of reach.")
        typer.echo("\nFor research, not a medical device.")
        if stay:
            typer.echo(f"Both runs are over; still serving at {client.url} until Ctrl-C.")
            server.wait()
    except KeyboardInterrupt:
        typer.echo("")
        raise typer.Exit(130) from None
    finally:
        _stop(client, server, started)
    raise typer.Exit(0 if good else 1)
