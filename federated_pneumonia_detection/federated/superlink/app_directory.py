"""The Flower app that is submitted: two names, no code. The package that is installed on each machine is the code."""

from __future__ import annotations

from pathlib import Path

from federated_pneumonia_detection import __version__

__all__ = ["write_app"]

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "fpd-app"
version = "{version}"
description = "Points to federated-pneumonia-detection, which is installed on each machine."
license = "MIT"
dependencies = []

[tool.flwr.app]
publisher = "fpd"

[tool.flwr.app.components]
serverapp = "fpd_app.server_app:app"
clientapp = "fpd_app.client_app:app"

[tool.flwr.app.config]
ticket = ""
"""

_MODULE = """\
from federated_pneumonia_detection.federated.superlink.{module} import app

__all__ = ["app"]
"""


def write_app(directory: Path) -> Path:
    """Write the app into `directory`, and return that.

    Raises:
        OSError: it cannot be written.
    """
    package = directory / "fpd_app"
    package.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(_PYPROJECT.format(version=__version__), encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "server_app.py").write_text(_MODULE.format(module="coordinator"), encoding="utf-8")
    (package / "client_app.py").write_text(_MODULE.format(module="hospital"), encoding="utf-8")
    return directory
