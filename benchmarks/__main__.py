"""`python -m benchmarks`: run every benchmark, or those named; each module with a `main()` is one.

With `--docs` what they told goes into `docs/performance.json`, and the page, its picture and the README's table are
made of it anew.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._figures import FIGURES_FILE, is_met, shown, verdict
from benchmarks._page import JSON, README, ROOT, files, readme_with

HERE = Path(__file__).parent
SLOW_LAST = (
    "peers",
    "fan_out",
    "many_viewers",
    "two_lines",
    "watching",
    "inside_the_round",
    "hundred_clients",
    "many_points",
    "federated",
    "accuracy",
    "superlink",
)
"""Those that take minutes, after those that take seconds."""


def benchmarks() -> list[str]:
    """The names of all benchmarks, the quick ones first."""
    found = [path.stem for path in HERE.glob("*.py")] + [path.parent.name for path in HERE.glob("*/__main__.py")]
    named = sorted(name for name in found if not name.startswith("_"))
    return [name for name in named if name not in SLOW_LAST] + [name for name in SLOW_LAST if name in named]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    processor, memory = platform.processor() or platform.machine(), "memory unknown"
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = models[0] if models else processor
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor,
        "cores": os.cpu_count(),
        "memory": memory,
        "python": platform.python_version(),
    }


def run(name: str) -> dict[str, Any] | None:
    """What one benchmark told; `None` when it could not run."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "figures.jsonl")
        load, begun = os.getloadavg()[0], time.monotonic()
        environment = {**os.environ, FIGURES_FILE: str(told)}
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(command, check=False, env=environment).returncode:
            return None
        records = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    print(f"  ({time.monotonic() - begun:.0f} s, load average {load:.1f} → {os.getloadavg()[0]:.1f})", flush=True)
    return {
        "date": datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
        "machine": machine(),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "figures": [record["figure"] for record in records if "figure" in record],
        "tables": [record["table"] for record in records if "table" in record],
    }


def summary(results: dict[str, dict[str, Any]]) -> None:
    """Every figure that has a goal beside it, then the missed ones once more."""
    told = [(name, record) for name, result in results.items() for record in result["figures"]]
    with_goal = [(name, record) for name, record in told if verdict(record)]
    if not with_goal:
        return
    print("\n== every figure that has a goal")
    for name, record in with_goal:
        print(f"{name:14} {record['name']:58} {shown(record['value']):>8} {record['unit']}{verdict(record)}")
    missed = [f"{name}: {record['name']}" for name, record in with_goal if not is_met(record)]
    print(f"\n{len(with_goal) - len(missed)} of {len(with_goal)} goals met" + (", missed:" if missed else ""))
    for one in missed:
        print(f"  {one}")


def write_docs(results: dict[str, dict[str, Any]]) -> None:
    """Keep the results beside those of benchmarks that did not run now, and make the documents anew."""
    known = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    all_results = dict(sorted({**known, **results}.items()))
    JSON.write_text(json.dumps(all_results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    made = files(all_results) | {README: readme_with(all_results, README.read_text(encoding="utf-8"))}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


def main() -> int:
    """Run them one after the other, each in a process of its own; 1 when one could not run."""
    arguments = sys.argv[1:]
    chosen = [argument for argument in arguments if argument != "--docs"] or benchmarks()
    if unknown := sorted(set(chosen) - set(benchmarks())):
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks())}")
        return 2
    print(", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    results: dict[str, dict[str, Any]] = {}
    failed = []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        if (result := run(name)) is None:
            failed.append(name)
        else:
            results[name] = result
    summary(results)
    if "--docs" in arguments:
        write_docs(results)
    if failed:
        print(f"\ncould not run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
