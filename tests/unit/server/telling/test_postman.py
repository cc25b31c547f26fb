"""What waits for a target is brought together, in its own time, and a target in trouble is tried again."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from federated_pneumonia_detection.server.telling import postman
from federated_pneumonia_detection.server.telling.memory import Notice
from federated_pneumonia_detection.server.telling.postman import Postman, together


def notice(key: str, level: str = "info", since: float = 1e12) -> Notice:
    return Notice(key, f"title {key}", f"body {key}", level, ("a",), since)


class Recorder:
    """A target that fails as often as it is told to."""

    name, service = "a", "test"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.tried = threading.Semaphore(0)
        self.got: list[tuple[str, str, str]] = []

    def send(self, title: str, body: str, level: str) -> None:
        self.tried.release()
        if self.failures:
            self.failures -= 1
            raise OSError("nobody is at home")
        self.got.append((title, body, level))


class Box:
    """What waits, for one target."""

    def __init__(self, *notices: Notice) -> None:
        self.notices = list(notices)
        self.emptied = threading.Event()

    def waiting(self, target: str) -> list[Notice]:
        return list(self.notices)

    def taken(self, target: str, taken: Sequence[Notice]) -> None:
        self.notices = [each for each in self.notices if each not in taken]
        if not self.notices:
            self.emptied.set()


def brought(target: Recorder, box: Box) -> Postman:
    made = Postman(target, waiting=box.waiting, taken=box.taken, quiet=None)
    made.start()
    made.wake()
    assert box.emptied.wait(20)
    made.close(20)
    return made


def test_one_thing_is_told_as_it_is() -> None:
    assert together([notice("1", "error")]) == ("title 1", "body 1", "error")


def test_many_things_are_one_message_of_the_worst_level_and_the_rest_is_counted() -> None:
    title, body, level = together([notice(str(i), "warning" if i == 3 else "info") for i in range(23)])
    assert (title, level) == ("23 things happened", "warning")
    assert "title 19" in body and "title 20" not in body and "and 3 more" in body


def test_what_waits_is_brought_together() -> None:
    target = Recorder()
    made = brought(target, Box(notice("1"), notice("2")))
    assert [title for title, _, _ in target.got] == ["2 things happened"]
    assert (made.told, made.refused, made.trouble) == (2, 0, None)


def test_a_target_that_does_not_take_it_is_tried_again_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postman, "FIRST_WAIT_S", 0.01)
    target = Recorder(failures=3)
    made = brought(target, Box(notice("1")))
    assert (len(target.got), made.told, made.refused, made.trouble) == (1, 1, 3, None)


def test_why_a_target_does_not_take_anything_is_known_while_it_is_so() -> None:
    target, box = Recorder(failures=1), Box(notice("1"))
    made = Postman(target, waiting=box.waiting, taken=box.taken, quiet=None)
    made._bring(box.notices)
    assert made.trouble == "nobody is at home" and made.trouble_since is not None
    made._bring(box.notices)
    assert made.trouble is None and made.trouble_since is None


def test_what_is_two_days_old_is_given_up() -> None:
    target, box = Recorder(), Box(notice("old", since=0.0))
    brought(target, box)
    assert target.got == []
