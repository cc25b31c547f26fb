"""A hostile client app behind a shipper with a release file: nothing it planted is at the server, and all know why.

The app goes through our own mod and loggers, and also writes journals by hand; the shipper and the server are processes
as their operators start them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from server_process import ServerProcess

from federated_pneumonia_detection.cli.journals import Journals
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.framing import encode_line

PLANTED = ("muellerx", "annax", "hivx", "0.12345678", "987654321", "31337", "424242424242")
"""What no file of the server may hold: names, a patient's, digits that say something."""

RELEASE = """\
clients: [hospital_a]
runs: [trial-7]
metrics: ["train_*", "val_*", num_samples]
significant_digits: 3
least_n: 20
steps: 2
"""


@pytest.fixture
def server(tmp_path: Path, environment: dict[str, str]) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "hub", **environment) as process:
        yield process


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "release.yaml").write_text(RELEASE)
    return folder


def _through_the_loggers(site: Path) -> None:
    with FederatedProgressLogger("hospital_a", site, "Muellerx", run_id="trial-7") as logger:
        for round_ in (1, 2):
            logger.log_round_start(round_, 3)
            for step in range(1, 5):
                logger.log_step(1, step, 4, {"train_loss": 0.12345678, "muellerx": step, "val_annax": 0.5})
            logger.log_local_epoch(round_, 1, {"train_loss": 0.12345678, "num_samples": 900})
            logger.log_custom_event("muellerx", {"patient": "annax", "diagnosis": ["hivx"]})
            logger.log_alert("warning", "Muellerx", "annax has hivx")
            logger.log_test_curves([0.31337], [0.31337], [0.31337], {"annax": 1})
            per_image = {f"val_image_{i}": 0.31337 for i in range(30)}
            logger.log_round_end(
                round_,
                {"train_loss": 0.12345678, "num_samples": 900, "annax": "hivx", "nested": {"muellerx": 1}},
                {
                    "val_auroc": 0.987654321,
                    "num_samples": 1,
                    "val_loss": "annax",
                    "val_recall": 424242424242,
                    **per_image,
                },
            )
        logger.log_round_start(424242424242, 424242424242)
        logger.log_training_error("RuntimeError: annax", "Traceback: muellerx")
    for client, run in (("muellerx", "trial-7"), ("hospital_a", "annax-hivx"), ("hospital_a/../muellerx", "trial-7")):
        with FederatedProgressLogger(client, site, "annax", run_id=run) as logger:
            logger.log_round_start(1, 1)
    with ProgressLogger(site, "annax", run_id="trial-7") as leader:
        leader.log_epoch_end(1, {"val_auroc": 0.987654321})


def _by_hand(site: Path) -> None:
    head: dict[str, Any] = {
        "type": "journal",
        "format": 1,
        "writer": "muellerx",
        "run_id": "trial-7",
        "client_id": "hospital_a",
        "experiment_name": "annax",
        "mode": "hivx",
        "host": "muellerx",
        "boot": "annax",
        "pid": 31337,
        "pid_start": 31337,
        "start": "annax",
        "broadcast_interval": 0.31337,
        "hears": ["hivx"],
    }
    said: list[dict[str, Any]] = [
        {"type": "round_start", "round": 1, "total_rounds": 3, "client_id": "hospital_a", "run_id": "muellerx"},
        {"type": "withheld", "client_id": "hospital_a", "withheld": {"muellerx": "annax"}},
        {"type": "round_end", "client_id": "hospital_a", "round": 1, "fit_metrics": {}, "eval_metrics": {},
         "withheld": {"muellerx": "hivx"}, "received": "annax", "bytes_up": 31337},
        {"type": "epoch_end", "client_id": "annax", "epoch": 1, "total_epochs": 1, "phase": "hivx", "metrics": {}},
        {"type": "hivx", "client_id": "hospital_a", "timestamp": "muellerx"},
    ]  # fmt: skip
    lines = [encode_line(msgspec.json.encode(head), 0)]
    lines += [
        encode_line(msgspec.json.encode({"timestamp": "2026-11-24T10:00:00.031337+00:00", **one}), n)
        for n, one in enumerate(said, 1)
    ]
    lines.append(encode_line(msgspec.json.encode({"type": "hivx", "timestamp": "annax"}), 424242424242))
    (site / "muellerx.jsonl").write_bytes(b"".join(lines))


