"""How good a run between machines is: SuperLink, three SuperNodes, TLS, node keys, PneumoniaMNIST dealt out unevenly.

Twelve rounds of two local epochs, so that each image is seen as often as in the centralised run beside it (24 epochs),
and everything else by default. Rounds and local epochs were chosen on the validation split; the test split is read once
at the end of each run. Each seed has its own division (Dirichlet, alpha 0.5). `python -m benchmarks.superlink 0` names
the seeds.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from benchmarks._figures import figure
from federated_pneumonia_detection.data import find_source

WITHIN = 0.005
ROUNDS, LOCAL_EPOCHS, NODES = 12, 2, 3


@contextmanager
def federation(seed: int, folder: Path) -> Iterator[str]:
    """`fpd federation up`, until the block ends; the URL of its page."""
    command = [sys.executable, "-m", "federated_pneumonia_detection", "federation", "up", "--dir", str(folder / "fed")]
    command += ["--nodes", str(NODES), "--partition", "dirichlet", "--alpha", "0.5", "--seed", str(seed), "--port", "0"]
    with (folder / "up.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        while "fpd train federated" not in (text := (folder / "up.log").read_text()):
            if process.poll() is not None:
                raise SystemExit(text)
            time.sleep(0.2)
        yield next(word for word in text.split() if word.startswith("http://"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def run(url: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """One run from its request to its end; its state, and who was live in the server's log."""
    begin_s = time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as http:
        run_id = http.post(f"/api/{kind}/train", json=body).raise_for_status().json()["run_id"]
        state: dict[str, Any] = {"status": "queued"}
        while state["status"] not in ("completed", "failed", "lost"):
            time.sleep(1)
            # A busy server may close a connection just when it is asked again.
            with suppress(httpx.TransportError):
                state = http.get(f"/api/runs/{run_id}").json()
        if state["status"] != "completed":
            raise SystemExit(f"{run_id}: {state['sentence']}")
        page = http.get(f"/api/runs/{run_id}/events", params={"after": 0, "limit": 10_000}).json()
    epochs = [m["client_id"] for m in page["messages"] if m["type"] == "local_epoch" and "client_id" in m]
    final = state["final_metrics"]
    return {"AUROC": final["test_auroc"], "seconds": time.monotonic() - begin_s, "local epochs": len(epochs)}


def main() -> int:
    """Print a line for each seed, then the means and how far they are apart."""
    if find_source(None).phantom:
        print("no X-rays: FPD_DATA names none; phantoms would say nothing about this figure")
        return 1
    seeds = [int(argument) for argument in sys.argv[1:]] or [0, 1, 2]
    found: dict[str, list[dict[str, Any]]] = {"superlink": [], "centralised": []}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder, federation(seed, Path(folder)) as url:
            config = {"seed": seed}
            over = {"engine": "superlink", "num_clients": NODES, "num_rounds": ROUNDS, "local_epochs": LOCAL_EPOCHS}
            found["superlink"].append(run(url, "federated", {**over, "config": config}))
            found["centralised"].append(run(url, "centralized", {"config": config}))
        for kind, rows in found.items():
            told = "  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items())
            print(f"seed {seed} {kind:12} {told}  (load {os.getloadavg()[0]:.1f})", flush=True)
    means = {kind: statistics.fmean(row["AUROC"] for row in rows) for kind, rows in found.items()}
    for kind, mean in means.items():
        each = ", ".join(f"{row['AUROC']:.4f}" for row in found[kind])
        figure(f"mean test AUROC, {kind}", mean, "", note=f"seeds {', '.join(map(str, seeds))}: {each}")
    figure("the centralised run is better by", means["centralised"] - means["superlink"], "AUROC", at_most=WITHIN)
    live = min(row["local epochs"] for row in found["superlink"])
    figure("local epochs in the server's log", live, "", at_least=NODES * ROUNDS * LOCAL_EPOCHS)
    figure("mean time of a run", statistics.fmean(row["seconds"] for row in found["superlink"]), "s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
