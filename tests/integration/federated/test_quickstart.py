"""An app in the shape of Flower's PyTorch quickstart, with our lines and without: the same weights, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from flower_quickstart import APP, copy_app, loaded, train

Names = list[str]


def told(log_dir: Path, client: str | None = None) -> list[dict[str, Any]]:
    found = []
    for path in sorted(log_dir.glob("*.jsonl")):
        head, *lines = map(json.loads, path.read_text().splitlines())
        if head["client_id"] == client:
            found += [line for line in lines if line["type"] != "journal_end"]
    return found


def types(messages: list[dict[str, Any]]) -> Names:
    return [message["type"] for message in messages if message["type"] not in ("step", "stage")]


def test_the_quickstart_with_our_lines_and_without_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FPD_DATA", "phantoms")
    logs = tmp_path / "watched" / "logs" / "progress"
    weights = {}
    for name in ("watched", "plain"):
        with loaded(copy_app(tmp_path / f"app-{name}", with_our_lines=name == "watched")) as apps:
            weights[name] = train(apps, tmp_path / name)

    assert weights["watched"].keys() == weights["plain"].keys()
    assert all(torch.equal(value, weights["plain"][key]) for key, value in weights["watched"].items())
    assert not (tmp_path / "plain" / "logs").exists()
    once = ["round_start", "round_aggregated", "round_end"]
    assert types(told(logs)) == ["run_start", *once, *once, *once, "training_complete"]
    a_round = ["round_start", "local_epoch", "local_epoch", "round_end", "round_end"]
    for client in ("client_0", "client_1"):
        assert types(told(logs, client)) == a_round * 3
        steps = [message for message in told(logs, client) if message["type"] == "step"]
        assert {(m["round"], m["epoch"]) for m in steps} == {(r, e) for r in (1, 2, 3) for e in (1, 2)}
        assert all(m["total_steps"] for m in steps)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_quickstart_is_watched_under_flwr_run_as_it_stands(
    tmp_path: Path, free_port: int, wait_until: Callable[..., None]
) -> None:
    logs = tmp_path / "logs"
    home = tmp_path / "flwr"
    home.mkdir()
    (home / "config.toml").write_text(f'[superlink.own]\naddress = "127.0.0.1:{free_port}"\ninsecure = true\n')
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "FPD_LOG_DIR": str(logs),
        "FPD_DATA": "phantoms",
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    link = subprocess.Popen(
        [
            programs / "flower-superlink",
            *["--simulation", "--insecure", "--disable-runtime-dependency-installation"],
            *["--host", "127.0.0.1", "--port", str(free_port)],
        ],
        env=environment,
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        started: list[str] = []

        def run() -> bool:
            resources = "num-supernodes=2 client-resources-num-cpus=1 init-args-num-cpus=1"
            done = subprocess.run(
                [programs / "flwr", "run", APP, "own", "--federation-config", resources, "--format", "json"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            started.append(done.stdout + done.stderr)
            return '"run-id"' in done.stdout

        wait_until(run, "the SuperLink took the app", timeout_s=60)
        wait_until(
            lambda: "training_complete" in types(told(logs)) if logs.exists() else False, "the run ended", timeout_s=200
        )
    finally:
        os.killpg(link.pid, signal.SIGKILL)
        link.wait()

    heads = [json.loads(path.read_text().splitlines()[0]) for path in logs.glob("*.jsonl")]
    assert {head["client_id"] for head in heads} == {None, "client_0", "client_1"}
    assert len({head["run_id"] for head in heads}) == 1
    assert {head["experiment_name"] for head in heads} == {"example/pytorchexample"}
    a_round = ["round_start", "local_epoch", "local_epoch", "round_end", "round_end"]
    assert types(told(logs, "client_1")) == a_round * 3
