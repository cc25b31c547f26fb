"""What may be imported from where."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from federated_pneumonia_detection import progress, src

SIGNPOSTS = sorted(Path(src.__file__).parent.rglob("*.py"))
MODULES = sorted(module.name for module in pkgutil.iter_modules(progress.__path__))


def test_the_part_offers_the_four_loggers_and_what_they_need_of_a_manager() -> None:
    assert progress.__all__ == [
        "FederatedProgressLogger",
        "ProgressLogger",
        "WebSocketFederatedProgressLogger",
        "WebSocketManager",
        "WebSocketProgressLogger",
    ]


@pytest.mark.parametrize("name", MODULES)
def test_each_module_says_what_it_offers_and_has_it(name: str) -> None:
    module = importlib.import_module(f"{progress.__name__}.{name}")
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, offered) for offered in module.__all__)


@pytest.mark.parametrize("path", SIGNPOSTS, ids=lambda path: path.name)
def test_a_file_of_the_guides_paths_is_a_docstring_and_imports(path: Path) -> None:
    first, *rest = ast.parse(path.read_text()).body
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Constant)
    for statement in rest:
        is_all = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
        assert is_all or isinstance(statement, ast.ImportFrom), ast.unparse(statement)


def test_the_guides_names_are_ours() -> None:
    from federated_pneumonia_detection.src.utils.loggers import progress_logger, websocket_progress_logger

    for module in (progress_logger, websocket_progress_logger):
        assert all(getattr(module, name) is getattr(progress, name) for name in module.__all__)


def test_both_spellings_of_the_managers_module_are_one_class() -> None:
    from federated_pneumonia_detection.hub import ConnectionManager
    from federated_pneumonia_detection.src.utils.loggers import webocket_logger, websocket_logger

    assert webocket_logger.ConnectionManager is websocket_logger.ConnectionManager is ConnectionManager


def test_the_loggers_bring_neither_torch_nor_a_web_framework() -> None:
    heavy = ["torch", "numpy", "fastapi", "starlette", "sqlalchemy", "pydantic", "asyncio", "multiprocessing"]
    script = (
        "import sys; import federated_pneumonia_detection.src.utils.loggers.websocket_progress_logger;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
