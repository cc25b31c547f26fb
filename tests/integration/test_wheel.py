"""The wheel in an empty environment: the loggers alone, then the server with its page; no Node, no torch."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx
import pytest
from server_process import ServerProcess

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "federated_pneumonia_detection" / "server" / "page" / "index.html"

LOG_ONE_EPOCH = """
import sys
from federated_pneumonia_detection.src.utils.loggers.websocket_progress_logger import WebSocketProgressLogger
from federated_pneumonia_detection.src.utils.loggers.webocket_logger import ConnectionManager
with WebSocketProgressLogger(websocket_manager=ConnectionManager(), log_dir="progress", run_id="wheel-1") as logger:
    logger.log_epoch_start(1, 1)
    logger.log_training_complete({"total_epochs": 1})
assert logger.lost == 0
heavy = {"torch", "fastapi", "starlette", "sqlalchemy", "pydantic", "numpy"} & set(sys.modules)
assert not heavy, heavy
print("logged")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not PAGE.exists():
        pytest.fail("the page is not built: make page")
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing in it."""
    where = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(where, with_pip=True)
    return where / "bin" / "python"


def install(python: Path, what: str) -> None:
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "-c", str(ROOT / "constraints.txt"), what], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "federated_pneumonia_detection/server/page/index.html" in names
    assert any(name.endswith(".js") for name in names)
    assert "federated_pneumonia_detection/notebook/page/cell.js" in names


def test_the_loggers_then_the_server_install_without_torch_and_without_node(
    wheel: Path, empty: Path, tmp_path: Path
) -> None:
    alone = {"PATH": str(empty.parent), "HOME": str(tmp_path), "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
    install(empty, str(wheel))
    logged = subprocess.run(
        [str(empty), "-c", LOG_ONE_EPOCH], cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert logged.stdout == "logged\n", logged.stderr

    install(empty, f"{wheel}[server]")
    has_torch = subprocess.run([str(empty), "-c", "import torch"], capture_output=True, check=False).returncode == 0
    assert not has_torch
    command = [str(empty.parent / "fpd"), "serve", "--port", "{port}", "--log-dir", str(tmp_path / "progress")]
    with ServerProcess(tmp_path / "progress", command=command, cwd=tmp_path) as server:
        page = httpx.get(server.url)
        run = httpx.get(f"{server.url}/api/runs/wheel-1").json()

    assert page.status_code == 200
    assert '<div id="root">' in page.text
    assert run["status"] == "completed"
