"""`fpd runs`, `fpd logs`, `fpd export`: what a server knows of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from federated_pneumonia_detection.cli.credentials import Ca, TokenFile
from federated_pneumonia_detection.cli.feed import DEFAULT_URL, LogDir, Run, Url, WholeFeed, open_feed
from federated_pneumonia_detection.cli.lines import PHANTOMS, printable, rate

__all__ = ["export", "logs", "runs"]

Server = Annotated[str, typer.Option("--url", help="The server to ask.")]


def runs(url: Url = None, log_dir: LogDir = None, token_file: TokenFile = None, ca: Ca = None) -> None:
    """List the runs, newest first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    with open_feed(url, log_dir, token_file=token_file, ca=ca) as feed:
        found = feed.runs()
    if not found:
        typer.echo("No runs yet. `fpd demo` makes two, `fpd train centralized` one.")
        return
    console = Console()
    if not console.is_terminal:
        for run in found:
            cells = [printable(str(run[part])) for part in ("run_id", "status", "sentence")]
            typer.echo("\t".join([*cells, PHANTOMS] if run.get("phantom") else cells))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "what is happening", "AUROC"):
        table.add_column(column, overflow="fold")
    for run in found:
        name = Text(printable(run["run_id"]))
        if run.get("attempt", 1) > 1:
            name.append(f"\nattempt {run['attempt']}", style="dim")
        if run.get("phantom"):
            name.append(f"\n{PHANTOMS}", style="yellow")
        table.add_row(name, Text(printable(run["sentence"])), rate((run.get("metrics") or {}).get("val_auroc")))
    console.print(table)


def logs(run: Run = "latest", url: Server = DEFAULT_URL, token_file: TokenFile = None, ca: Ca = None) -> None:
    """Print what the process of a run has printed (of runs that the server started)."""
    from federated_pneumonia_detection.cli.client import Client

    with Client(url, token_file=token_file, ca=ca) as client:
        typer.echo(client.log(run), nl=False)


def export(
    run: Run = "latest",
    form: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="csv or jsonl.")] = "csv",
    to: Annotated[
        Literal["tensorboard", "mlflow", "wandb", "trackio"] | None,
        typer.Option(help="Another tracker whose files to write instead; its package must be installed."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where those files go, with --to.")] = Path("export"),
    url: Server = DEFAULT_URL,
    log_dir: Annotated[Path | None, typer.Option(help="With --to: read the journals here, without a server.")] = None,
    token_file: TokenFile = None,
    ca: Ca = None,
) -> None:
    """Print a run's metrics, for a notebook or a spreadsheet, or take them to another tracker.

    Of a run that was begun again all is there: `attempt` says what each line is of, and `current` is 0 for what a later
    attempt supersedes; another tracker gets the run's curve alone.
    """
    if to is not None:
        with open_feed(None if log_dir else url, log_dir, token_file=token_file, ca=ca) as feed:
            _take(feed, run, to, out)
        return
    if log_dir is not None:
        raise typer.BadParameter("--log-dir goes with --to; without it, `fpd export` asks a server")
    import sys

    from federated_pneumonia_detection.cli.client import Client

    with Client(url, token_file=token_file, ca=ca) as client:
        for part in client.export(run, form):
            sys.stdout.buffer.write(part)
    sys.stdout.flush()


def _take(feed: WholeFeed, run: str, to: str, out: Path) -> None:
    """Take a run to another tracker's files, and say how to look at it there."""
    from federated_pneumonia_detection.hub.fold import fold_all
    from federated_pneumonia_detection.hub.rows import rows
    from federated_pneumonia_detection.neighbours import Exported, export_run

    state = feed.run(run)
    run_id = str(state["run_id"])
    messages = feed.so_far(run_id)
    begun: dict[str, Any] = next((message for message in reversed(messages) if message.get("type") == "run_start"), {})
    exported = Exported(run_id, str(state["experiment_name"]), dict(begun.get("config") or {}))
    told = export_run(exported, rows(messages, fold_all(run_id, messages)), to, out)
    typer.echo(printable(f"{run_id} is in {out}; look at it by: {told}"))
