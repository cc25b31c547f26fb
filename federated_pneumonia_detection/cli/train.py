"""`fpd train centralized` and `fpd train federated`."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import FederatedConfig, Kind, TrainingConfig

__all__ = ["app", "finish", "shown"]

app = typer.Typer(help="Train, and write progress where `fpd serve` and `fpd watch` find it.", no_args_is_help=True)

SHOWN_WITHIN_S = 5.0
"""How long the lines of a run that is over may take to be printed."""

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
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key of the configuration; may be given several times."),
]
ExperimentName = Annotated[str, typer.Option(help="What the runs of one question share.")]


@app.command()
def centralized(
    source: Source = None,
    experiment_name: ExperimentName = "pneumonia",
    epochs: Annotated[int | None, typer.Option(help="How often the training images are seen.")] = None,
    config: Config = None,
    run_id: RunId = None,
    log_dir: LogDir = Path("logs/progress"),
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    model: Model = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Train on one machine."""
    configured = _configuration("centralized", config, settings, epochs=epochs, model=model, seed=seed)
    name, run = _names(experiment_name, run_id)
    _writable(log_dir, "--log-dir")
    _writable(checkpoint_dir, "--checkpoint-dir")
    may_download = fetch(source)
    from federated_pneumonia_detection.training import CentralizedTrainer

    trainer = CentralizedTrainer(
        config=configured,
        checkpoint_dir=str(checkpoint_dir),
        logs_dir=str(log_dir.parent),
        progress_log_dir=str(log_dir),
        progress_bar=False,
        allow_download=may_download,
    )
    with shown(log_dir, run):
        results = trainer.train(source, name, run_id=run)
    finish(results)


@app.command()
def federated(
    source: Source = None,
    experiment_name: ExperimentName = "federated",
    clients: Annotated[int | None, typer.Option(help="Hospitals.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How often their weights are put together.")] = None,
    local_epochs: Annotated[int | None, typer.Option(help="Epochs of a hospital within a round.")] = None,
    partition: Annotated[str | None, typer.Option(help="iid, dirichlet or patient.")] = None,
    alpha: Annotated[float | None, typer.Option(help="For dirichlet: the smaller, the more uneven.")] = None,
    strategy: Annotated[str | None, typer.Option(help="fedavg, fedprox, fedadam, fedyogi, fedmedian or krum.")] = None,
    privacy: Annotated[
        str | None,
        typer.Option(help="Differential privacy: server_fixed, server_adaptive, client_fixed or client_adaptive."),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="local (in this process), ray or superlink.")] = None,
    federation: Annotated[
        Path, typer.Option(help="For superlink: the coordinator's directory, of fpd federation.")
    ] = Path("federation"),
    config: Config = None,
    run_id: RunId = None,
    log_dir: LogDir = Path("logs/progress"),
    checkpoint_dir: CheckpointDir = Path("checkpoints"),
    model: Model = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Train federated: several hospitals, one model, images stay where they are."""
    configured = _configuration(
        "federated",
        config,
        settings,
        num_clients=clients,
        num_rounds=rounds,
        local_epochs=local_epochs,
        partition=partition,
        alpha=alpha,
        strategy=strategy,
        privacy=privacy,
        engine=engine,
        model=model,
        seed=seed,
    )
    name, run = _names(experiment_name, run_id)
    _writable(log_dir, "--log-dir")
    _writable(checkpoint_dir, "--checkpoint-dir")
    may_download = fetch(source)
    from federated_pneumonia_detection.federated import FederatedTrainer

    trainer = FederatedTrainer(
        config=cast("FederatedConfig", configured),
        checkpoint_dir=str(checkpoint_dir),
        logs_dir=str(log_dir.parent),
        progress_log_dir=str(log_dir),
        allow_download=may_download,
        federation_dir=federation,
    )
    with shown(log_dir, run):
        results = trainer.train(source, name, run_id=run)
    finish(results)


def _configuration(kind: Kind, path: Path | None, settings: list[str] | None, **given: Any) -> TrainingConfig:
    """The configuration of `path`, with the settings and then the options that were given put over it."""
    from federated_pneumonia_detection.config import load_config, make_config

    config = load_config(path, kind)
    options = {key: value for key, value in given.items() if value is not None}
    over = {**_settings(settings or []), **options}
    return make_config({**config.model_dump(), **over}, kind) if over else config


def _settings(given: list[str]) -> dict[str, Any]:
    """What `--set` gave, each value read as in YAML."""
    from federated_pneumonia_detection.config.yaml_reading import parse_yaml

    found: dict[str, Any] = {}
    for setting in given:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{setting!a}: give KEY=VALUE, as proximal_mu=0.1", param_hint="--set")
        found |= parse_yaml(f"{key.strip()}: {value}")
    return found


def _names(experiment_name: str, run_id: str | None) -> tuple[str, str]:
    """The experiment's name, if it is one, and the run's, made anew where nobody gave one."""
    from federated_pneumonia_detection.config import check_experiment_name
    from federated_pneumonia_detection.progress.slug import new_run_id

    try:
        check_experiment_name(experiment_name)
    except ValueError as error:
        raise typer.BadParameter(f"{experiment_name!a}: {error}", param_hint="--experiment-name") from None
    return experiment_name, run_id or os.environ.get("FPD_RUN_ID") or new_run_id(experiment_name)


def _writable(directory: Path, option: str) -> None:
    """Make `directory` where it is missing, and see that a file can be made in it.

    Raises:
        BadParameter: it cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        told = f"{directory}: nothing can be written there ({error.strerror}); name a directory that is yours"
        raise typer.BadParameter(told, param_hint=option) from None


