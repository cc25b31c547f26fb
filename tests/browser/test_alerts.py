"""What the page tells of runs: by the browser's notifications, and in the list of alerts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import ProgressLogger

pytestmark = pytest.mark.browser

NOTIFICATIONS = """
window.asked = 0;
window.told = [];
window.Notification = class {
  static permission = "default";
  static requestPermission() {
    window.asked += 1;
    this.permission = "granted";
    return Promise.resolve("granted");
  }
  constructor(title, options) { window.told.push(`${title}: ${options.body}`); }
  close() {}
};
"""


def test_a_failure_is_told_by_the_browser_after_a_click_and_counted_until_it_was_shown(
    browser: Browser, server: ServerProcess
) -> None:
    page = browser.new_page()
    page.add_init_script(NOTIFICATIONS)
    with ProgressLogger(str(server.log_dir), "baseline", run_id="a-run") as logger:
        logger.log_epoch_start(1, 3)
        page.goto(f"{server.url}/settings")
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        assert page.evaluate("window.asked") == 0
        # The switch lies under its drawing; its label is what is clicked.
        page.get_by_role("switch", name="Notifications").check(force=True)
        expect(page.get_by_role("checkbox", name="a run has failed")).to_be_checked()
        assert page.evaluate("window.asked") == 1
        # Without another load, so that what was granted stays: the run is known to go on.
        page.get_by_role("link", name="Runs", exact=True).click()
        expect(page.get_by_role("link", name="baseline")).to_be_visible()
        logger.log_training_error("out of memory")
    page.wait_for_function("window.told.length > 0")
    (told,) = page.evaluate("window.told")
    assert told.startswith("baseline failed: ") and "out of memory" in told and "Rule: failed" in told

    page.reload()
    alerts = page.get_by_role("navigation").get_by_role("link", name="Alerts")
    expect(alerts).to_contain_text("1 need attention", timeout=20_000)
    alerts.click()
    expect(page.get_by_text("The training failed")).to_be_visible()
    expect(alerts).not_to_contain_text("need attention")
    page.close()


def test_an_operator_makes_a_rule_and_sees_what_it_finds(browser: Browser, server: ServerProcess) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/alerts")
    page.get_by_label("Tell when").fill("better than ever")
    page.get_by_role("button", name="Make the rule").click()
    expect(page.get_by_text("is no rule")).to_be_visible()
    page.get_by_label("Tell when").fill("val_auroc>0.9")
    page.get_by_role("button", name="Make the rule").click()
    expect(page.get_by_role("button", name="Remove the rule val_auroc > 0.9")).to_be_visible()

    with ProgressLogger(str(server.log_dir), "baseline", run_id="a-run") as logger:
        logger.log_epoch_end(1, {"val_auroc": 0.91}, "val")
        expect(page.get_by_text("Validation AUROC 0.910 at epoch 1")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("by the rule val_auroc > 0.9")).to_be_visible()
    page.get_by_role("button", name="Remove the rule val_auroc > 0.9").click()
    expect(page.get_by_text("No rule yet.")).to_be_visible()
    page.close()
