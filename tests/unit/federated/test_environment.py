from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
from federated_pneumonia_detection.federated.environment import prepare, private_directory, quiet
assert "flwr" not in sys.modules
prepare()
import flwr.app, flwr.serverapp.strategy
from flwr.supercore.telemetry import event, EventType
event(EventType.PING).result(timeout=5)
with quiet():
    flwr.serverapp.strategy.FedAvg(fraction_evaluate=0.0)
private_directory()
print(private_directory())
"""


def test_flower_says_nothing_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "place"
    home.mkdir(), place.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        cwd=place,
        env={"HOME": str(home), "PATH": "", "TMPDIR": str(tmp_path)},
        check=True,
    )

    assert done.stderr == ""
    assert list(home.iterdir()) == [] and list(place.iterdir()) == []
    assert not Path(done.stdout.strip()).exists()
