"""From a logger's call to a viewer's frame, through each kind of store, woken and polling."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import Hub, RunActive, UnknownRun
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger
from federated_pneumonia_detection.progress.messages import RunEdited, RunQueued

MakeHub = Callable[..., Hub]


def train(logger: ProgressLogger, epochs: int, *, first: int = 1, steps: int = 3) -> None:
    for epoch in range(first, epochs + 1):
        logger.log_epoch_start(epoch, epochs)
        for step in range(1, steps + 1):
            logger.log_step(epoch, step, steps, {"train_loss": 1 / (epoch + step)})
        logger.log_epoch_end(epoch, {"train_loss": 1 / epoch}, "train")
        logger.log_epoch_end(epoch, {"val_auroc": 1 - 0.1 / epoch}, "val")


async def test_a_viewer_that_is_there_gets_every_message_in_order_once(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        with ProgressLogger(log_dir, "exp", run_id="run") as logger:
            train(logger, 5)
            logger.log_training_complete({"test_auroc": 0.9})
        await until(lambda: seen.of("training_complete"), "the run has ended")

    assert seen.messages[0]["type"] == "subscribed"
    assert seen.messages[0]["recovered"] is True
    assert seen.offsets == list(range(1, 1 + 1 + 5 * 3 + 1))
    assert {message["run_id"] for message in seen.messages[1:]} == {"run"}
    assert [(m["epoch"], m["phase"]) for m in seen.of("epoch_end")] == [
        (epoch, phase) for epoch in range(1, 6) for phase in ("train", "val")
    ]
    rows = [message["row"] for message in seen.of("step")]
    assert rows == sorted(rows)
    assert rows[-1] == 15


async def test_without_a_cursor_the_present_state_of_each_active_run_comes_first(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    over = ProgressLogger(log_dir, "over", run_id="over")
    train(over, 1)
    over.log_training_complete({})
    over.close()
    active = ProgressLogger(log_dir, "active", run_id="active")
    train(active, 4)
    hub = make_hub()
    await until(lambda: hub.top == 5 + 13, "all was read")

    async with watching(hub) as seen:
        await until(lambda: len(seen.messages) >= 6, "the present state came")
        active.log_epoch_start(5, 5)
        await until(lambda: seen.messages[-1].get("epoch") == 5, "live followed")

    assert [(m["type"], m.get("epoch"), m.get("phase")) for m in seen.messages[1:]] == [
        ("run_start", None, None),
        ("epoch_start", 4, None),
        ("step", 4, "train"),
        ("epoch_end", 4, "train"),
        ("epoch_end", 4, "val"),
        ("epoch_start", 5, None),
    ]
    active.close()


async def test_a_cursor_goes_on_where_it_was_also_after_a_restart(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    logger = ProgressLogger(log_dir, "exp", run_id="run")
    train(logger, 3)
    await until(lambda: hub.top == 10, "all was read")
    async with watching(hub, after=0) as before:
        await until(lambda: len(before.offsets) == 10, "all came")
    log_id = hub.log_id
    hub.close()
    train(logger, 6, first=4)
    hub = make_hub()

    async with watching(hub, after=7, log_id=log_id) as seen:
        await until(lambda: seen.offsets[-1:] == [19], "all came")

    survives = make_hub.kind == "sqlite"  # type: ignore[attr-defined]
    assert seen.messages[0]["recovered"] is survives
    assert seen.offsets == list(range(8 if survives else 1, 20))
    logger.close()


async def test_a_run_and_a_client_can_be_watched_alone(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    async with watching(hub, run_id="run", client_id="client_1", after=0) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        for number in range(3):
            with FederatedProgressLogger(f"client_{number}", log_dir, "exp", run_id="run") as logger:
                logger.log_round_start(1, 1)
                logger.log_round_end(1, {"train_loss": 0.5}, {"val_loss": 0.5})
        with ProgressLogger(log_dir, "exp", run_id="another") as other:
            train(other, 1)
        await until(lambda: hub.top >= 6 + 4 and seen.of("round_end"), "all was read")

    assert [(m["type"], m["client_id"]) for m in seen.messages[1:]] == [
        ("round_start", "client_1"),
        ("round_end", "client_1"),
    ]


async def test_any_order_of_disconnects_and_resumes_gives_each_lifecycle_message_once_in_order(
    make_hub: MakeHub, log_dir: Path, until: Any
) -> None:
    rng = random.Random(7)
    hub = make_hub()
    loggers = [ProgressLogger(log_dir, "exp", run_id=f"run-{number}") for number in range(3)]
    got: list[dict[str, Any]] = []
    cursor, log_id = 0, None
    for turn in range(25):
        for logger in loggers:
            for number in range(rng.randrange(4)):
                logger.log_custom_event("said", {"turn": turn, "number": number})
                logger.log_step(turn + 1, number + 1, 9, {"train_loss": 0.5})
        subscription = hub.subscribe(after=cursor, log_id=log_id)
        stop_after = rng.randrange(8)
        try:
            async with asyncio.timeout(0.02 + rng.random() * 0.03):
                async for frame in subscription:
                    message = json.loads(frame)
                    if message["type"] == "subscribed":
                        assert message["recovered"]
                        log_id = message["log_id"]
                    elif "offset" in message:
                        got.append(message)
                        cursor = message["offset"]
                        stop_after -= 1
                        if stop_after < 0:
                            break
        except TimeoutError:
            pass
        subscription.close()
    await until(lambda: sum(j.reader.n for j in hub._follower.journals()) > 0, "journals were read")
    total = sum(len(list(_said(log_dir, f"run-{number}"))) for number in range(3))
    async with asyncio.timeout(20):
        subscription = hub.subscribe(after=cursor, log_id=log_id)
        while len([m for m in got if m["type"] == "said"]) < total:
            message = json.loads(await anext(subscription))
            if "offset" in message:
                got.append(message)
        subscription.close()

    assert [message["offset"] for message in got] == list(range(1, len(got) + 1))
    for number in range(3):
        said = [
            (m["data"]["turn"], m["data"]["number"])
            for m in got
            if m["type"] == "said" and m["run_id"] == f"run-{number}"
        ]
        assert said == list(_said(log_dir, f"run-{number}"))
    for logger in loggers:
        logger.close()


def _said(log_dir: Path, run_id: str) -> Any:
    for line in (log_dir / f"{run_id}.jsonl").read_text().splitlines():
        message = json.loads(line)
        if message["type"] == "said":
            yield message["data"]["turn"], message["data"]["number"]


async def test_a_copied_a_replaced_and_a_truncated_journal_change_nothing(
    make_hub: MakeHub, log_dir: Path, tmp_path: Path, until: Any
) -> None:
    hub = make_hub()
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        train(logger, 3)
        logger.log_training_complete({})
    await until(lambda: hub.top == 11, "all was read")
    journal = log_dir / "run.jsonl"
    other = tmp_path / "copies"
    other.mkdir()
    shutil.copy(journal, other / "copy.jsonl")
    shutil.copy(journal, log_dir / "copy.jsonl")
    hub.follow(str(other))
    (tmp_path / "new").write_bytes(journal.read_bytes())
    (tmp_path / "new").replace(journal)
    await until(lambda: len(hub._follower.journals()) == 3, "the copies were found")
    journal.write_bytes(journal.read_bytes()[:600])
    with ProgressLogger(log_dir, "exp", run_id="later") as later:
        later.log_custom_event("said", 1)
    await until(lambda: hub.top >= 13, "the later run was read")

    page = hub.events(run_id="run", after=0, limit=100)
    assert [json.loads(m)["offset"] for m in page.messages if b'"offset"' in m] == list(range(1, 12))
    assert len(hub.series("run")["steps"][0]["row"]) == 9


async def test_a_broadcast_interval_merges_steps_and_keeps_lifecycle_messages(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        logger = ProgressLogger(log_dir, "exp", run_id="run", broadcast_interval=0.3)
        for step in range(1, 101):
            logger.log_step(1, step, 100, {"train_loss": 0.5})
        logger.log_epoch_end(1, {}, "train")
        logger.log_epoch_end(1, {}, "val")
        await until(lambda: len(seen.of("epoch_end")) == 2, "both phases came")
        logger.log_training_complete({})
        await until(lambda: seen.of("training_complete"), "the end came")

    assert len(seen.of("step")) < 10
    assert seen.of("step")[-1]["row"] == 100
    assert seen.offsets == [1, 2, 3, 4]
    assert hub.series("run")["steps"][0]["row"] == list(range(1, 101))
    logger.close()


async def test_a_viewer_that_takes_nothing_is_bounded_and_sent_away_and_the_others_go_on(
    make_hub: MakeHub, log_dir: Path, watching: Any, until: Any
) -> None:
    hub = make_hub()
    slow = hub.subscribe()
    async with watching(hub) as seen:
        await until(lambda: seen.messages, "it was subscribed")
        logger = ProgressLogger(log_dir, "exp", run_id="run")
        await anext(slow)
        for _ in range(300):
            logger.log_custom_event("said", "x" * 10_000)
        await until(lambda: len(seen.of("said")) == 300, "the other viewer got all")
        await until(lambda: slow.too_slow, "the slow one was sent away")
        assert slow.untaken == 0
        with pytest.raises(StopAsyncIteration):
            await anext(slow)
    logger.close()


async def test_a_page_is_limited_and_its_newest_steps_ride_along(make_hub: MakeHub, log_dir: Path, until: Any) -> None:
    hub = make_hub()
    logger = ProgressLogger(log_dir, "exp", run_id="run")
    train(logger, 3)
    await until(lambda: hub.top == 10, "all was read")

    page = hub.events(run_id="run", after=0, limit=4)
    at_top = hub.events(run_id="run", after=10, log_id=hub.log_id)
    foreign = hub.events(run_id="run", after=10, log_id="another")

    messages = [json.loads(message) for message in page.messages]
    assert [m["offset"] for m in messages if "offset" in m] == [1, 2, 3, 4]
    assert [m["row"] for m in messages if m["type"] == "step"] == [9]
    assert (page.top, page.recovered) == (10, True)
    assert [json.loads(m)["type"] for m in at_top.messages] == ["step"]
    assert foreign.recovered is False
    assert len(foreign.messages) == 11
    logger.close()


async def test_the_whole_run_as_document_series_and_export(make_hub: MakeHub, log_dir: Path, until: Any) -> None:
    hub = make_hub()
    with ProgressLogger(log_dir, "exp", run_id="run") as logger:
        train(logger, 2)
        await until(lambda: hub.top == 7, "all was read")
        _, first = hub.document("run")
        logger.log_training_complete({"test_auroc": 0.9})
    await until(lambda: hub.top == 8, "the end was read")

    body, etag = hub.document("run")
    document = json.loads(body)
    series = hub.series("run", metric="train_loss")
    rows = b"".join(hub.export("run", "csv")).decode().splitlines()

    assert etag != first
    assert etag == hub.document("run")[1]
    assert [message["offset"] for message in document["epochs"]] == list(range(1, 9))
    assert document["metadata"]["status"] == "completed"
    assert document["current_epoch"] == 2
    assert series["steps"][0]["row"] == [1, 2, 3, 4, 5, 6]
    assert series["steps"][0]["metrics"]["train_loss"][0] == 0.5
    assert [each["phase"] for each in series["epochs"]] == ["train", "val"]
    assert rows[0].startswith("run_id,client_id,type,phase,epoch,round,local_epoch,step,row,offset,timestamp,")
    assert len(rows) == 1 + 6 + 4
    assert len(b"".join(hub.export("run", "jsonl")).splitlines()) == 8 + 6
    with pytest.raises(UnknownRun):
        hub.document("another")


async def test_what_the_hub_says_is_in_the_log_and_in_its_journal(make_hub: MakeHub, log_dir: Path, until: Any) -> None:
    hub = make_hub()
    hub.expect("later", experiment_name="exp", mode="centralized", total=7)
    known = hub.run("later")
    hub.say("later", RunQueued("centralized", "exp", "centralized", total_epochs=7))
    hub.say("later", RunEdited(name="a better name", tags=["one"]))
    await until(lambda: hub.top == 2, "it was read back")

    state = hub.run("latest")
    assert known is not None
    assert (known.status, known.total_epochs) == ("queued", 7)
    assert state is not None
    assert (state.run_id, state.status, state.name, state.tags) == ("later", "queued", "a better name", ("one",))
    assert (log_dir / "later.hub.jsonl").exists()


async def test_an_ended_run_is_deleted_with_its_files_and_an_active_one_is_not(
    make_hub: MakeHub, log_dir: Path, until: Any
) -> None:
    hub = make_hub()
    logger = ProgressLogger(log_dir, "exp", run_id="run")
    train(logger, 1)
    await until(lambda: hub.top == 4, "all was read")
    with pytest.raises(RunActive, match="running"):
        hub.forget("run")
    logger.log_training_complete({})
    logger.close()
    await until(lambda: hub.top == 5, "the end was read")

    hub.forget("run")

    assert hub.run("run") is None
    assert list(log_dir.glob("run*.json*")) == []
    with pytest.raises(UnknownRun):
        hub.forget("run")


async def test_a_database_deleted_while_in_use_is_rebuilt_and_viewers_are_told(
    log_dir: Path, tmp_path: Path, watching: Any, until: Any
) -> None:
    hub = Hub(SqlStore(f"sqlite:///{tmp_path / 'hub.sqlite3'}"))
    hub.follow(str(log_dir))
    hub.start()
    logger = ProgressLogger(log_dir, "exp", run_id="run")
    train(logger, 2)
    await until(lambda: hub.top == 7, "all was read")
    async with watching(hub, after=0) as seen:
        await until(lambda: len(seen.offsets) == 7, "all came")
        log_id = hub.log_id
        (tmp_path / "hub.sqlite3").unlink()
        await until(lambda: len(seen.of("subscribed")) == 2, "the viewer was told")
        await until(lambda: seen.offsets[-1] == 7 and len(seen.offsets) == 14, "everything came again")
        logger.log_custom_event("said", 1)
        await until(lambda: seen.of("said"), "it goes on")

    again = seen.of("subscribed")[1]
    assert again["recovered"] is False
    assert again["log_id"] == hub.log_id != log_id
    assert seen.offsets == [*range(1, 8), *range(1, 9)]
    logger.close()
    hub.close()
