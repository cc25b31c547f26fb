"""The Compare screen on the real server: two runs on one axis, one of them live, the address holding all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger

pytestmark = pytest.mark.browser

SPLITS = {"train": {"n": 1000}, "val": {"n": 524, "normal": 135, "pneumonia": 389}}
DATA = {"name": "PneumoniaMNIST", "digest": "0" * 12, "phantom": False, "splits": SPLITS}


def one_machine(log_dir: Path, run_id: str, learning_rate: float, values: list[float]) -> None:
    start = {"config": {"learning_rate": learning_rate, "seed": 7}, "data": DATA, "total_epochs": len(values)}
    with ProgressLogger(log_dir, run_id, run_id=run_id, run_start=start) as logger:
        for epoch, value in enumerate(values, 1):
            logger.log_epoch_start(epoch, len(values))
            logger.log_epoch_end(epoch, {"val_auroc": value, "val_recall": value}, phase="val")
        logger.log_training_complete({"total_epochs": len(values), "best_epoch": len(values)})


def test_runs_ticked_in_the_list_are_compared_while_one_goes_on(browser: Browser, server: ServerProcess) -> None:
    one_machine(server.log_dir, "alone", 0.1, [0.9, 0.95, 0.97])
    start = {"config": {"num_clients": 2, "local_epochs": 1, "seed": 7}, "data": DATA, "total_rounds": 3}
    whole = FederatedProgressLogger(None, server.log_dir, "sites", run_id="sites", run_start=start)
    sites = [FederatedProgressLogger(f"site_{i}", server.log_dir, run_id="sites") for i in range(2)]

    def one_round(number: int, value: float) -> None:
        for site in sites:
            site.log_round_start(number, 3)
            site.log_round_end(number, {"num_samples": 500}, {"num_samples": 262})
        whole.log_round_aggregated(number, {"val_auroc": value, "num_samples": 524}, 2, [])

    one_round(1, 0.8)
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page.goto(server.url)
    expect(page.get_by_text("Compare: pick two")).to_be_visible()
    page.get_by_role("checkbox", name="Compare alone").check()
    page.get_by_role("checkbox", name="Compare sites").check()
    page.get_by_role("link", name="Compare 2 runs").click()

    sentence = page.locator(".status-sentence")
    expect(sentence).to_contain_text("After the same 1,000 images, sites is 0.100 below alone in validation AUROC")
    one_round(2, 0.96)  # the live run grows on the page
    expect(sentence).to_contain_text("After the same 2,000 images, sites is 0.010 above alone")
    expect(sentence).to_contain_text("it holds no difference")
    differs = page.get_by_role("region", name="What differs in the set-up")
    expect(differs.get_by_role("row", name="learning rate")).to_be_visible()
    expect(differs.get_by_role("row", name="seed")).to_have_count(0)
    expect(page.get_by_role("radio", name="Rounds")).to_be_disabled()

    page.get_by_text("Time", exact=True).click()
    page.get_by_role("slider", name="Validation AUROC").press("Home")
    page.wait_for_url("**/compare?*x=seconds*")
    page.wait_for_url("**/compare?*at=*")
    at = page.get_by_role("region", name="At the cursor").text_content()
    page.reload()  # the address holds runs, axis and cursor
    expect(page.get_by_role("radio", name="Time")).to_be_checked()
    expect(page.get_by_role("region", name="At the cursor")).to_have_text(at or "")

    page.get_by_role("button", name="Take alone out").click()
    expect(sentence).to_contain_text("Add a second run")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.close()
    for logger in (*sites, whole):
        logger.close()
