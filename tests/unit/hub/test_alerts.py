from __future__ import annotations

from collections.abc import Callable

from federated_pneumonia_detection.hub.alerts import END, LEVELS, alerted, found
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.store import Arrival, Batch, Stored

Make = Callable[..., Arrival]


def stored(type_: str, body: bytes, client_id: str | None = None) -> Stored:
    return Stored(7, "run", client_id, type_, "", body, "w", 1)


def test_a_failure_is_an_error_in_the_words_of_who_told_it() -> None:
    run = alerted(stored("training_error", b'{"error":"out of memory","timestamp":"2026-01-01T00:00:00+00:00"}'))
    hospital = alerted(stored("client_failed", b'{"error":"disk full","round":3}', "hospital_1"))

    assert (run.level, run.title, run.text) == ("error", "The training failed", "out of memory")
    assert (hospital.level, hospital.title, hospital.round) == ("error", "A hospital failed", 3)


def test_the_rule_stands_in_what_a_rule_told_and_in_nothing_else() -> None:
    told = alerted(stored("alert", b'{"level":"info","about":"rule:1","rule":"finished"}'))
    other = alerted(stored("alert", b'{"level":"info","about":"lost","rule":"finished"}'))
    assert (told.rule, other.rule) == ("finished", None)


def test_a_body_that_is_no_object_or_of_another_type_is_an_alert_all_the_same() -> None:
    assert alerted(stored("alert", b"[1]")).level == "warning"
    assert alerted(stored("alert", b'{"level":9,"title":[],"round":"x"}')).title == ""


def test_only_the_levels_asked_for_are_found_and_only_between_the_offsets(arrival: Make) -> None:
    store = MemoryStore()
    levels = ("info", "warning", "error", "warning")
    store.append(Batch([arrival(n, type="alert", level=level) for n, level in enumerate(levels, start=1)]))

    def offsets(**of: object) -> list[int]:
        asked = {"levels": LEVELS, "run_id": None, "before": END, "after": 0, "limit": 10, **of}
        return [one.offset for one in found(store, **asked)]  # type: ignore[arg-type]

    assert offsets() == [4, 3, 2, 1]
    assert offsets(levels=("warning",)) == [4, 2]
    assert offsets(levels=("warning",), limit=1) == [4]
    assert offsets(after=1, before=4) == [3, 2]
