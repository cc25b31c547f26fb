"""`examples/flower_quickstart`, with our lines and without them, carried by the embedded grid."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.local_engine import run_local
from federated_pneumonia_detection.federated.roster import Roster

APP = Path(__file__).parents[2] / "examples" / "flower_quickstart"
_PACKAGE = "pytorchexample"
_OURS = {
    "from federated_pneumonia_detection.federated import progress_mod, watch_batches\n": "",
    "from federated_pneumonia_detection.federated import watch_strategy\n": "",
    "ClientApp(mods=[progress_mod()])": "ClientApp()",
    "    trainloader = watch_batches(trainloader)\n": "",
    "    watch_strategy(strategy)\n": "",
}


def copy_app(to: Path, *, with_our_lines: bool) -> Path:
    """The app as it stands, or without the lines that are ours."""
    shutil.copytree(APP, to, ignore=shutil.ignore_patterns("__pycache__"))
    if not with_our_lines:
        for path in (to / _PACKAGE).glob("*_app.py"):
            text = path.read_text()
            for ours, theirs in _OURS.items():
                text = text.replace(ours, theirs)
            assert "federated_pneumonia_detection" not in text
            path.write_text(text)
    return to


@contextmanager
def loaded(app: Path) -> Iterator[tuple[ServerApp, ClientApp]]:
    """Within it the app's package is imported, and both its apps are to be had."""
    sys.path.insert(0, str(app))
    try:
        server = importlib.import_module(f"{_PACKAGE}.server_app").app
        client = importlib.import_module(f"{_PACKAGE}.client_app").app
        yield server, client
    finally:
        sys.path.remove(str(app))
        for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]


def train(
    apps: tuple[ServerApp, ClientApp], folder: Path, *, clients: int = 2, **config: Any
) -> dict[str, torch.Tensor]:
    """Run the app in `folder`, always from the same seed; returns the weights that it leaves there."""
    inner, client = apps
    defaults = tomllib.loads((APP / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        inner(
            GuardedGrid(
                grid,
                roster=Roster(),
                check=lambda: None,
            ),
            context,
        )

    nodes = [{"partition-id": number, "num-partitions": clients} for number in range(clients)]
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        torch.manual_seed(7)
        with redirect_stdout(io.StringIO()):
            run_local(server, client, nodes, {**defaults, **config})
        return torch.load("final_model.pt")  # type: ignore[no-any-return]
    finally:
        os.chdir(before)
