"""`fpd config`: a configuration to begin with, and the schema it follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["app"]

app = typer.Typer(help="Write, check and describe configurations.", no_args_is_help=True)

KindOption = Annotated[Literal["centralized", "federated"], typer.Option(help="Of which kind of training.")]


@app.command()
def init(
    path: Annotated[Path | None, typer.Argument(help="The file to write; left out: standard output.")] = None,
    kind: KindOption = "centralized",
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Write a YAML with every key, its default and the sentence that explains it."""
    from federated_pneumonia_detection.config import commented_yaml

    text = commented_yaml(kind)
    if path is None:
        typer.echo(text, nl=False)
        return
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise typer.BadParameter(f"{path}: it is there already; --force replaces it") from None
    typer.echo(f"Wrote {path}. Use it: fpd train {kind} --config {path}")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The YAML to check.")],
    kind: KindOption = "centralized",
) -> None:
    """Say whether a YAML can be trained with, and everything that is wrong with it."""
    from federated_pneumonia_detection.config import ConfigError, load_config

    try:
        load_config(path, kind)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(f"fpd: {problem}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path}: fine")


@app.command()
def schema(kind: KindOption = "centralized") -> None:
    """Print the JSON Schema, for forms and editors."""
    from federated_pneumonia_detection.config import schema as schema_of

    typer.echo(json.dumps(schema_of(kind), indent=2))
