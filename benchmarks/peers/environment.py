"""The peers' own environment: their packages would pull ours in other directions, and are needed nowhere else."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.peers.peer import Peer

__all__ = ["PYTHON", "ROOT", "install", "versions"]

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".venv-peers"
PYTHON = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
WITHIN_S = 300.0


def install(peers: Sequence[Peer], say: Callable[[str], None]) -> dict[str, str]:
    """Make the environment, or what is missing of it.

    Returns:
        Of each peer that does not install here, why.
    """
    if not PYTHON.exists():
        say("Making .venv-peers (half a minute, 400 MB)")
        venv.create(FOLDER, with_pip=True)
    stamp = FOLDER / "installed.txt"
    wanted = CONSTRAINTS.read_text()
    done = stamp.read_text() if stamp.exists() else ""
    if done == wanted:
        return {}
    missing: dict[str, str] = {}
    for peer in peers:
        if peer.requirements and (why := _pip_install(peer.requirements)):
            missing[peer.title] = why
    if not missing:
        stamp.write_text(wanted)
    return missing


def _pip_install(requirements: Sequence[str]) -> str | None:
    """Why it failed; `None` when it did not."""
    command = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    try:
        done = subprocess.run(
            [*command, "-c", str(CONSTRAINTS), *requirements],
            check=False,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return f"pip took longer than {WITHIN_S:g} s"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
    return lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {done.returncode}"


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """The version of each peer's package, as installed."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions(path=[str(next(FOLDER.glob("lib/*/site-packages"), FOLDER))]):
        found[distribution.name.lower()] = distribution.version
    return {peer.title: found[peer.package.lower()] for peer in peers if peer.package and peer.package.lower() in found}
