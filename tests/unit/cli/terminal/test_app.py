"""The full screen over a directory of journals, driven by keys."""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import OptionList

from federated_pneumonia_detection.cli.terminal.app import KEYS, Ask, Help, RunScreen, RunsScreen, WatchApp
from federated_pneumonia_detection.cli.terminal.sources import Directory
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.cancel import cancel_path

# Textual's own loop leaves what it never awaits to the garbage collector when an application ends in the middle.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


async def _until(pilot, is_so):
    for _ in range(1200):
        if is_so():
            return
        await pilot.pause(0.025)
    raise AssertionError(f"it never came; shown:\n{_shown(pilot.app)}")


def _shown(app):
    height = app.size.height
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines[:height])


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_run_is_opened_read_and_left(centralized_run, federated_run, size):
    centralized_run()
    app = WatchApp(Directory(federated_run()))
    async with app.run_test(size=size) as pilot:
        await _until(pilot, lambda: "run-f" in _shown(app) or "federated" in _shown(app))
        assert "2 runs, 0 live" in _shown(app)
        app.screen.query_one(OptionList).highlighted = 0
        await pilot.press("enter")
        await _until(pilot, lambda: isinstance(app.screen, RunScreen) and "Finished" in _shown(app))
        await _until(pilot, lambda: "●" in _shown(app) and "complete" in _shown(app))
        await pilot.press("escape")
        await _until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("q")
    assert app.return_value == 0


async def test_a_federated_run_shows_each_hospital(federated_run):
    app = WatchApp(Directory(federated_run()), "run-f")
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "client_1" in _shown(app) and "Finished" in _shown(app))
        assert "global model" in _shown(app)
        await pilot.resize_terminal(200, 50)
        await _until(pilot, lambda: "╭─ client_1 " in _shown(app))


async def test_a_filter_leaves_what_fits(centralized_run, federated_run):
    centralized_run()
    app = WatchApp(Directory(federated_run()))
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "2 runs" in _shown(app))
        await pilot.press("slash", *"pneum")
        await _until(pilot, lambda: "1 run, 0 live, with “pneum”" in _shown(app))
        await pilot.press("escape")
        await _until(pilot, lambda: "2 runs" in _shown(app))
        await pilot.press("slash", *"nothing")
        await _until(pilot, lambda: "No run fits" in _shown(app))


async def test_a_stop_asks_first_and_is_left_beside_the_journal(tmp_path):
    with ProgressLogger(str(tmp_path), "pneumonia", run_id="live") as logger:
        logger.log_epoch_start(1, 3)
        app = WatchApp(Directory(tmp_path), "live")
        async with app.run_test(size=(80, 24)) as pilot:
            await _until(pilot, lambda: "epoch 1 of 3" in _shown(app))
            await pilot.press("S")
            await _until(pilot, lambda: isinstance(app.screen, Ask) and "Stop pneumonia?" in _shown(app))
            await pilot.press("n")
            await _until(pilot, lambda: isinstance(app.screen, RunScreen))
            assert not cancel_path(tmp_path, "live").exists()
            await pilot.press("S", "y")
            await _until(pilot, cancel_path(tmp_path, "live").exists)


async def test_what_has_ended_is_not_stopped(centralized_run):
    app = WatchApp(Directory(centralized_run()), "run-a")
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "Finished" in _shown(app))
        await pilot.press("S")
        await _until(pilot, lambda: any("has ended already" in each.message for each in app._notifications))


async def test_the_question_mark_lists_every_key(tmp_path):
    app = WatchApp(Directory(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await _until(pilot, lambda: "No runs yet" in _shown(app))
        await pilot.press("question_mark")
        await _until(pilot, lambda: isinstance(app.screen, Help))
        shown = _shown(app)
        assert all(does in shown for _, does in KEYS)
        await pilot.press("escape")
        await _until(pilot, lambda: isinstance(app.screen, RunsScreen))


@pytest.mark.parametrize("size", [(20, 10), (40, 12), (300, 80)])
async def test_any_size_is_drawn(federated_run, size):
    app = WatchApp(Directory(federated_run()), "run-f")
    async with app.run_test(size=size) as pilot:
        await _until(pilot, lambda: "Finished" in _shown(app))
        await pilot.press("ctrl+c")
        await asyncio.sleep(0)
    assert app.return_value == 130
