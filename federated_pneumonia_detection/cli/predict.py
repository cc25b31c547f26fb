"""`fpd predict`: what a trained model says of single images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated_pneumonia_detection.cli.lines import PHANTOMS, printable

if TYPE_CHECKING:
    from federated_pneumonia_detection.training.predict import Prediction

__all__ = ["NOT_A_DEVICE", "CheckpointDir", "TrainedRun", "predict"]

NOT_A_DEVICE = "For research, not a medical device."

TrainedRun = Annotated[str, typer.Argument(help="A run id, latest, or a path to a best.pt or its folder.")]
CheckpointDir = Annotated[Path, typer.Option(help="Where trained models lie.")]


def predict(
    run: TrainedRun,
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Instead of the one the model was trained with.")
    ] = None,
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how probable pneumonia is in each image. For research, not a medical device.

    Exits with 1 where an image could not be read.
    """
    from federated_pneumonia_detection.training.checkpoints import describe_checkpoint, find_checkpoint
    from federated_pneumonia_detection.training.predict import predict_images

    checkpoint = find_checkpoint(run, checkpoint_dir)
    about = describe_checkpoint(checkpoint)
    found = predict_images(checkpoint, images, threshold=threshold, device=device)
    if as_json:
        for one in found:
            told = {"path": str(one.path), "probability": one.probability, "threshold": one.threshold}
            typer.echo(json.dumps({**told, "label": one.label, "error": one.error}))
    else:
        _table(found)
    # On a pipe the lines are for a program, and the words for whoever looks on.
    aside = as_json or not sys.stdout.isatty()
    typer.echo(f"Model: {about.get('run_id', run)}, {checkpoint}", err=aside)
    if about.get("phantom"):
        typer.echo(f"It was trained on {PHANTOMS}: its verdict on an X-ray means nothing.", err=aside)
    typer.echo(NOT_A_DEVICE, err=aside)
    raise typer.Exit(1 if any(one.error for one in found) else 0)


def _table(found: list[Prediction]) -> None:
    """A table on a terminal, tab-separated lines on anything else."""
    if not sys.stdout.isatty():
        for one in found:
            probability = "" if one.probability is None else f"{one.probability:.3f}"
            typer.echo("\t".join((printable(str(one.path)), probability, one.label or printable(str(one.error)))))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("pneumonia", justify="right")
    table.add_column("verdict", overflow="fold")
    for one in found:
        style = "red" if one.error else "yellow" if one.label == "pneumonia" else ""
        probability = "" if one.probability is None else f"{one.probability:.3f}"
        verdict = Text(printable(one.error or str(one.label)), style=style)
        table.add_row(Text(printable(str(one.path))), probability, verdict)
    console = Console()
    console.print(table)
    console.print(f"Threshold {found[0].threshold:.3f}: from this probability on the verdict is pneumonia.")
