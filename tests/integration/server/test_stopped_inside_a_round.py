"""A real federated run, stopped in the middle of a client's epoch: at once, by whom, why, and nothing is left over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.progress.asked import points
from federated_pneumonia_detection.progress.liveness import process_lives
from federated_pneumonia_detection.server.access.token_store import TokenFile
from federated_pneumonia_detection.server.access.tokens import issue
from federated_pneumonia_detection.server.serving import BackgroundServer
from federated_pneumonia_detection.server.settings import ServerSettings

CONFIG = {"batch_size": 8, "image_size": 16, "model_args": {"channels": [4, 4, 4]}, "device": "cpu", "threads": 1}


def make_source(directory: Path) -> Path:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 640), ("val", 16), ("test", 16)):
        arrays[f"{split}_images"] = random.integers(0, 255, size=(count, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1)
    np.savez(directory / "noise.npz", **arrays)
    return directory / "noise.npz"


def test_stopped_in_the_middle_of_a_clients_epoch(
    settings: ServerSettings, start: Callable[..., BackgroundServer], wait_until: Callable[..., None]
) -> None:
    import torch

    store = TokenFile(settings.log_dir / ".server" / "tokens.json")
    secrets = {}
    for name, role in (("olga", "operator"), ("vera", "viewer")):
        token, secrets[name] = issue(name, role, now=time.time())  # type: ignore[arg-type]
        store.add(token)
    source = make_source(settings.data_roots[0])
    server = start(
        require_token=True,
        training_command=(sys.executable, "-m", "federated_pneumonia_detection"),
        cancel_grace_s=(20.0, 10.0, 10.0),
    )
    olga, vera = (
        httpx.Client(base_url=server.url, timeout=30, headers={"authorization": f"Bearer {secrets[name]}"})
        for name in ("olga", "vera")
    )
    with olga, vera:
        # So many local epochs that none of them is the last one.
        body = {"source_path": str(source), "num_clients": 2, "num_rounds": 3, "config": CONFIG}
        run_id = olga.post("/api/federated/train", json={**body, "local_epochs": 2}).json()["run_id"]

        def state() -> dict[str, Any]:
            return dict(vera.get(f"/api/runs/{run_id}").json())

        def trains() -> bool:
            return bool(state()["round"] >= 2 and any(c["step"] and not c["sent"] for c in state()["clients"]))

        wait_until(trains, "a client is in the middle of an epoch of the second round", timeout_s=120)
        pid = state()["pid"]
        assert vera.post(f"/api/runs/{run_id}/cancel", json={"by": "olga"}).status_code == 403
        asked = time.time()
        answer = olga.post(f"/api/runs/{run_id}/cancel", json={"reason": "the labels are wrong"})
        assert answer.status_code == 202
        wait_until(lambda: state()["status"] == "cancelled", "it stops")
        wait_until(lambda: not process_lives(pid, None), "its process is gone")
        assert time.time() - asked < 10

        page = vera.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000}).json()["messages"]
        ends = [m for m in page if m["type"] == "training_cancelled"]
        assert {(m["by"], m["reason"]) for m in ends} == {("olga", "the labels are wrong")}
        (of_run,) = [m for m in ends if "client_id" not in m]
        # A batch takes a few milliseconds here; they look each 50.
        assert (seconds(of_run["timestamp"]) or 0) - asked < 2
        assert state()["sentence"].startswith("Stopped by olga in round")
        assert not [m for m in page if m["type"] in ("client_failed", "training_error")]

    folder = settings.checkpoints / run_id
    newest = points(folder, "round")[-1]
    kept = torch.load(folder / f"round-{newest}.pt", weights_only=True)
    assert all(tensor.isfinite().all() for tensor in kept["network"].values() if tensor.is_floating_point())
    refused = [record for record in (settings.log_dir / ".server").rglob("*") if record.is_file()]
    assert not any(secrets["vera"].encode() in record.read_bytes() for record in refused), "no secret is in the log"
