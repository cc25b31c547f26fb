"""The contract of what wakes a follower, held with inotify and without it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from federated_pneumonia_detection.hub.watch import InotifyWatch, PollingWatch, Watch

KINDS: list[Callable[[], Watch]] = [PollingWatch, *([InotifyWatch] if sys.platform == "linux" else [])]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    made: Watch = request.param()
    yield made
    made.close()


def told(watch: Watch, path: Path, within_s: float = 5) -> bool:
    """Whether a change of the path was told, or that everything is to be looked at."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        changed = watch.wait(0.2)
        if changed is None or str(path) in changed:
            return True
    return False


def test_a_new_file_a_longer_one_and_a_replaced_one_are_told(watch: Watch, tmp_path: Path) -> None:
    assert watch.add(str(tmp_path))
    path = tmp_path / "a.jsonl"

    path.write_bytes(b"one\n")
    assert told(watch, path)
    with path.open("ab") as file:
        file.write(b"two\n")
    assert told(watch, path)
    (tmp_path / "new").write_bytes(b"three\n")
    (tmp_path / "new").rename(path)
    assert told(watch, path)


def test_a_wait_ends_by_itself(watch: Watch, tmp_path: Path) -> None:
    watch.add(str(tmp_path))
    begun = time.monotonic()
    watch.wait(0.05)
    assert time.monotonic() - begun < 2


def test_another_thread_ends_a_wait(watch: Watch, tmp_path: Path) -> None:
    watch.add(str(tmp_path))
    waker = threading.Timer(0.05, watch.wake)
    waker.start()
    begun = time.monotonic()
    watch.wait(30)
    assert time.monotonic() - begun < 10
    waker.join()


def test_waking_after_the_end_is_fine(watch: Watch) -> None:
    watch.close()
    watch.wake()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's own")
def test_a_directory_that_is_not_there_cannot_be_watched_yet(tmp_path: Path) -> None:
    watch = InotifyWatch()
    assert not watch.add(str(tmp_path / "later"))
    (tmp_path / "later").mkdir()
    assert watch.add(str(tmp_path / "later"))
    watch.close()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_inotify_wakes_nobody_for_what_nobody_wants_to_hear_of(tmp_path: Path) -> None:
    watch = InotifyWatch((".jsonl",))
    try:
        watch.add(str(tmp_path))
        (tmp_path / ".1.tmp").write_bytes(b"x")
        (tmp_path / ".1.tmp").rename(tmp_path / "run.json")
        (tmp_path / ".hidden.jsonl").write_bytes(b"x")
        begun = time.monotonic()
        assert watch.wait(0.2) == set()
        assert time.monotonic() - begun >= 0.19
        (tmp_path / "run.json").write_bytes(b"y")
        (tmp_path / "run.jsonl").write_bytes(b"x")
        assert watch.wait(5) == {str(tmp_path / "run.jsonl")}
    finally:
        watch.close()
