"""The example for a federated loop of one's own runs as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "federated_own_loop.py"


def test_three_clients_that_nobody_named_a_run_for_are_one_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "logs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    heads = [json.loads(path.read_text().splitlines()[0]) for path in (tmp_path / "logs").glob("*.jsonl")]
    assert {head["client_id"] for head in heads} == {"client_0", "client_1", "client_2"}
    assert {head["run_id"] for head in heads} == {done.stdout.split()[-1]}
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
