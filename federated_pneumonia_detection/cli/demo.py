"""`fpd demo`: a server, a browser, a real centralised run, then a federated one with three hospitals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated_pneumonia_detection.cli.client import Client, ServerAway, ServerRefused
from federated_pneumonia_detection.cli.errors import CANCELLED
from federated_pneumonia_detection.cli.feed import ENDED
from federated_pneumonia_detection.cli.lines import PHANTOMS, line
from federated_pneumonia_detection.progress.cancel import request_cancel

if TYPE_CHECKING:
    from federated_pneumonia_detection.server.jobs import Jobs

__all__ = ["demo"]

CENTRAL: dict[str, Any] = {"experiment_name": "demo-one-machine", "epochs": 12}
FEDERATED: dict[str, Any] = {"experiment_name": "demo-three-hospitals", "num_clients": 3, "num_rounds": 3}
STOP_S = 5.0
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


def _active(jobs: Jobs, since: float) -> list[str]:
    """The trainings asked for since then that have not ended, from their files: whatever became of a request."""
    return [job.run_id for job, place in jobs.all() if job.created >= since and place.exit() is None]


def _stop(client: Client, server: subprocess.Popen[bytes], log_dir: Path, since: float) -> None:
    """Cancel what the demo started, then the server; nothing is left after ten seconds."""
    from federated_pneumonia_detection.server.jobs import Jobs

    # A second Ctrl-C in the middle of this would leave processes behind; what follows is bounded anyway.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    jobs = Jobs(log_dir / ".jobs")
    for run_id in _active(jobs, since):
        try:
            if client.run(run_id)["status"] in ENDED:
                continue  # its process is just closing
            typer.echo(f"stopping {run_id}")
            client.cancel(run_id)
        except (ServerAway, ServerRefused):  # the training itself may still hear it
            request_cancel(log_dir, run_id, reason="the demo ended", by="demo")
    deadline = time.monotonic() + STOP_S
    while (left := _active(jobs, since)) and time.monotonic() < deadline:
        time.sleep(0.1)
    # First whoever could start the next one, then whoever did not obey.
    server.send_signal(signal.SIGINT)
    for run_id in left:
        _end_process(jobs.directory(run_id).training_pid())
    try:
        server.wait(timeout=3)
    except subprocess.TimeoutExpired:
        server.kill()


def _end_process(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _open_browser(url: str) -> None:
    """Open the page where there is a screen; a browser that draws into the terminal would hide what we say."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(url)


def _run(client: Client, kind: str, body: dict[str, Any], words: str) -> bool:
    """Start a run and tell it; whether it completed."""
    run_id = client.start(kind, body)
    typer.echo(f"\n{words}: {client.url}/runs/{run_id}")
    completed = _watch(client, run_id) == "completed"
    if client.run(run_id).get("phantom"):
        typer.echo(f"  These were {PHANTOMS}: FPD_DATA names no images and their publisher was out of reach.")
    return completed


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Another one is taken where it is not free.")] = 8000,
    log_dir: Annotated[Path, typer.Option(help="Where the runs are written.")] = Path("logs/progress"),
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    stay: Annotated[bool, typer.Option(help="Go on serving after the two runs.")] = True,
) -> None:
    """Show all of it: a server and its page, a run that learns on one machine, a federated one with three hospitals."""
    port = _free(port)
    # Being told to end, or losing the terminal, is no reason to leave a server and its trainings behind.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    since = time.time()
    good = over = False
    with Client(f"http://localhost:{port}", timeout_s=3) as client:
        server = _start_server(port, log_dir)
        try:
            _wait_for(server, client, log_dir)
            typer.echo(f"The page: {client.url}  (Ctrl-C stops everything)")
            if browser:
                _open_browser(client.url)
            good = _run(client, "centralized", CENTRAL, "1 of 2, on one machine")
            good = _run(client, "federated", FEDERATED, "2 of 2, federated over three hospitals") and good
            over = True
            typer.echo("\nFor research, not a medical device.")
            if stay:
                typer.echo(f"Both runs are over; still serving at {client.url} until Ctrl-C.")
                server.wait()
        except KeyboardInterrupt:
            typer.echo("")
            if not over:
                raise typer.Exit(CANCELLED) from None
        finally:
            _stop(client, server, log_dir, since)
    raise typer.Exit(0 if good else 1)
