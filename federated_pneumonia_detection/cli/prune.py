"""`fpd prune`: let ended runs go by age and size, after showing which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated_pneumonia_detection.cli.credentials import Ca, TokenFile
from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR
from federated_pneumonia_detection.cli.lines import printable
from federated_pneumonia_detection.cli.quantities import policy_of, shown_bytes

if TYPE_CHECKING:
    from federated_pneumonia_detection.hub.retention import Policy
    from federated_pneumonia_detection.server.keeping import Pruned

__all__ = ["prune"]


def prune(
    log_dir: Annotated[
        Path | None, typer.Argument(help=f"Where journals lie, with no server on it; default: {DEFAULT_LOG_DIR}.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Runs that ended longer ago go: 90min, 12h, 30d, 4w, 1y.")
    ] = None,
    keep_size: Annotated[
        str | None, typer.Option(help="Then the oldest go until all runs take no more: 500MB, 5GB, 2TiB.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only what would go is shown.")] = False,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Delete trained models, too, and count them in --keep-size.")
    ] = False,
    server: Annotated[str | None, typer.Option(help="Ask the server that serves the directory, by its URL.")] = None,
    database: Annotated[str | None, typer.Option(help="As fpd serve; default: SQLite in the log dir.")] = None,
    checkpoint_dir: Annotated[Path | None, typer.Option(help="As fpd serve; default: checkpoints beside it.")] = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Delete ended runs by age and size: journals, documents, output and the log's rows. Models stay.

    Shows what would go; --yes deletes it. A run that goes on is never touched.
    """
    from federated_pneumonia_detection.hub.retention import KEEP_ALL

    policy = policy_of(older_than, keep_size)
    if policy == KEEP_ALL:
        raise typer.BadParameter("say what is kept: --older-than 30d, --keep-size 5GB, or both")
    if server is not None:
        if log_dir is not None or database is not None or checkpoint_dir is not None:
            raise typer.BadParameter("with --server its own directories and database are meant; leave out the others")
        from federated_pneumonia_detection.cli.client import Client

        # A large directory takes its time to be measured and deleted.
        with Client(server, token_file=token_file, ca=ca, timeout_s=600) as client:
            found = client.prune(policy, checkpoints=checkpoints, delete=yes)
    else:
        found = _here(log_dir or DEFAULT_LOG_DIR, policy, database, checkpoint_dir, checkpoints=checkpoints, delete=yes)
    _show(found)
    raise typer.Exit(1 if yes and any(run.kept_because for run in found.runs) else 0)


def _here(
    log_dir: Path,
    policy: Policy,
    database: str | None,
    checkpoint_dir: Path | None,
    *,
    checkpoints: bool,
    delete: bool,
) -> Pruned:
    """Prune a directory that no server serves."""
    from federated_pneumonia_detection.hub.errors import StoreHeld
    from federated_pneumonia_detection.server.database import compact, open_hub
    from federated_pneumonia_detection.server.errors import ServerError
    from federated_pneumonia_detection.server.keeping import prune as prune_runs
    from federated_pneumonia_detection.server.settings import ServerSettings

    if not log_dir.is_dir():
        raise typer.BadParameter(f"{log_dir}: there is no such directory; name the one that runs are written to")
    settings = ServerSettings(log_dir=log_dir, database=database, checkpoint_dir=checkpoint_dir)
    try:
        hub = open_hub(settings)
    except StoreHeld as error:
        raise ServerError(
            f"{error.path} is held by {error.holder}: ask that server itself, with --server and its URL"
        ) from None
    try:
        hub.start()
        found = prune_runs(hub, settings, policy, checkpoints=checkpoints, delete=delete)
    finally:
        hub.close()
    if delete and any(run.kept_because is None for run in found.runs):
        compact(settings)
    return found


def _show(found: Pruned) -> None:
    if not found.runs:
        typer.echo(f"Nothing is due to go: all runs together take {shown_bytes(found.total_bytes)}.")
        return
    models = 0
    for run in found.runs:
        size = run.size_bytes + (run.checkpoint_bytes if found.checkpoints else 0)
        fate = f"stays, {run.kept_because}" if run.kept_because else run.why
        typer.echo(f"{printable(run.run_id)}\t{run.status}\t{shown_bytes(size)}\t{printable(fate)}")
        if run.checkpoint_dir is not None and not (found.checkpoints and run.kept_because is None):
            models += run.checkpoint_bytes
            typer.echo(f"  its models stay: {printable(run.checkpoint_dir)} ({shown_bytes(run.checkpoint_bytes)})")
    going = sum(run.kept_because is None for run in found.runs)
    runs = f"{going} run{'' if going == 1 else 's'}"
    sizes = f"{shown_bytes(found.size_bytes)} of {shown_bytes(found.total_bytes)}"
    if found.deleted:
        typer.echo(f"Deleted {runs}, {sizes}.")
    else:
        typer.echo(f"Would delete {runs}, {sizes}. Nothing was deleted; --yes does it.")
    if models:
        typer.echo(f"Models take {shown_bytes(models)} more; --checkpoints lets them go, too.")
