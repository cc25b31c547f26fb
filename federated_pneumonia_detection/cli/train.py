"""`fpd train centralized` and `fpd train federated`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import Kind, TrainingConfig

__all__ = ["app"]

app = typer.Typer(help="Train, and write progress where `fpd serve` and `fpd watch` find it.", no_args_is_help=True)

CANCELLED = 130

Source = Annotated[
    str | None,
    typer.Argument(help="npz, folder, CSV, zip, or the word phantoms; left out: FPD_DATA, cache, publisher, phantoms."),
]
Config = Annotated[Path | None, typer.Option(help="YAML; `fpd config init` writes one with every key explained.")]
RunId = Annotated[str | None, typer.Option(help="What the run is called everywhere.")]
LogDir = Annotated[Path, typer.Option(help="Where the journal and the polled document go.")]
CheckpointDir = Annotated[Path, typer.Option(help="Where the trained model goes.")]
Model = Annotated[str | None, typer.Option(help="small_resnet, or any MONAI or torch classifier.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same run.")]


def _configuration(kind: Kind, path: Path | None, **given: Any) -> TrainingConfig:
    """The configuration of `path`, with the options that were given put over it."""
    from federated_pneumonia_detection.config import load_config, make_config

    config = load_config(path, kind)
    options = {key: value for key, value in given.items() if value is not None}
    return make_config({**config.model_dump(), **options}, kind) if options else config


def _finish(results: dict[str, Any]) -> None:
    """Turn how a run ended into an exit code."""
    if results["status"] == "cancelled":
        raise typer.Exit(CANCELLED)
    if results["status"] != "completed":
        raise typer.Exit(1)


@app.command()
def centralized(
    source: Source = None,
    experiment_name: Annotated[str, typer.Option(help="What the runs of one question share.")] = "pneumonia",
    epochs: Annotated[int | None, typer.Option(help="How often the training images are seen.")] = None,
    config: Config = None,
    run_id: RunId = None,
    log_dir: LogDir = Path("logs/progress"),
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    model: Model = None,
    seed: Seed = None,
) -> None:
    """Train on one machine."""
    settings = _configuration("centralized", config, epochs=epochs, model=model, seed=seed)
    from federated_pneumonia_detection.training import CentralizedTrainer

    trainer = CentralizedTrainer(
        config=settings,
        checkpoint_dir=str(checkpoint_dir),
        logs_dir=str(log_dir.parent),
        progress_log_dir=str(log_dir),
    )
    _finish(trainer.train(source, experiment_name, run_id=run_id))


@app.command()
def federated(
    source: Source = None,
    experiment_name: Annotated[str, typer.Option(help="What the runs of one question share.")] = "federated",
    clients: Annotated[int | None, typer.Option(help="Hospitals.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How often their weights are put together.")] = None,
    local_epochs: Annotated[int | None, typer.Option(help="Epochs of a hospital within a round.")] = None,
    partition: Annotated[str | None, typer.Option(help="iid, dirichlet or patient.")] = None,
    alpha: Annotated[float | None, typer.Option(help="For dirichlet: the smaller, the more uneven.")] = None,
    strategy: Annotated[str | None, typer.Option(help="fedavg, fedprox or fedadam.")] = None,
    engine: Annotated[str | None, typer.Option(help="local (in this process) or ray.")] = None,
    config: Config = None,
    run_id: RunId = None,
    log_dir: LogDir = Path("logs/progress"),
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    model: Model = None,
    seed: Seed = None,
) -> None:
    """Train federated: several hospitals, one model, images stay where they are."""
    settings = _configuration(
        "federated",
        config,
        num_clients=clients,
        num_rounds=rounds,
        local_epochs=local_epochs,
        partition=partition,
        alpha=alpha,
        strategy=strategy,
        engine=engine,
        model=model,
        seed=seed,
    )
    from federated_pneumonia_detection.federated import FederatedTrainer

    trainer = FederatedTrainer(
        config=settings,
        checkpoint_dir=str(checkpoint_dir),
        logs_dir=str(log_dir.parent),
        progress_log_dir=str(log_dir),
    )
    _finish(trainer.train(source, experiment_name, run_id=run_id))