def _through_flowers_mod(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("flwr")
    from federated_pneumonia_detection.federated.environment import prepare

    prepare()
    from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.supercore.task_identity import TaskIdentity

    from federated_pneumonia_detection.federated.client_watch import progress_mod

    app = ClientApp(mods=[progress_mod(client_id=lambda context: "hospital_a")])

    @app.train()
    def train(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"annax": [0.31337, 0.31337], "train_loss": 0.12345678, "num-examples": 1})
        return Message(RecordDict({"arrays": ArrayRecord(), "metrics": metrics}), reply_to=message)

    for name in ("_run_id", "_task_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1, raising=False)
    config = ConfigRecord({"server-round": 3, "total-rounds": 3, "run-id": "trial-7", "experiment": "muellerx"})
    sent = Message(RecordDict({"config": config}), dst_node_id=1, message_type="train")
    context = Context(1, 1, {"log-dir": str(site), "partition-id": 0}, RecordDict(), {})
    app(sent, context)


def _everything_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file a server keeps, as text; what is packed in its database unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield str(path.relative_to(folder)), f"{path.name} {data.decode('latin-1')}".lower()


def test_nothing_that_a_hostile_app_planted_is_at_the_server(server, site, fpd, wait_until, tmp_path) -> None:
    _through_the_loggers(site)
    _by_hand(site)
    done = fpd(
        "ship", str(site), "--to", server.url, "--once", "--site", "ward", "--release", str(tmp_path / "release.yaml")
    )
    assert done.returncode == 0, done.stdout + done.stderr

    def run() -> dict[str, Any]:
        answer = httpx.get(f"{server.url}/api/runs/trial-7")
        return answer.json() if answer.status_code == 200 else {"clients": []}

    wait_until(lambda: run()["clients"] and run()["clients"][0]["sent_round"] >= 2, "the rounds are known")
    # At the site they are told by name, once; the page and the terminal there read the same.
    assert "hospital_a of trial-7: withheld: muellerx" in done.stdout
    assert "withheld, all of it: the run 'annax-hivx' is not among those that leave" in done.stdout
    here = next(one for one in Journals(site).run("trial-7")["clients"] if one["client_id"] == "hospital_a")
    assert {"what": "val_auroc", "why": "n 1 < 20", "at": 0} in here["withheld"]

    (client,) = run()["clients"]
    told = {one["what"]: one["why"] for one in client["withheld"]}
    assert client["client_id"] == "hospital_a"
    assert told["val_auroc"] == "n 1 < 20"
    assert told["other metrics"].endswith("not on the list")
    assert told["events of its own"] == "free text"
    assert told["test_curves"] == "a list"
    assert client["error"] == "RuntimeError at the site; its text stays there"

    answers = [
        httpx.get(f"{server.url}/api/runs/trial-7{more}").text
        for more in ("", "/events?after=0", "/document", "/series")
    ]
    assert "0.123" in answers[3]
    kept = [*_everything_in(tmp_path / "hub"), *(("answer", text.lower()) for text in answers)]
    assert any("hub.sqlite3" in name for name, _ in kept)
    found = {(name, word) for name, text in kept for word in PLANTED if word in text}
    assert found == set()

    account = fpd("ledger", str(site)).stdout
    assert "hospital_a" in account
    assert "2 round_end" in account or "3 round_end" in account
    assert "train_loss" in account
    assert "other metrics (10 or more not on the list)" in account


def test_what_leaves_through_flowers_mod_is_held_back_alike(
    server, site, fpd, wait_until, tmp_path, monkeypatch
) -> None:
    _through_flowers_mod(site, monkeypatch)
    done = fpd(
        "ship", str(site), "--to", server.url, "--once", "--site", "ward", "--release", str(tmp_path / "release.yaml")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: httpx.get(f"{server.url}/api/runs/trial-7").status_code == 200, "the run is known")
    found = {(name, word) for name, text in _everything_in(tmp_path / "hub") for word in PLANTED if word in text}
    assert found == set()


def test_a_second_shipping_is_counted_once_and_a_misspelt_key_stops_it(server, site, fpd, tmp_path) -> None:
    with FederatedProgressLogger("hospital_a", site, "exp", run_id="trial-7") as logger:
        logger.log_round_start(1, 1)
        logger.log_round_end(1, {"train_loss": 0.5, "num_samples": 99}, {})
    ship = ("ship", str(site), "--to", server.url, "--once", "--release", str(tmp_path / "release.yaml"))
    assert fpd(*ship).returncode == 0
    first = fpd("ledger", str(site)).stdout
    assert fpd(*ship).returncode == 0
    assert fpd("ledger", str(site)).stdout == first
    (tmp_path / "release.yaml").write_text(RELEASE.replace("metrics", "metrcs"))
    refused = fpd(*ship)
    assert refused.returncode == 2
    assert "did you mean metrics?" in refused.stderr
    printed = fpd("ship", "--print-release").stdout
    (tmp_path / "release.yaml").write_text(printed.replace("flwr-*", "trial-7"))
    assert fpd(*ship).returncode == 0
