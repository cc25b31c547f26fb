"""How long the loggers take to import in a fresh process, and that they bring neither torch nor a web framework."""

from __future__ import annotations

import statistics
import subprocess
import sys

TIMES = 15
LIMIT_MS = 100.0
MODULE = "federated_pneumonia_detection.src.utils.loggers.websocket_progress_logger"
HEAVY = ("torch", "numpy", "fastapi", "starlette", "sqlalchemy", "pydantic", "asyncio", "multiprocessing")

CODE = f"""
import sys, time
before, begin, busy = set(sys.modules), time.perf_counter(), time.process_time()
import {MODULE}
took, busy = (time.perf_counter() - begin) * 1000, (time.process_time() - busy) * 1000
print(took, busy, len(set(sys.modules) - before), *[name for name in {HEAVY!r} if name in sys.modules])
"""


def main() -> None:
    """Print the table."""
    took, busy, modules, heavy = [], [], 0, []
    for _ in range(TIMES):
        out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.split()
        took.append(float(out[0]))
        busy.append(float(out[1]))
        modules, heavy = int(out[2]), out[3:]
    heads = f"{'median ms':>11}{'least ms':>10}{'processor ms':>14}{'limit ms':>10}{'modules':>9}"
    print(f"{'import of the loggers':<24}{heads}")
    # The processor's time tells how long it takes where nothing else runs.
    figures = f"{statistics.median(took):>11.1f}{min(took):>10.1f}{min(busy):>14.1f}{LIMIT_MS:>10.0f}{modules:>9}"
    print(f"{'heavy: ' + (', '.join(heavy) or 'none'):<24}{figures}")


if __name__ == "__main__":
    main()
