"""`fpd stop`, `fpd pause`, `fpd resume`: asked of a server or, without one, beside the run's journal."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from federated_pneumonia_detection.cli.credentials import Ca, TokenFile
from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR, DEFAULT_URL, ENDED, Run, Url

if TYPE_CHECKING:
    from federated_pneumonia_detection.cli.client import Client
    from federated_pneumonia_detection.cli.journals import Journals
    from federated_pneumonia_detection.config import FederatedConfig
    from federated_pneumonia_detection.progress.asked import Asked

__all__ = ["HasEnded", "pause", "resume", "stop", "user"]

HEARD_WITHIN_S = 15.0
"""How long a run is given to say that it has heard: a batch of a large network may take seconds."""
LOOK_S = 0.1

LogDir = Annotated[
    Path | None, typer.Option(help=f"Ask beside the journals here; default, without a server: {DEFAULT_LOG_DIR}.")
]
Reason = Annotated[str | None, typer.Option(help="Why; it is told to everybody who watches.")]
State = Callable[[], dict[str, Any]]


def stop(
    run: Run,
    reason: Reason = None,
    url: Url = None,
    log_dir: LogDir = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Stop a run after the batch it is in; its checkpoints stay, and `fpd resume` goes on with it."""
    from federated_pneumonia_detection.progress.cancel import request_cancel

    def ask(client: Client, run_id: str) -> None:
        client.cancel(run_id, reason=reason, by=user())

    def leave(directory: Path, run_id: str) -> None:
        request_cancel(directory, run_id, reason=reason or "stopped by hand", by=user())

    _ask(run, "stop", lambda state: state["status"] in ENDED, ask, leave, _Where(url, log_dir, token_file, ca))


