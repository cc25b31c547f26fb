"""`fpd doctor`: what is wrong with this installation, in one line each, with what to do."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from federated_pneumonia_detection import __version__
from federated_pneumonia_detection.cli.feed import DEFAULT_LOG_DIR, DEFAULT_URL
from federated_pneumonia_detection.cli.pulse import Finding, diagnosis, log_findings

__all__ = ["doctor", "findings"]

PARTS = {
    "training": ("torch", "pytorch_lightning", "torchmetrics", "monai"),
    "federated": ("flwr", "ray"),
    "server": ("fastapi", "uvicorn", "sqlalchemy"),
}
LEAST_FREE_BYTES = 1 << 30
LEAST_OPEN_FILES = 1024
LOG_TAIL_BYTES = 1_000_000
_DISTRIBUTIONS = {"pytorch_lightning": "pytorch-lightning", "sqlalchemy": "SQLAlchemy"}


def doctor(
    log_dir: Annotated[Path, typer.Option(help="Where runs are written.")] = DEFAULT_LOG_DIR,
    url: Annotated[str, typer.Option(help="Where a server is looked for.")] = DEFAULT_URL,
) -> None:
    """Say what is wrong with this installation and with a server that runs, and what to do.

    Looks at what is installed, at disk and limits, at the server's numbers (`/metrics`) and log of the last hour.
    Exits with 1 where something is wrong.
    """
    bad = 0
    for finding in findings(log_dir, url):
        cure = f"; {finding.cure}" if finding.cure else ""
        typer.echo(f"{finding.state:<5}{finding.what}{cure}")
        bad += finding.state == "bad"
    typer.echo("Nothing is wrong." if not bad else f"{bad} thing{'s are' if bad > 1 else ' is'} wrong.")
    raise typer.Exit(1 if bad else 0)


def findings(log_dir: Path, url: str) -> Iterator[Finding]:
    """Everything that is looked at, one after the other."""
    yield Finding("ok", f"federated-pneumonia-detection {__version__}, Python {sys.version.split()[0]}")
    yield from _parts()
    yield _page()
    yield from _source()
    yield _directory(log_dir, "log directory")
    yield _directory(Path("checkpoints"), "checkpoint directory")
    yield _free_space()
    yield from _limits()
    yield from _server(url)
    yield from log_findings(_log_lines(log_dir), datetime.now().astimezone())


def _parts() -> Iterator[Finding]:
    for part, modules in PARTS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            cure = f"install federated-pneumonia-detection[{part}]"
            yield Finding("note", f"{part}: {', '.join(missing)} not installed", cure)
        else:
            yield Finding("ok", f"{part}: {', '.join(f'{name} {_version(name)}' for name in modules)}")


def _version(module: str) -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTIONS.get(module, module))
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _page() -> Finding:
    from federated_pneumonia_detection.server.settings import ServerSettings

    if (ServerSettings().page_dir / "index.html").is_file():
        return Finding("ok", "the page is built")
    return Finding("note", "the page is not built", "`make install` builds it; the API works without")


def _source() -> Iterator[Finding]:
    from federated_pneumonia_detection.data import DataError, find_source

    try:
        found = find_source(None)
    except DataError as error:
        yield Finding("bad", f"{error.where}: {error.what}", error.right)
        return
    if found.path is not None:
        yield Finding("ok", f"images: {found.path} (by {found.asked_by})")
    elif found.phantom:
        yield Finding("note", "images: phantoms, not X-rays", "name a source, or set FPD_DATA")
    else:
        told = "images: none named; the publisher is asked at the first run, and else it is phantoms, not X-rays"
        yield Finding("note", told, "set FPD_DATA to have it otherwise")


def _directory(directory: Path, name: str) -> Finding:
    # The nearest that is there decides whether the rest can be made.
    there = directory.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        cure = f"name another with --{name.replace(' directory', '')}-dir"
        return Finding("bad", f"{name} {directory}: nothing can be written there ({error.strerror})", cure)
    return Finding("ok", f"{name} {directory}: {'there' if directory.exists() else 'made when it is needed'}")


def _free_space() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    if free < LEAST_FREE_BYTES:
        return Finding("bad", f"{free / 1e9:.1f} GB free on the disk", "free some; journals that find none are lost")
    return Finding("ok", f"{free / 1e9:.0f} GB free on the disk")


def _limits() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("ok", f"{cores} CPU cores")
    try:
        import resource
    except ImportError:  # not on Windows
        return
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < LEAST_OPEN_FILES:
        yield Finding("note", f"{files} files may be open at once", "for many viewers, raise it: ulimit -n 65536")


def _server(url: str) -> Iterator[Finding]:
    from federated_pneumonia_detection.cli.client import Client, ServerAway, ServerRefused

    with Client(url) as client:
        if not client.answers():
            yield Finding("note", f"no server at {url}", "`fpd serve` starts one")
            return
        try:
            numbers = client.numbers()
        except (ServerAway, ServerRefused) as error:
            yield Finding("note", f"the server at {url} does not tell its numbers ({error})")
            return
    wrong = list(diagnosis(numbers))
    viewers, top = numbers.get("fpd_hub_viewers", 0), numbers.get("fpd_hub_top", 0)
    yield Finding("ok", f"a server answers at {url}: {top:.0f} messages, {viewers:.0f} viewers")
    yield from wrong


def _log_lines(log_dir: Path) -> Iterator[dict[str, Any]]:
    """The servers' logs of a directory; what is no such line is left out."""
    for path in sorted((log_dir / ".server").glob("*.log.jsonl")):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            with suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict):
                    yield told
