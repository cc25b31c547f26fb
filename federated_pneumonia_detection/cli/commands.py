"""All commands of `fpd`, put together."""

from __future__ import annotations

import typer

from federated_pneumonia_detection import __version__
from federated_pneumonia_detection.cli import (
    config,
    control,
    data,
    demo,
    doctor,
    evaluate,
    federation,
    importing,
    notify,
    predict,
    prune,
    release,
    runs,
    serve,
    ship,
    token,
    train,
    watch,
)

__all__ = ["app"]

app = typer.Typer(
    name="fpd",
    help="Train chest X-ray pneumonia detectors, and watch them live. For research, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fpd {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Say which version."),
) -> None:
    """Options of `fpd` itself."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.add_typer(train.app, name="train")
app.command("watch")(watch.watch)
app.command("runs")(runs.runs)
app.command("stop")(control.stop)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("logs")(runs.logs)
app.command("export")(runs.export)
app.command("import")(importing.import_)
app.command("prune")(prune.prune)
app.command("ship")(ship.ship)
app.command("ledger")(release.ledger)
app.add_typer(token.app, name="token")
app.add_typer(notify.app, name="notify")
app.add_typer(federation.app, name="federation")
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)