def pause(
    run: Run,
    reason: Reason = None,
    url: Url = None,
    log_dir: LogDir = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Let a run wait after the batch it is in, holding what it holds; `fpd resume` lets it go on."""
    from federated_pneumonia_detection.progress.pause import request_pause

    def ask(client: Client, run_id: str) -> None:
        client.pause(run_id, reason=reason, by=user())

    def leave(directory: Path, run_id: str) -> None:
        request_pause(directory, run_id, reason=reason, by=user())

    _ask(run, "pause", lambda state: bool(state["paused"]), ask, leave, _Where(url, log_dir, token_file, ca))


def resume(
    run: Run,
    number: Annotated[
        int | None,
        typer.Option("--from", min=0, help="The last epoch (or round) to keep; default: the newest checkpoint."),
    ] = None,
    url: Url = None,
    log_dir: LogDir = None,
    checkpoint_dir: Annotated[
        Path | None, typer.Option(help="Where its checkpoints lie, where that was not written down beside its journal.")
    ] = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Let a run go on: one that waits at once, one that was stopped or died from a checkpoint, in the same run."""
    where = _Where(url, log_dir, token_file, ca)
    if checkpoint_dir is not None and url is not None:
        raise typer.BadParameter("a server knows where its checkpoints lie; give either --url or --checkpoint-dir")
    if checkpoint_dir is None and (client := where.client()) is not None:
        with client:
            run_id = str(client.run(run)["run_id"])
            answer = client.resume(run_id, number, by=user())
        if answer["how"] == "goes_on":
            typer.echo(f"{run_id} goes on.")
        else:
            typer.echo(f"{run_id} goes on from {answer['from_point']}, attempt {answer['attempt']}.")
        typer.echo(f"To see it: fpd watch {run_id}")
        return
    _resume_here(run, number, where.directory(), checkpoint_dir)


class HasEnded(ValueError):
    """A run that has ended was asked for what only one that goes on can do."""

    def __init__(self, run_id: str, status: str, what: str) -> None:
        super().__init__(f"run {run_id!r} has ended already ({status}); only one that goes on can be asked to {what}")


class _Where:
    """Whom to ask: the server that is named, else the directory, else a server that answers, else the journals here."""

    def __init__(self, url: str | None, log_dir: Path | None, token_file: Path | None, ca: Path | None) -> None:
        if url is not None and log_dir is not None:
            raise typer.BadParameter("give either --url or --log-dir, not both")
        if log_dir is not None and not log_dir.is_dir():
            raise typer.BadParameter(f"{log_dir}: there is no such directory; name the one that runs are written to")
        self._url, self._log_dir, self._token_file, self._ca = url, log_dir, token_file, ca

    def client(self) -> Client | None:
        """The server to ask; `None` where the journals are asked."""
        if self._log_dir is not None:
            return None
        from federated_pneumonia_detection.cli.client import Client

        client = Client(self._url or DEFAULT_URL, token_file=self._token_file, ca=self._ca)
        return client if self._url is not None or client.answers() or not DEFAULT_LOG_DIR.is_dir() else None

    def directory(self) -> Path:
        """The directory of the journals."""
        return DEFAULT_LOG_DIR if self._log_dir is None else self._log_dir


def _ask(
    run: str,
    what: str,
    is_done: Callable[[dict[str, Any]], bool],
    ask: Callable[[Client, str], None],
    leave: Callable[[Path, str], None],
    where: _Where,
) -> None:
    """Ask, and wait until the run says that it has heard."""
    client = where.client()
    if client is not None:
        with client:
            run_id = str(client.run(run)["run_id"])
            ask(client, run_id)
            _wait(run_id, what, is_done, lambda: client.run(run_id))
        return
    from federated_pneumonia_detection.cli.journals import Journals

    journals = Journals(where.directory())
    state = journals.run(run)
    run_id = str(state["run_id"])
    if state["status"] in ENDED:
        raise HasEnded(run_id, state["status"], what)
    leave(where.directory(), run_id)
    _wait(run_id, what, is_done, lambda: journals.run(run_id))


def _wait(run_id: str, what: str, is_done: Callable[[dict[str, Any]], bool], state: State) -> None:
    deadline = time.monotonic() + HEARD_WITHIN_S
    while not is_done(now := state()):
        if time.monotonic() > deadline:
            typer.echo(f"{run_id} was asked to {what} and has not answered yet; fpd watch {run_id} shows when it has.")
            return
        time.sleep(LOOK_S)
    typer.echo(f"{run_id}: {now['sentence']}")


def user() -> str:
    """Who asks, as this machine knows them."""
    try:
        return getpass.getuser() or "somebody at this machine"
    except (KeyError, OSError, ImportError):
        return "somebody at this machine"


def _resume_here(run: str, number: int | None, log_dir: Path, checkpoint_dir: Path | None) -> None:
    """Without a server: the training goes on in this process."""
    from federated_pneumonia_detection.cli.journals import Journals
    from federated_pneumonia_detection.progress.asked import choose_point, find_asked
    from federated_pneumonia_detection.progress.errors import CannotGoOn
    from federated_pneumonia_detection.progress.pause import go_on, pause_of

    state = _state(Journals(log_dir, only=None if run == "latest" else run), run) or Journals(log_dir).run(run)
    run_id, status = str(state["run_id"]), state["status"]
    if status not in ENDED and status != "queued":
        if pause_of(log_dir, run_id) is None:
            raise CannotGoOn(run_id, f"it is {status}; only one that waits or has ended goes on")
        if number is not None:
            raise CannotGoOn(run_id, "it waits where it is; leave --from out, or stop it first")
        go_on(log_dir, run_id, by=user())
        typer.echo(f"{run_id} goes on.")
        return
    if status == "completed":
        raise CannotGoOn(run_id, "it has finished; start a new run for more")
    asked, folder = find_asked(run_id, log_dir, checkpoint_dir or Path("checkpoints"))
    number = choose_point(asked, folder, number)
    _go_on_training(asked, folder, number, log_dir, int(state["attempt"]))


def _state(journals: Journals, run: str) -> dict[str, Any] | None:
    try:
        journals.run(run)
        # That somebody has died is said when there is nothing else to be read.
        return journals.run(run)
    except LookupError:
        return None


def _go_on_training(asked: Asked, folder: Path, number: int | None, log_dir: Path, attempt: int) -> None:
    from federated_pneumonia_detection.cli.train import finish, shown
    from federated_pneumonia_detection.config import make_config
    from federated_pneumonia_detection.data import find_source

    find_source(asked.source)
    where: dict[str, Any] = {
        "checkpoint_dir": str(folder),
        "logs_dir": str(log_dir.parent),
        "progress_log_dir": str(log_dir),
        "allow_download": False,
    }
    config = make_config(asked.config, asked.kind)
    with shown(log_dir, asked.run_id, after_attempt=attempt):
        if asked.kind == "federated":
            from federated_pneumonia_detection.federated import FederatedTrainer

            federated = FederatedTrainer(config=cast("FederatedConfig", config), **where)
            results = federated.resume(asked.run_id, from_round=number)
        else:
            from federated_pneumonia_detection.training import CentralizedTrainer

            centralized = CentralizedTrainer(config=config, progress_bar=False, **where)
            results = centralized.resume(asked.run_id, from_epoch=number)
    finish(results)
