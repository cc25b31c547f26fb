"""The examples of `docs/how-to/notebook.md`, run as they stand, in their order."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    # Importing typer touches names that click is about to drop; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer  # noqa: F401

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "notebook.md"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the page's examples leave behind."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for text in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        exec(compile(text, str(PAGE), "exec"), names)
    return names


def test_the_examples_give_what_the_page_says(ran: dict[str, Any]) -> None:
    assert ran["runs"]["status"].tolist() == ["completed"]
    assert ran["curve"].round(2).to_dict() == {1: 0.87, 2: 0.89, 3: 0.91}
    assert len(ran["steps"]) == 30
    assert ran["steps"].index.is_monotonic_increasing
    assert ran["by_epoch"]["epoch"].to_list() == [1, 2, 3]


def test_every_column_is_in_the_tables(ran: dict[str, Any]) -> None:
    from federated_pneumonia_detection.notebook.frames import METRIC_COLUMNS, RUN_COLUMNS

    for heading, columns in (("All runs", RUN_COLUMNS), ("A run's metrics", METRIC_COLUMNS)):
        section = PAGE.read_text().split(f"## {heading}")[1].split("\n## ")[0]
        cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} >= set(columns)
