"""The operator's file that says what may leave a site, read for `fpd ship`; and `fpd ledger`: what has left."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from federated_pneumonia_detection.hub.shipping.policy import Policy
    from federated_pneumonia_detection.hub.shipping.release_ledger import Departures

__all__ = ["ledger", "ledger_directory", "read_policy"]

_SHOWN = 12

LedgerDir = Annotated[Path | None, typer.Option("--ledger", help="Where the account lies; default: LOG_DIR/.released.")]


def read_policy(path: Path) -> Policy:
    """The policy in a YAML or TOML file.

    Raises:
        BadParameter: It cannot be read, or is no policy.
    """
    from federated_pneumonia_detection.config.errors import ConfigError
    from federated_pneumonia_detection.config.yaml_reading import read_yaml
    from federated_pneumonia_detection.hub.errors import ReleaseWrong
    from federated_pneumonia_detection.hub.shipping.policy import policy_of

    try:
        told: Any
        if path.suffix == ".toml":
            with path.open("rb") as file:
                told = tomllib.load(file)
        elif path.exists():
            told = read_yaml(path, written_by="fpd ship --print-release")
        else:
            raise ReleaseWrong(str(path), "there is no such file", "`fpd ship --print-release` shows one")
        return policy_of(told, str(path))
    except OSError as error:
        raise typer.BadParameter(f"--release {path}: {error.strerror}") from None
    except (ConfigError, ReleaseWrong, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = "" if isinstance(error, ConfigError | ReleaseWrong) else f"{path}: "
        raise typer.BadParameter(f"--release {where}{error}") from None


def ledger_directory(log_dir: Path, ledger: Path | None) -> Path:
    """Where the account of what left lies."""
    from federated_pneumonia_detection.hub.shipping.release_ledger import LEDGER_NAME

    return log_dir / LEDGER_NAME if ledger is None else ledger


def ledger(
    log_dir: Annotated[Path, typer.Argument(help="Where the journals lie.")] = Path("logs/progress"),
    ledger: LedgerDir = None,
) -> None:
    """Show what has left this machine under a release file: when, of which run, what, how many, where to."""
    from federated_pneumonia_detection.hub.shipping.release_ledger import departures, read_ledger

    directory = ledger_directory(log_dir, ledger)
    rows = departures(read_ledger(directory))
    if not rows:
        typer.echo(f"Nothing is noted in {directory}. `fpd ship --release FILE` notes what leaves.")
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(_cells(row)))
        return
    from rich.table import Table
    from rich.text import Text

    for row in rows:
        when, run, who, to, types, metrics, withheld, size = _cells(row)
        typer.echo(f"{who or 'the whole run'} of {run}, {when}, to {to}: {size}")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
        table.add_row("messages", Text(types))
        table.add_row("numbers", Text(metrics or "none"))
        table.add_row("withheld", Text(withheld or "nothing", style="yellow" if withheld else ""))
        console.print(table)


def _cells(row: Departures) -> list[str]:
    """One line of the account: when, run, client, where to, messages, numbers, what was withheld, bytes."""
    from federated_pneumonia_detection.cli.lines import printable

    when = f"{row.began[:16].replace('T', ' ')} to {row.last[:16].replace('T', ' ')} UTC"
    cells = [when, row.run_id, row.client_id or "", row.to]
    cells += [_counted(row.types), _counted(row.metrics), _counted(row.withheld), f"{row.bytes} bytes"]
    return [printable(cell) for cell in cells]


def _counted(counts: Counter[str]) -> str:
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    told = ", ".join(f"{count} {what}" for what, count in most[:_SHOWN])
    return f"{told} and {len(most) - _SHOWN} more" if len(most) > _SHOWN else told
