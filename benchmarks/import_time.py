"""How long the loggers take to import in a fresh process, and that they bring neither torch nor a web framework.

Beside it, in turns, what of it is the serialiser and the parts of the standard library that every logger needs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks._figures import figure

TIMES = 15
LIMIT_MS = 100.0
LOGGERS = "federated_pneumonia_detection.src.utils.loggers.websocket_progress_logger"
PACKAGE = "federated_pneumonia_detection as fpd; fpd.ProgressLogger"
HEAVY = ("torch", "numpy", "fastapi", "starlette", "sqlalchemy", "pydantic", "pandas", "asyncio", "multiprocessing")

CODE = """
import sys, time
before, begin, busy = set(sys.modules), time.perf_counter(), time.process_time()
import {what}
took, busy = (time.perf_counter() - begin) * 1000, (time.process_time() - busy) * 1000
print(took, busy, len(set(sys.modules) - before), *[name for name in {heavy!r} if name in sys.modules])
"""


def imported(what: str, bytecode: str) -> list[str]:
    """What a fresh process says of this import: milliseconds, of them the processor's, modules, heavy ones.

    With the bytecode in a folder of its own: an installed package has it, a checkout perhaps not.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CODE.format(what=what, heavy=HEAVY)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()


def main() -> None:
    """Print the table."""
    rows = {
        "the loggers": LOGGERS,
        "the package, a logger of it": PACKAGE,
        "msgspec, pathlib, threading": "msgspec, pathlib, threading",
    }
    told: dict[str, list[list[str]]] = {name: [] for name in rows}
    with tempfile.TemporaryDirectory() as bytecode:
        imported(LOGGERS, bytecode)
        for _ in range(TIMES):
            for name, what in rows.items():
                told[name].append(imported(what, bytecode))
    print(
        f"{'import of':<30}{'median ms':>10}{'least ms':>10}{'processor ms':>14}{'limit ms':>10}{'modules':>9}  heavy"
    )
    for name, lines in told.items():
        # The processor's time tells how long it takes where nothing else runs.
        took, busy = [float(line[0]) for line in lines], [float(line[1]) for line in lines]
        limit = f"{LIMIT_MS:.0f}" if name.startswith("the ") else ""
        figures = f"{statistics.median(took):>10.1f}{min(took):>10.1f}{min(busy):>14.1f}{limit:>10}{lines[0][2]:>9}"
        print(f"{name:<30}{figures}  {', '.join(lines[0][3:]) or 'none'}")
    busy_ms = min(float(line[1]) for line in told["the loggers"])
    took = statistics.median(float(line[0]) for line in told["the loggers"])
    # Where other things run as well the clock counts them, the processor's time does not.
    figure("importing the loggers", busy_ms, "ms", at_most=LIMIT_MS, note=f"processor; by the clock {took:.0f} ms")
    figure("heavy modules it brings", len(told["the loggers"][0][3:]), "", at_most=0)


if __name__ == "__main__":
    main()
