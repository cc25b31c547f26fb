"""`docs/performance.md` and the README's table, from `docs/performance.json`: no number in them is typed by hand."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from benchmarks._figures import goal, is_met, shown
from benchmarks._picture import picture

__all__ = ["JSON", "PAGE", "PICTURE", "README", "files", "readme_with"]

ROOT = Path(__file__).resolve().parent.parent
JSON = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "performance.svg"
README = ROOT / "README.md"

TITLES = {
    "peers": "Beside the trackers people use",
    "log_call": "One log call",
    "log_to_viewer": "From a log call to a viewer",
    "fan_out": "Many viewers, busy",
    "many_viewers": "Ten thousand viewers, idle",
    "catch_up": "A long journal",
    "many_journals": "Many journals",
    "slow_viewers": "A viewer that does not read",
    "watching": "What watching costs a training",
    "inside_the_round": "From a hospital's local epoch to the screen",
    "hundred_clients": "A hundred hospitals, fifty rounds",
    "many_points": "Half a million points",
    "import_time": "Importing the loggers",
    "accuracy": "How good the recipe is",
    "federated": "How good a federated run is",
    "superlink": "How good a run between machines is",
    "forecast": "When a run will end",
}
"""Section by section, in this order; a benchmark that is not named here comes last, under its own name."""
IN_README = (
    ("accuracy", "mean test AUROC", "PneumoniaMNIST, one machine, mean of three seeds"),
    ("accuracy", "mean test accuracy", "the same, accuracy"),
    ("federated", "test AUROC, local", "three hospitals, three rounds"),
    ("superlink", "mean test AUROC, superlink", "three hospitals over a SuperLink, uneven, mean of three seeds"),
    ("peers", "one log call, median", "one log call with four metrics"),
    ("peers", "until another process has read it, median", "until another process has read it"),
    ("peers", "messages lost by kill -9", "messages lost when the training is killed"),
    ("log_to_viewer", "log call → a viewer, 200 messages a second, median", "log call to a viewer, through SQLite"),
    ("log_to_viewer", "log call → 100 viewers, 20 messages a second, 99 %", "to each of 100 viewers, 99 %"),
    ("catch_up", "epoch_end: messages caught up", "a journal of 100 000 messages, caught up"),
    ("many_journals", "a message in any of 1000 journals, the slowest", "seen in any of 1 000 journals, the slowest"),
    ("fan_out", "one frame to each of 500 viewers", "server's processor time for each of 500 viewers"),
    ("fan_out", "the same in bursts of 100", "the same in bursts of 100 messages"),
    ("many_viewers", "memory of an idle viewer", "memory of each of 10 000 idle viewers"),
    ("many_viewers", "one message to all 10000", "one message to all 10 000"),
    ("inside_the_round", "local epoch → page, local, 95 %", "a hospital's local epoch to the page, 95 %"),
    ("hundred_clients", "all of the run in one request", "100 hospitals × 50 rounds in one request"),
    ("import_time", "importing the loggers", "importing the loggers"),
    ("watching", "processor time of an epoch for watching", "a training that is watched: processor time"),
)
"""Benchmark, figure, and what the README calls it."""
BEGIN, END = "<!-- figures: made by `make bench` -->", "<!-- end of figures -->"

Results = dict[str, Any]


def files(results: Results) -> dict[Path, str]:
    """What is made of the results: the page, and where there is a table of peers its picture."""
    made = {PAGE: page(results)}
    if (peers := _table(results, "peers", "peers")) is not None:
        made[PICTURE] = picture(peers, caption=_when(results["peers"]))
    return made


def readme_with(results: Results, text: str) -> str:
    """The README with its table of figures made anew, where it has a place for one."""
    if BEGIN not in text or END not in text:
        return text
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = ["| figure | measured | goal | command |", "|---|---|---|---|"]
    for benchmark, name, called in IN_README:
        for record in results.get(benchmark, {}).get("figures", []):
            if record["name"] == name:
                wanted = f"{goal(record)}{'' if is_met(record) else ' **missed**'}"
                rows.append(f"| {called} | {_measured(record)} | {wanted} | `python -m benchmarks.{benchmark}` |")
    # Without the empty lines a table behind a comment is no table.
    return "\n".join([f"{before}{BEGIN}", "", *rows, "", f"{END}{after}"])


def page(results: Results) -> str:
    """The page of documentation."""
    names = [name for name in TITLES if name in results] + sorted(set(results) - set(TITLES))
    missed = [(name, record) for name in names for record in results[name]["figures"] if not is_met(record)]
    lines = [
        "# Performance",
        "",
        "Every figure here was printed by `make bench` on the machine named below, and this page was made from that",
        "output ([`performance.json`](performance.json)); no number is typed by hand. Processor times and ratios",
        "within one run travel to other machines; wall times of a machine that does other things as well do not. The",
        "load average at the beginning and at the end of each benchmark stands below it.",
        "",
        *([f"Missed at the last run: {len(missed)}."] if missed else ["Every goal was met at the last run."]),
        *([""] if missed else []),
        *[f"- {record['name']}: {_measured(record)}, goal {goal(record)}" for _, record in missed],
        "",
    ]
    for name in names:
        lines += _section(name, results[name])
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, result: Results) -> list[str]:
    lines = [f"## {TITLES.get(name, name.replace('_', ' ').capitalize())}", "", _explained(name), ""]
    for table in result["tables"]:
        if name == "peers":
            lines += ["![One log call, and until it is read, beside other trackers](pictures/performance.svg)", ""]
        lines += _as_table(table)
    if result["figures"]:
        lines += ["| figure | measured | goal | |", "|---|---|---|---|"]
        lines += [
            f"| {record['name']} | {_measured(record)} | {goal(record)} | {'' if is_met(record) else '**missed**'} |"
            for record in result["figures"]
        ]
        lines.append("")
    return [*lines, f"`python -m benchmarks.{name}`: {_when(result)}.", ""]


def _explained(name: str) -> str:
    """The docstring of the benchmark."""
    path = ROOT / "benchmarks" / f"{name}.py"
    module = path if path.exists() else ROOT / "benchmarks" / name / "__init__.py"
    return ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""


def _as_table(table: dict[str, Any]) -> list[str]:
    titles: dict[str, str] = {key: table["titles"][key] for key in table["columns"]}
    versions = table.get("versions", {})
    if table["name"] == "peers":
        titles = {"peer": "", **titles}
    lines = [f"| {' | '.join(titles.values())} |", f"|---|{'---:|' * (len(titles) - 1)}"]
    for row in table["rows"]:
        cells = [_cell(row.get(key)) for key in titles]
        if version := versions.get(row.get("peer")):
            cells[0] += f" {version}"
        lines.append(f"| {' | '.join(cells)} |")
    for peer, why in table.get("failed", {}).items():
        lines.append(f"\n{peer} is not in the table: {why}.")
    return [*lines, ""]


def _cell(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else shown(value)


def _measured(record: dict[str, Any]) -> str:
    note = f" ({record['note']})" if record["note"] else ""
    return f"{shown(record['value'])} {record['unit']}{note}"


def _when(result: Results) -> str:
    machine = result["machine"]
    loads = " → ".join(f"{load:.1f}" for load in result["load"])
    return (
        f"{result['date']}, {machine['cores']} cores of {machine['processor']}, {machine['memory']}, "
        f"{machine['system']}, Python {machine['python']}, load {loads}"
    )


def _table(results: Results, benchmark: str, name: str) -> dict[str, Any] | None:
    tables = results.get(benchmark, {}).get("tables", [])
    return next((table for table in tables if table["name"] == name), None)
