"""What a person sees of many hospitals: each local epoch while its round is open; a hundred of them on one board."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect
from server_process import ServerProcess

from federated_pneumonia_detection.progress import FederatedProgressLogger

pytestmark = pytest.mark.browser


def hospitals(server: ServerProcess, clients: int, rounds: int, local_epochs: int) -> list[FederatedProgressLogger]:
    """The loggers of a run: its server's, then its hospitals'."""
    config = {"num_clients": clients, "num_rounds": rounds, "local_epochs": local_epochs}
    data = {"name": "drawn", "splits": {"train": {"n": 10 * clients}, "val": {"n": 40, "normal": 20, "pneumonia": 20}}}
    begun = {"config": config, "data": data, "total_rounds": rounds}
    log_dir = str(server.log_dir)
    return [
        FederatedProgressLogger(None, log_dir, "many", run_id="many", run_start=begun),
        *(FederatedProgressLogger(f"client_{number}", log_dir, "many", run_id="many") for number in range(clients)),
    ]


def train(client: FederatedProgressLogger, round_num: int, rounds: int, local_epochs: int) -> None:
    client.log_round_start(round_num, rounds)
    for epoch in range(1, local_epochs + 1):
        client.log_local_epoch(round_num, epoch, {"train_loss": 1 / (round_num + epoch)})
    moved = {"bytes_down": 1000, "bytes_up": 900}
    client.log_round_end(round_num, {"train_loss": 0.5, "num_samples": 10}, {"val_loss": 0.4}, **moved)


def test_all_local_epochs_stand_on_the_page_before_their_round_is_aggregated(
    browser: Browser, server: ServerProcess
) -> None:
    leader, *clients = hospitals(server, 8, 3, 5)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{server.url}/runs/many")
    for round_num in (1, 2, 3):
        leader.log_round_start(round_num, 3)
        for epoch in range(1, 6):
            for client in clients:
                if epoch == 1:
                    client.log_round_start(round_num, 3)
                client.log_local_epoch(round_num, epoch, {"train_loss": 1 / (round_num + epoch)})
            # Nobody has sent, nothing is aggregated: what stands there comes from inside the round.
            expect(page.get_by_text(f"{epoch} of 5 epochs", exact=True)).to_have_count(8)
        for client in clients:
            client.log_round_end(round_num, {"train_loss": 0.5, "num_samples": 10}, {"val_loss": 0.4})
        leader.log_round_aggregated(round_num, {"val_loss": 0.4, "val_auroc": 0.9}, 8, [])
        expect(page.get_by_text(f"aggregated: AUROC 0.900, loss 0.400, {8} of 8 sent")).to_have_count(round_num)
    for logger in (leader, *clients):
        logger.close()
    page.close()


def test_a_hundred_hospitals_come_in_one_request_and_fit_the_window(browser: Browser, server: ServerProcess) -> None:
    leader, *clients = hospitals(server, 100, 3, 1)
    for round_num in (1, 2, 3):
        leader.log_round_start(round_num, 3)
        for client in clients:
            train(client, round_num, 3, 1)
        leader.log_round_aggregated(round_num, {"val_loss": 0.4, "val_auroc": 0.9}, 100, [])
    leader.log_training_complete({"total_rounds": 3})
    for logger in (leader, *clients):
        logger.close()

    page = browser.new_page(viewport={"width": 1440, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
    page.goto(f"{server.url}/runs/many")
    expect(page.get_by_text("100 of 100", exact=True)).to_be_visible(timeout=30_000)
    expect(page.get_by_text("570 kB", exact=True)).to_be_visible()
    assert asked.count("/api/runs/many/page") == 1
    assert not any("/series" in url for url in asked)

    board = page.get_by_role("grid", name="Hospitals by rounds")
    box = page.locator(".board").bounding_box()
    assert box is not None
    assert box["height"] < 800
    expect(page.locator("#cell-99-0")).to_have_count(0)
    board.focus()
    for _ in range(99):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#cell-99-0")).to_have_attribute("data-active", "true")
    expect(page.locator(".board-names").get_by_text("client_99")).to_be_in_viewport()
    expect(page.get_by_text("Received 1 kB, sent 900 B.")).to_be_visible()
    page.close()
