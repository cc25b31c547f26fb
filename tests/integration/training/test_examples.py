"""The examples for training code of one's own run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.mark.parametrize(
    ("name", "phases"), [("own_torch_loop", {"train"}), ("own_lightning_module", {"train", "val"})]
)
def test_an_example_runs_and_each_of_its_epochs_is_told(name, phases, tmp_path, told):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    messages = told(tmp_path / "logs" / "progress")
    assert messages[0]["type"] == "run_start"
    assert messages[-1]["type"] == "training_complete"
    for phase in phases:
        assert [m["epoch"] for m in messages if m.get("phase") == phase] == [1, 2, 3, 4, 5]
    assert "the run: " in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["logs"]
