"""A run played from its log: any instant by its URL, and an end that is the live one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import ProgressLogger

pytestmark = pytest.mark.browser


@pytest.fixture
def run(server: ServerProcess) -> str:
    """A run of four epochs with steps, ended."""
    with ProgressLogger(log_dir=str(server.log_dir), experiment_name="played", run_id="played-1") as logger:
        for epoch in range(1, 5):
            logger.log_epoch_start(epoch, 4)
            for step in range(1, 6):
                logger.log_step(epoch, step, 5, {"train_loss": 1 / (epoch + step)})
            logger.log_epoch_end(epoch, {"train_loss": 1 / epoch})
            logger.log_epoch_end(epoch, {"val_loss": 1 / epoch, "val_auroc": 1 - 0.5 / epoch}, phase="val")
        logger.log_training_complete({"total_epochs": 4, "best_epoch": 4})
    return "played-1"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


def expect_end_equal_to_live(page: Page) -> None:
    end = page.locator(".player-end")
    expect(end).to_have_text("The end: equal to live", timeout=20_000)
    digest = end.get_attribute("data-replayed")
    assert digest and re.fullmatch("[0-9a-f]{16}", digest)
    assert digest == end.get_attribute("data-live")


def test_a_run_plays_to_an_end_that_equals_the_live_one(server: ServerProcess, run: str, page: Page) -> None:
    page.goto(f"{server.url}/runs/{run}")
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=20_000)

    page.get_by_role("button", name="Replay").click()
    expect(page.locator("main").get_by_text("Finished")).to_have_count(0, timeout=20_000)
    page.get_by_label("Speed").select_option("max")
    page.get_by_role("button", name="Play", exact=True).click()

    expect_end_equal_to_live(page)
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=20_000)
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Replay")).to_have_count(0)
    assert "at=" not in page.url


def test_a_url_points_at_an_instant_and_keys_move_from_it(server: ServerProcess, run: str, page: Page) -> None:
    told = page.request.get(f"{server.url}/api/runs/{run}/events?after=0").json()["messages"]
    third = next(m["offset"] for m in told if m["type"] == "epoch_start" and m["epoch"] == 3)
    page.goto(f"{server.url}/runs/{run}?at={third}")

    expect(page.get_by_text(re.compile("epoch 3 of 4", re.I)).first).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Stop run")).to_have_count(0)
    slider = page.get_by_role("slider", name="Moment of the run")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^epoch 2"))
    page.keyboard.press("End")
    expect_end_equal_to_live(page)
