"""`fpd import`: what another tracker has recorded, as runs of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR

__all__ = ["import_"]


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="TensorBoard's events.out.tfevents.…, Lightning's metrics.csv, NVFLARE's round_metrics.jsonl.",
        ),
    ],
    log_dir: Annotated[Path, typer.Option(help="Where the journals go.")] = DEFAULT_LOG_DIR,
    name: Annotated[
        str | None, typer.Option(help="What the runs are called; by itself as the directory of each file.")
    ] = None,
) -> None:
    """Make a run of each file of another tracker; a file that was imported already changes nothing."""
    from federated_pneumonia_detection.cli.lines import printable
    from federated_pneumonia_detection.neighbours import import_file

    for file in files:
        done = import_file(file, log_dir, experiment_name=name)
        what = f"{done.messages} messages, now" if done.is_new else "is here already as"
        typer.echo(printable(f"{file}: {what} {done.run_id}"))
