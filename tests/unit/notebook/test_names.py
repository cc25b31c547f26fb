"""`import federated_pneumonia_detection as fpd`: cheap, complete, and typed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import federated_pneumonia_detection as fpd


def test_each_name_is_there_when_it_is_asked_for() -> None:
    for name in fpd.__all__:
        assert getattr(fpd, name) is not None
    assert set(fpd.__all__) <= set(dir(fpd))


def test_the_type_stub_says_the_same_names_from_the_same_parts() -> None:
    stub = ast.parse((Path(fpd.__file__).with_suffix(".pyi")).read_text())
    told = {one.asname: node.module.split(".")[1] for node in stub.body if isinstance(node, ast.ImportFrom)
            for one in node.names}  # fmt: skip
    assert told == fpd._HOME


def test_a_name_that_nobody_has_is_told_as_python_tells_it() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'watsch'"):
        fpd.watsch  # noqa: B018


def test_importing_and_logging_bring_neither_torch_nor_pandas_nor_a_web_framework(tmp_path: Path) -> None:
    code = (
        "import sys, federated_pneumonia_detection as fpd; import importlib.metadata\n"
        "fpd.ProgressLogger(sys.argv[1], run_id='a').log_training_complete({})\n"
        "print({'torch', 'pandas', 'polars', 'fastapi', 'pydantic', 'numpy', 'anywidget', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_not_installed_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("federated_pneumonia_detection.notebook")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(fpd, "runs", raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "federated_pneumonia_detection.cli.client", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"fpd|runs needs httpx.*federated-pneumonia-detection\[notebook\]"):
        fpd.runs  # noqa: B018
