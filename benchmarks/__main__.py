"""`python -m benchmarks`: run every benchmark, or those named; each module with a `main()` is one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SLOW_LAST = ("watching", "federated", "accuracy")
"""Those that train for minutes, after those that take seconds."""


def benchmarks() -> list[str]:
    """The names of all benchmarks, the quick ones first."""
    quick = [path.stem for path in sorted(HERE.glob("*.py")) if not path.stem.startswith("_")]
    return [name for name in quick if name not in SLOW_LAST] + [name for name in SLOW_LAST if name in quick]


def main() -> int:
    """Run them one after the other, each in a process of its own; 1 when one could not run."""
    chosen = sys.argv[1:] or benchmarks()
    if unknown := sorted(set(chosen) - set(benchmarks())):
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benchmarks())}")
        return 2
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    failed = []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\ncould not run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
