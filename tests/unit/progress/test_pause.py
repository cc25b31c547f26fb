from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

from federated_pneumonia_detection.progress import orders
from federated_pneumonia_detection.progress.cancel import clear, request_cancel
from federated_pneumonia_detection.progress.orders import OrderWatch
from federated_pneumonia_detection.progress.pause import go_on, pause_of, pause_path, request_pause, resumed_by


class Told:
    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []
        self.waits = threading.Event()

    def log_training_paused(self, reason: str | None = None, by: str | None = None) -> None:
        self.said.append(("paused", str(reason), str(by)))
        self.waits.set()

    def log_training_resumed(self, by: str | None = None) -> None:
        self.said.append(("resumed", str(by)))


def test_whoever_asked_first_is_who_asked(tmp_path: Path) -> None:
    request_pause(tmp_path, "run", reason="the night shift needs the card", by="anna")
    request_pause(tmp_path, "run", by="bert")
    found = pause_of(tmp_path, "run")
    assert found is not None
    assert (found.reason, found.by) == ("the night shift needs the card", "anna")


def test_who_takes_it_away_is_known_afterwards(tmp_path: Path) -> None:
    assert not go_on(tmp_path, "run", by="bert"), "nobody asked it to wait"
    request_pause(tmp_path, "run", by="anna")
    asked = pause_of(tmp_path, "run")
    assert asked is not None
    assert go_on(tmp_path, "run", by="bert")
    assert pause_of(tmp_path, "run") is None
    assert resumed_by(tmp_path, "run", asked) == "bert"


def test_a_word_of_an_earlier_pause_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    request_pause(tmp_path, "run")
    go_on(tmp_path, "run", by="bert")
    request_pause(tmp_path, "run")
    second = pause_of(tmp_path, "run")
    assert second is not None
    pause_path(tmp_path, "run").unlink()
    assert resumed_by(tmp_path, "run", second) is None


def test_a_file_made_by_hand_means_the_same(tmp_path: Path) -> None:
    pause_path(tmp_path, "run").write_text("please")
    found = pause_of(tmp_path, "run")
    assert found is not None
    assert found.by is None


def test_a_run_that_ends_leaves_no_request_behind(tmp_path: Path) -> None:
    request_pause(tmp_path, "run")
    go_on(tmp_path, "run")
    request_pause(tmp_path, "run")
    request_cancel(tmp_path, "run")
    clear(tmp_path, "run")
    assert list(tmp_path.iterdir()) == []


def test_heeding_waits_until_the_request_is_taken_back(tmp_path: Path) -> None:
    request_pause(tmp_path, "run", reason="lunch", by="anna")
    told, watch = Told(), OrderWatch(tmp_path, "run")
    waiter = threading.Thread(target=watch.heed, args=(told,))
    waiter.start()
    assert told.waits.wait(10)
    assert waiter.is_alive()
    go_on(tmp_path, "run", by="bert")
    waiter.join(10)
    assert not waiter.is_alive()
    assert told.said == [("paused", "lunch", "anna"), ("resumed", "bert")]
    assert watch.waited_s > 0


def test_a_request_to_stop_is_heard_in_the_middle_of_a_pause(tmp_path: Path) -> None:
    request_pause(tmp_path, "run")
    told, watch = Told(), OrderWatch(tmp_path, "run")
    found: list[object] = []
    waiter = threading.Thread(target=lambda: found.append(watch.heed(told)))
    waiter.start()
    assert told.waits.wait(10)
    request_cancel(tmp_path, "run", by="carla")
    waiter.join(10)
    assert [getattr(one, "by", None) for one in found] == ["carla"]
    assert [one[0] for one in told.said] == ["paused"], "how it ended is said by whoever ends it"


def test_it_looks_at_the_disk_once_in_50_ms_unless_told_to_look_at_once(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    now, looks = [100.0], []
    monkeypatch.setattr(orders.time, "monotonic", lambda: now[0])
    watch = OrderWatch(tmp_path, "run")
    monkeypatch.setattr(watch, "_pause_path", SimpleNamespace(stat=lambda: looks.append(now[0])))
    for at_once in (False, False, True):
        watch.heed(None, at_once=at_once)
    now[0] += 0.06
    watch.heed(None)
    assert len(looks) == 3
