"""`fpd evaluate`: how good a trained model is on a source of images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from federated_pneumonia_detection.cli.lines import PHANTOMS, rate
from federated_pneumonia_detection.cli.predict import NOT_A_DEVICE, CheckpointDir, TrainedRun

__all__ = ["evaluate"]


def evaluate(
    run: TrainedRun,
    source: Annotated[
        str | None, typer.Argument(help="npz, folder, CSV, zip, or the word phantoms; left out: as for a training.")
    ] = None,
    split: Annotated[Literal["train", "val", "test", "all"], typer.Option(help="Which images to judge.")] = "test",
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, the ROC curve too.")] = False,
) -> None:
    """Measure a trained model: AUROC, accuracy, recall, specificity, … and the confusion matrix."""
    from federated_pneumonia_detection.training.checkpoints import find_checkpoint
    from federated_pneumonia_detection.training.evaluate import evaluate_source

    checkpoint = find_checkpoint(run, checkpoint_dir)
    found = evaluate_source(checkpoint, source, part=split, device=device)
    phantom = f" ({PHANTOMS})" if found.phantom else ""
    if as_json:
        told = {name: None if value != value else value for name, value in found.metrics.items()}
        about = {"checkpoint": str(checkpoint), "source": found.source, "split": found.part, "phantom": found.phantom}
        numbers = {"count": found.count, "threshold": found.threshold, "metrics": told, "curves": found.curves}
        typer.echo(json.dumps({**about, **numbers}))
    else:
        n = sum(found.count.values())
        typer.echo(f"{found.source}{phantom}, {found.part}: {n} images, {found.count['pneumonia']} with pneumonia")
        for name, value in found.metrics.items():
            typer.echo(f"  {name:<12} {rate(value) if value == value else 'not defined: a class has no image'}")
        typer.echo(f"  threshold    {found.threshold:.3f}")
        typer.echo(f"  confusion    {_confusion(found.curves['confusion'])}")
    aside = as_json or not sys.stdout.isatty()
    if found.trained_on_phantoms and not found.phantom:
        typer.echo(f"The model was trained on {PHANTOMS}: these figures say nothing of it.", err=aside)
    typer.echo(NOT_A_DEVICE, err=aside)


def _confusion(confusion: object) -> str:
    """The four counts in words, whatever order they came in."""
    if isinstance(confusion, dict):
        return ", ".join(f"{name} {count}" for name, count in confusion.items())
    return str(confusion)