def fetch(source: str | None) -> bool:
    """See that the source is there, and download it where nobody named one; whether it makes sense to try again."""
    from federated_pneumonia_detection.data import DataError, cache_directory, find_source
    from federated_pneumonia_detection.data.publisher import download

    if find_source(source).kind != "publisher":
        return True
    typer.echo("No source is named: downloading PneumoniaMNIST (4 MB, CC BY 4.0) from its publisher")
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    try:
        with Progress(
            TextColumn("PneumoniaMNIST"), BarColumn(), DownloadColumn(), transient=True, disable=not sys.stdout.isatty()
        ) as progress:
            task = progress.add_task("download", total=None)
            download(cache_directory(), on_progress=lambda done, of: progress.update(task, completed=done, total=of))
    except DataError as error:
        typer.echo(f"{error.where}: {error.what}. Going on with phantoms, not X-rays; for X-rays, name a source.")
        return False
    return True


@contextmanager
def shown(log_dir: Path, run_id: str, *, after_attempt: int = 0) -> Iterator[None]:
    """Show the run while the `with` block trains, from its journals, as `fpd watch` would.

    Args:
        log_dir: where they lie.
        run_id: the run.
        after_attempt: what was said in attempts up to this one is not shown.
    """
    from federated_pneumonia_detection.cli.journals import Journals
    from federated_pneumonia_detection.cli.watch import follow

    over = threading.Event()
    typer.echo(f"Run {run_id}. To see it in a browser: fpd serve --log-dir {log_dir}")
    shower = threading.Thread(
        target=follow,
        args=(Journals(log_dir), run_id),
        kwargs={"stop": over.is_set, "after_attempt": after_attempt},
        name="shower",
        daemon=True,
    )
    shower.start()
    try:
        yield
    finally:
        over.set()
        shower.join(timeout=SHOWN_WITHIN_S)


def finish(results: dict[str, Any]) -> None:
    """Say where the model is, and turn how the run ended into an exit code."""
    if results["status"] == "cancelled":
        raise typer.Exit(CANCELLED)
    if results["status"] != "completed":
        raise typer.Exit(FAILED)
    if results.get("best_model_path"):
        typer.echo(f"The model: {results['best_model_path']}")
    if results.get("phantom"):
        from federated_pneumonia_detection.cli.lines import PHANTOMS

        typer.echo(f"It was trained on {PHANTOMS}.")
