"""`fpd notify`: who is told of what, tried out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="notify", help="Tell people by mail or chat: look at the file, try its targets.", no_args_is_help=True
)


@app.command()
def example() -> None:
    """Print a file to begin from."""
    from federated_pneumonia_detection.server.telling.notify_file import EXAMPLE

    typer.echo(EXAMPLE, nl=False)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="The file that fpd serve --notify takes.")]) -> None:
    """Say what the file says, without telling anybody."""
    from federated_pneumonia_detection.server.telling.notify_file import is_read_by_others, read_notify
    from federated_pneumonia_detection.server.telling.targets import open_targets

    notify = read_notify(file)
    for target in open_targets(notify.targets):
        typer.echo(f"target  {target.name} ({target.service})")
    for rule in notify.rules:
        whom = ", ".join(rule.to) or "all targets"
        typer.echo(f"rule    {rule.when}, {'all runs' if rule.runs == '*' else f'runs {rule.runs}'}, told to {whom}")
    if notify.quiet is not None:
        quiet = notify.quiet
        failures = "failures are told all the same" if quiet.lets_failures_through else "failures wait too"
        zone = f" {quiet.zone}" if quiet.zone is not None else ""
        typer.echo(f"quiet   {quiet.begins:%H:%M} to {quiet.ends:%H:%M}{zone}; {failures}")
    if is_read_by_others(file):
        typer.echo(f"note    everybody on this machine may read the file; chmod 600 {file}")


@app.command()
def test(
    file: Annotated[Path, typer.Argument(help="The file that fpd serve --notify takes.")],
    target: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
) -> None:
    """Tell each target that this is a test, and say which took it. Exits with 1 where one did not."""
    from federated_pneumonia_detection.config import ConfigError
    from federated_pneumonia_detection.progress import liveness
    from federated_pneumonia_detection.server.telling.notify_file import read_notify
    from federated_pneumonia_detection.server.telling.targets import NotTaken, open_targets

    addresses = read_notify(file).targets
    for name in target or ():
        if name not in addresses:
            known = ", ".join(addresses) or "none is named"
            raise ConfigError(f"{file}: targets", f"none is called {name!r}", f"they are: {known}")
    failed = False
    body = f"If you read this, fpd on {liveness.host_name()} can tell you about its runs."
    for each in open_targets({name: url for name, url in addresses.items() if not target or name in target}):
        try:
            each.send("A test", body, "info")
        except NotTaken as error:
            failed = True
            typer.echo(f"bad  {each.name} ({each.service}): {error}")
        else:
            typer.echo(f"ok   {each.name} ({each.service}) took it")
    if not addresses:
        typer.echo(f"{file} names no target")
    raise typer.Exit(1 if failed else 0)
