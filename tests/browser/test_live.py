"""What a person sees: the run on the screen the moment it is logged, whatever happens to server and trainer."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import talkers
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.orders import OrderWatch

pytestmark = pytest.mark.browser


def watch(browser: Browser, server: ServerProcess, path: str = "/") -> Page:
    """A page of the server at 1440 × 900."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(server.url + path)
    return page


def log_epochs(logger: ProgressLogger, first: int, last: int, total: int) -> None:
    for epoch in range(first, last + 1):
        logger.log_epoch_start(epoch, total)
        logger.log_epoch_end(epoch, {"train_loss": 1 / epoch})
        logger.log_epoch_end(epoch, {"val_loss": 1 / epoch, "val_auroc": 1 - 0.5 / epoch}, phase="val")


def test_the_empty_page_becomes_the_run_by_itself(browser: Browser, server: ServerProcess) -> None:
    page = watch(browser, server)
    expect(page.get_by_text("No runs yet")).to_be_visible()

    with ProgressLogger(log_dir=str(server.log_dir), experiment_name="first-steps") as logger:
        log_epochs(logger, 1, 2, 5)

        expect(page.get_by_text("first-steps").first).to_be_visible()
        expect(page.get_by_text(re.compile("epoch 2 of 5", re.I)).first).to_be_visible()
    page.close()


def test_a_run_is_followed_to_its_end_without_a_reload(browser: Browser, server: ServerProcess) -> None:
    with ProgressLogger(log_dir=str(server.log_dir), experiment_name="steady", run_id="steady-1") as logger:
        log_epochs(logger, 1, 1, 3)
        page = watch(browser, server, "/runs/steady-1")
        expect(page.get_by_role("heading", name="steady")).to_be_visible()
        expect(page.get_by_text("0.500").first).to_be_visible()

        log_epochs(logger, 2, 3, 3)
        expect(page.get_by_text("0.833").first).to_be_visible()
        logger.log_training_complete({"total_epochs": 3, "best_epoch": 3, "best_val_recall": 0.9})

        expect(page.get_by_text("Finished").first).to_be_visible()
    page.close()


def test_the_server_killed_under_an_open_page_and_started_again_loses_and_repeats_nothing(
    browser: Browser, server: ServerProcess
) -> None:
    with ProgressLogger(log_dir=str(server.log_dir), experiment_name="cut", run_id="cut-1") as logger:
        log_epochs(logger, 1, 3, 8)
        page = watch(browser, server, "/runs/cut-1")
        expect(page.get_by_text(re.compile("epoch 3 of 8", re.I)).first).to_be_visible()
        page.evaluate("window.marker = 'not reloaded'")

        server.kill()
        expect(page.get_by_text("Server away").first).to_be_visible(timeout=20_000)
        log_epochs(logger, 4, 6, 8)
        server.start()

        expect(page.get_by_text(re.compile("epoch 6 of 8", re.I)).first).to_be_visible(timeout=40_000)
        assert page.evaluate("window.marker") == "not reloaded"
        told = httpx.get(f"{server.url}/api/runs/cut-1/events?after=0").json()["messages"]
        assert [m["epoch"] for m in told if m["type"] == "epoch_start"] == [1, 2, 3, 4, 5, 6]
        behind = page.get_by_role("button", name="Show the table")
        while behind.count():
            behind.first.click()
        for chart, column in (("Loss", 1), ("AUROC", 0)):
            rows = page.get_by_role("region", name=re.compile(f"^{chart}.*as a table$")).locator("tbody tr")
            cells = [row.locator("td").all_inner_texts() for row in rows.all()]
            assert [cell[0] for cell in cells] == ["1", "2", "3", "4", "5", "6"], chart
            expected = [1 / epoch if column else 1 - 0.5 / epoch for epoch in range(1, 7)]
            assert all(f"{value:.4f}" in cell for value, cell in zip(expected, cells, strict=True)), cells
    page.close()


def test_a_killed_trainer_is_told_in_one_sentence(
    browser: Browser, server: ServerProcess, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    command = [sys.executable, str(Path(talkers.__file__)), str(server.log_dir), "doomed-1", str(tmp_path / "returned")]
    trainer = subprocess.Popen(command)
    wait_until(lambda: (tmp_path / "returned").exists() and (tmp_path / "returned").stat().st_size > 10, "epochs came")
    page = watch(browser, server, "/runs/doomed-1")
    expect(page.get_by_text("Running").first).to_be_visible()

    trainer.kill()
    trainer.wait()

    expect(page.get_by_text("Failed").first).to_be_visible(timeout=5_000)
    page.close()


def test_pause_go_on_and_stop_on_the_page_are_heard_and_told(browser: Browser, server: ServerProcess) -> None:
    def train() -> None:
        with ProgressLogger(str(server.log_dir), "obedient", run_id="obedient-1", hears_cancel=True) as logger:
            orders = OrderWatch(logger.log_dir, "obedient-1")
            logger.log_epoch_start(1, 5)
            for step in range(1, 100_000):
                logger.log_step(1, step, 100_000, {"train_loss": 1 / step})
                if (cancel := orders.heed(logger, at_once=True)) is not None:
                    logger.log_training_cancelled(cancel.reason, cancel.by)
                    return
                time.sleep(0.02)

    training = threading.Thread(target=train, daemon=True)
    training.start()
    page = watch(browser, server, "/runs/obedient-1")
    expect(page.get_by_text("Training epoch 1 of 5").first).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("^Paused by")).first).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Training epoch 1 of 5").first).to_be_visible()
    page.get_by_role("button", name="Stop run").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop run").click()
    expect(page.get_by_text(re.compile("^Stopped by .* in epoch 1 of 5")).first).to_be_visible()

    training.join(timeout=10)
    assert not training.is_alive()
    told = httpx.get(f"{server.url}/api/runs/obedient-1/events?after=0").json()["messages"]
    wanted = ("training_paused", "training_resumed", "training_cancelled")
    assert tuple(m["type"] for m in told if m["type"] in wanted) == wanted
    page.close()


def test_a_federated_run_shows_each_hospital_inside_the_round(browser: Browser, server: ServerProcess) -> None:
    start = {"config": {"num_clients": 2, "local_epochs": 2}, "total_rounds": 3}
    whole = FederatedProgressLogger(
        None, log_dir=str(server.log_dir), experiment_name="two-sites", run_id="two-1", run_start=start
    )
    clients = [FederatedProgressLogger(f"client_{i}", log_dir=str(server.log_dir), run_id="two-1") for i in range(2)]
    whole.log_round_start(1, 3)
    for client in clients:
        client.log_round_start(1, 3)
        client.log_local_epoch(1, 1, {"train_loss": 0.6})
    page = watch(browser, server, "/runs/two-1")
    expect(page.get_by_text("client_0").first).to_be_visible()

    clients[0].log_round_end(1, {"train_loss": 0.5, "num_samples": 100}, {"val_loss": 0.4, "num_samples": 50})

    expect(page.get_by_text(re.compile("Sent, waiting for 1")).first).to_be_visible()
    expect(page.get_by_text(re.compile("Training, in time")).first).to_be_visible()
    page.close()
