"""What is made of the benchmarks' figures: the page, its picture and the README's table."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from benchmarks import _figures, _page


def _figure(name: str, value: float, **goal: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "µs", "note": "", "at_most": None, "at_least": None, **goal}


def _result(*figures: dict[str, Any], tables: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    machine = {"system": "Linux 6", "processor": "a processor", "cores": 2, "memory": "24 GiB", "python": "3.11.7"}
    return {
        "date": "24 November 2026",
        "machine": machine,
        "load": [0.5, 1.25],
        "figures": list(figures),
        "tables": tables or [],
    }


PEERS = {
    "name": "peers",
    "columns": ["us", "us99", "seen_ms", "seen99_ms"],
    "titles": {"us": "one call", "us99": "99 %", "seen_ms": "read", "seen99_ms": "99 %"},
    "rows": [
        {"peer": "fpd log_step", "us": 5.0, "us99": 10.0, "seen_ms": 0.5, "seen99_ms": 1.0},
        {"peer": "Another <tracker>", "us": 5000.0, "us99": 9000.0, "seen_ms": 20.0, "seen99_ms": "when it ends"},
    ],
    "versions": {"Another <tracker>": "1.2.3"},
    "failed": {"A third": "no wheel for this Python"},
}


def test_a_goal_is_met_up_to_itself() -> None:
    assert _figures.is_met(_figure("x", 2.0, at_most=2.0))
    assert not _figures.is_met(_figure("x", 2.1, at_most=2.0))
    assert _figures.is_met(_figure("x", 2.0, at_least=2.0))
    assert not _figures.is_met(_figure("x", 1.9, at_least=2.0))
    assert _figures.verdict(_figure("x", 2.1, at_most=2.0)).endswith("goal ≤ 2: MISSED")
    assert _figures.verdict(_figure("x", 2.1)) == ""


def test_numbers_have_three_digits_and_no_exponent() -> None:
    shown = [_figures.shown(value) for value in (0.05321, 0.5321, 7.119, 57.1, 142.6, 170_581.0, 0)]
    assert shown == ["0.0532", "0.532", "7.12", "57.1", "143", "170,581", "0"]


def test_the_page_says_which_goals_were_missed() -> None:
    results = {"fan_out": _result(_figure("one frame", 3.0, at_most=1.3), _figure("a burst", 0.1, at_most=0.4))}
    text = _page.page(results)
    assert "Missed at the last run: 1." in text
    assert "- one frame: 3 µs, goal ≤ 1.3" in text
    assert text.count("**missed**") == 1
    assert "Every goal was met" in _page.page({"fan_out": _result(_figure("a burst", 0.1, at_most=0.4))})


def test_a_peer_that_does_not_install_is_named_with_its_reason() -> None:
    text = _page.page({"peers": _result(tables=[PEERS])})
    assert "A third is not in the table: no wheel for this Python." in text
    assert "| Another <tracker> 1.2.3 | 5,000 | 9,000 | 20 | when it ends |" in text


def test_the_picture_is_well_formed_and_shows_every_peer() -> None:
    results = {"peers": _result(tables=[PEERS])}
    drawn = ElementTree.fromstring(_page.files(results)[_page.PICTURE])
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("fpd log_step") == texts.count("Another <tracker>") == 2
    assert "5,000 µs" in texts


def test_the_readme_keeps_what_stands_round_its_table() -> None:
    results = {"watching": _result(_figure("processor time of an epoch for watching", 0.2, at_most=0.5))}
    text = _page.readme_with(results, f"before\n{_page.BEGIN}\nold\n{_page.END}\nafter\n")
    assert text.startswith(f"before\n{_page.BEGIN}\n\n| figure |")
    assert text.endswith(f"`python -m benchmarks.watching` |\n\n{_page.END}\nafter\n")
    assert "old" not in text
    assert _page.readme_with(results, "no place for it") == "no place for it"


def test_page_picture_and_readme_are_what_the_results_give() -> None:
    results = json.loads(_page.JSON.read_text(encoding="utf-8"))
    for path, text in _page.files(results).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: `python -m benchmarks --docs`"
    readme = _page.README.read_text(encoding="utf-8")
    assert _page.readme_with(results, readme) == readme
