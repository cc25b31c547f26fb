"""`fpd data inspect`: what is in a source, before a training finds out."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["app", "progress_bar"]

app = typer.Typer(help="Look at sources of images.", no_args_is_help=True)


@app.callback()
def family() -> None:
    """Look at sources of images."""


@app.command()
def inspect(
    source: Annotated[
        str | None,
        typer.Argument(help="npz, folder, CSV, zip, or the word phantoms; left out: FPD_DATA, cache, publisher."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, nothing cut.")] = False,
) -> None:
    """Say what a source holds: counts, sizes, duplicates, patients in two splits, broken files by name.

    Exits with 1 where something makes training impossible.
    """
    from federated_pneumonia_detection.data import inspect_source

    with progress_bar() as progress:
        task = progress.add_task("reading", total=None)
        found = inspect_source(
            source,
            on_images=lambda done, of: progress.update(task, completed=done, total=of),
            on_download=lambda done, of: progress.update(task, description="downloading", completed=done, total=of),
        )
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        for line in found.render():
            typer.echo(line)
    raise typer.Exit(1 if found.problems else 0)


def progress_bar() -> AbstractContextManager[Progress]:
    """A bar on the terminal, gone when it is done; nothing where standard error is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
