"""What is Linux's own is taken away, and the same tests pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).parents[2] / "unit" / "progress"

WITHOUT_LINUX = """
import errno, os, sys
sys.modules["fcntl"] = None

def no_links(*_, **__):
    raise PermissionError(errno.EPERM, "no hard links here")

del os.pread, os.fdatasync
os.link = no_links

import pytest
from federated_pneumonia_detection.progress import liveness
assert liveness.fcntl is None
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_the_parts_tests_pass_without_locks_links_and_positioned_reads() -> None:
    names = ("journal", "reading", "document", "which_run", "writer", "liveness", "loggers")
    files = [str(UNIT / f"test_{name}.py") for name in names]
    command = [
        sys.executable,
        "-c",
        WITHOUT_LINUX,
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-k",
        "not no_log_call_raises",
    ]
    ran = subprocess.run(
        [*command, *files], cwd=UNIT.parents[2], capture_output=True, text=True, timeout=170, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
