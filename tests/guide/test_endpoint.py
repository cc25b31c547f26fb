"""The guide's endpoint, `async def` with a blocking `train` inside, in a stranger's app: live all the same."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx
from server_process import ServerProcess, until

HERE = Path(__file__).parent


def test_every_epoch_is_live_while_the_request_has_long_been_answered(tmp_path: Path) -> None:
    path = os.pathsep.join([str(HERE.parent / "support"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(HERE / "stranger_app.py"), "{port}"]
    app = ServerProcess(tmp_path / "logs", command=command, cwd=tmp_path, PYTHONPATH=path)
    with app, app.viewer() as viewer:
        asked = time.monotonic()
        answer = httpx.post(f"{app.url}/train", json={"source_path": "phantoms"}, timeout=30).json()
        answered = time.monotonic() - asked

        seen = until(viewer, "training_complete", timeout_s=120)
        ended = time.monotonic() - asked

        assert answer["status"] == "started"
        assert answered < ended / 2
        assert {m.get("run_id") for m in seen if "run_id" in m} == {answer["run_id"]}
        told = [(m["type"], m.get("epoch"), m.get("phase")) for m in seen if m["type"].startswith("epoch_")]
        epoch = [("epoch_start", None), ("epoch_end", "train"), ("epoch_end", "val")]
        assert [t for t in told if t[2] != "test"] == [(kind, n, phase) for n in (1, 2) for kind, phase in epoch]
