"""The contract of a store, held by each kind of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from federated_pneumonia_detection.hub.stores.store import TO_SEE_TO, Arrival, Batch, Place, Step, Store, Stored

Make = Callable[..., Arrival]


def offsets(messages: list[Any]) -> list[int]:
    return [message.offset for message in messages]


def test_an_empty_store_has_an_identity_and_no_offset(store: Store) -> None:
    assert store.log_id
    assert store.top == 0
    assert store.read(after=0, limit=10) == []


def test_offsets_are_dense_from_one_over_all_runs(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1, run_id="a"), arrival(2, run_id="b")]))
    added = store.append(Batch([arrival(3, run_id="a")]))

    assert offsets(added) == [3]
    assert offsets(store.read(after=0, limit=10)) == [1, 2, 3]
    assert store.top == 3


def test_what_was_read_is_what_was_appended(store: Store, arrival: Make) -> None:
    one = arrival(1, client_id="client_0", type="round_end", phase="")
    store.append(Batch([one]))

    assert store.read(after=0, limit=1) == [Stored(1, "run", "client_0", "round_end", "", one.body, "w", 1)]


def test_a_pair_of_writer_and_number_is_stored_once(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1), arrival(2)]))
    added = store.append(Batch([arrival(1), arrival(2), arrival(2), arrival(3), arrival(3)]))

    assert [message.n for message in added] == [3]
    assert [message.n for message in store.read(after=0, limit=10)] == [1, 2, 3]


def test_a_number_that_was_missing_is_taken_when_it_comes(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1), arrival(4)]))
    added = store.append(Batch([arrival(2), arrival(4), arrival(3)]))

    assert [message.n for message in added] == [2, 3]
    assert store.top == 4


def test_a_step_has_a_row_and_no_offset(store: Store, arrival: Make) -> None:
    added = store.append(
        Batch(
            [
                arrival(1, type="step", phase="train"),
                arrival(2),
                arrival(3, type="step", phase="train"),
                arrival(4, type="step", phase="val"),
                arrival(5, type="step", phase="train", client_id="client_0"),
            ]
        )
    )

    steps = [message for message in added if isinstance(message, Step)]
    assert [(step.client_id, step.phase, step.row, step.at) for step in steps] == [
        (None, "train", 1, 0),
        (None, "train", 2, 1),
        (None, "val", 1, 1),
        ("client_0", "train", 1, 1),
    ]
    assert store.top == 1


def test_a_step_that_comes_twice_gets_no_second_row(store: Store, arrival: Make) -> None:
    step = arrival(1, type="step", phase="train")
    store.append(Batch([step]))

    assert store.append(Batch([step])) == []
    assert len(store.steps(run_id="run")) == 1


def test_reading_goes_on_after_an_offset_up_to_a_limit(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(n) for n in range(1, 8)]))

    assert offsets(store.read(after=2, limit=3)) == [3, 4, 5]
    assert store.read(after=7, limit=3) == []


def test_a_run_and_a_client_are_filters_over_one_log(store: Store, arrival: Make) -> None:
    store.append(
        Batch(
            [
                arrival(1, run_id="a"),
                arrival(2, run_id="b", client_id="c"),
                arrival(3, run_id="b"),
                arrival(4, run_id="a"),
            ]
        )
    )

    assert offsets(store.read(after=0, limit=9, run_id="a")) == [1, 4]
    assert offsets(store.read(after=0, limit=9, run_id="b", client_id="c")) == [2]
    assert offsets(store.read(after=0, limit=9, client_id="c")) == [2]


def test_the_newest_of_each_type_phase_and_client_comes_in_order(store: Store, arrival: Make) -> None:
    store.append(
        Batch(
            [
                arrival(1, type="epoch_end", phase="train"),
                arrival(2, type="epoch_end", phase="val"),
                arrival(3, type="epoch_start"),
                arrival(4, type="epoch_end", phase="train"),
                arrival(5, type="epoch_start", client_id="c"),
            ]
        )
    )

    assert offsets(store.newest(run_id="run")) == [2, 3, 4, 5]
    assert offsets(store.newest(run_id="run", client_id="c")) == [5]
    assert store.newest(run_id="another") == []


def test_the_newest_step_of_each_client_and_phase(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(n, type="step", phase="train", client_id="c" if n % 2 else None) for n in range(1, 6)]))

    newest = {(step.client_id, step.row, step.n) for step in store.newest_steps(run_id="run")}
    assert newest == {("c", 3, 5), (None, 2, 4)}
    assert [step.n for step in store.newest_steps(run_id="run", client_id="c")] == [5]


def test_steps_since_a_row(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(n, type="step", phase="train") for n in range(1, 6)]))

    assert [step.row for step in store.steps(run_id="run", since=3)] == [4, 5]
    assert store.steps(run_id="run", phase="val") == []


def test_a_place_is_kept_with_what_was_read(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1)], [Place("/a.jsonl", "w", 7, 100, 1)]))
    store.append(Batch([], [Place("/a.jsonl", "w", 7, 200, 2), Place("/b.jsonl", "v", 8, 50, 0)]))

    assert sorted(store.places(), key=lambda place: place.path) == [
        Place("/a.jsonl", "w", 7, 200, 2),
        Place("/b.jsonl", "v", 8, 50, 0),
    ]


def test_a_forgotten_run_is_gone_and_the_others_keep_their_offsets(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1, run_id="a"), arrival(2, run_id="b"), arrival(3, run_id="a", type="step")]))

    store.forget("a")

    assert offsets(store.read(after=0, limit=9)) == [2]
    assert store.steps(run_id="a") == []
    assert store.floor() == 0
    assert offsets(store.append(Batch([arrival(4, run_id="b")]))) == [3]


def test_a_run_dropped_for_its_age_lifts_the_floor(store: Store, arrival: Make) -> None:
    store.append(Batch([arrival(1, run_id="a"), arrival(2, run_id="b")]))

    store.forget("a", aged=True)

    assert store.floor() == 1
    assert store.floor("b") == 0


def test_another_thread_reads_while_one_appends(store: Store, arrival: Make) -> None:
    wrong: list[str] = []

    def read() -> None:
        for _ in range(30):
            seen = offsets(store.read(after=0, limit=1000))
            if seen != list(range(1, len(seen) + 1)):
                wrong.append(f"{seen}")

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 60):
        store.append(Batch([arrival(n)]))
    reader.join()

    assert wrong == []


# --- two who append ---


class Told:
    """What one of those who append has been told, in order."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.messages: list[Stored | Step] = []

    def append(self, *arrivals: Arrival) -> None:
        self.messages += self.store.append(Batch(list(arrivals)))

    def hear(self) -> None:
        while news := self.store.news().messages:
            self.messages += news

    @property
    def offsets(self) -> list[int]:
        return [message.offset for message in self.messages if isinstance(message, Stored)]


@pytest.fixture
def both(store: Store, another: Store) -> tuple[Told, Told]:
    """Two who append, and what each is told; the same one twice where only one process may append."""
    one = Told(store)
    return one, one if another is store else Told(another)


def test_two_who_append_give_each_offset_once_and_are_told_everything_in_order(
    both: tuple[Told, Told], arrival: Make
) -> None:
    one, other = both
    one.append(arrival(1, writer="a"), arrival(2, writer="a"))
    other.append(arrival(1, writer="b"))
    other.append(arrival(2, writer="b"))
    one.append(arrival(3, writer="a"))
    other.hear()

    assert one.offsets == other.offsets == [1, 2, 3, 4, 5]
    assert [(m.writer, m.n) for m in one.messages] == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("a", 3)]
    assert one.store.log_id == other.store.log_id
    assert one.store.top == other.store.top == 5


def test_what_another_has_committed_is_not_read_before_it_was_told(both: tuple[Told, Told], arrival: Make) -> None:
    one, other = both
    one.append(arrival(1))
    other.hear()
    one.append(arrival(2))

    for told in both:
        assert offsets(told.store.read(after=0, limit=9)) == told.offsets
        assert offsets(told.store.newest(run_id="run")) == told.offsets[-1:]
    other.hear()
    assert offsets(other.store.read(after=0, limit=9)) == [1, 2]


def test_a_pair_that_both_append_is_stored_once(both: tuple[Told, Told], arrival: Make) -> None:
    one, other = both
    one.append(arrival(1), arrival(2), arrival(4))
    other.append(arrival(1), arrival(3), arrival(2))
    one.append(arrival(3), arrival(4), arrival(5))
    other.hear()

    for told in both:
        assert [(m.n, m.offset) for m in told.messages if isinstance(m, Stored)] == [
            (1, 1),
            (2, 2),
            (4, 3),
            (3, 4),
            (5, 5),
        ]


def test_rows_stay_dense_when_two_append_steps(both: tuple[Told, Told], arrival: Make) -> None:
    one, other = both
    one.append(arrival(1, type="step", phase="train"), arrival(2, type="step", phase="train"))
    other.append(arrival(2, type="step", phase="train"), arrival(3, type="step", phase="train"))
    one.append(arrival(1, type="step", phase="train", writer="b"))
    other.hear()

    assert [(step.writer, step.n, step.row) for step in one.store.steps(run_id="run")] == [
        ("w", 1, 1),
        ("w", 2, 2),
        ("w", 3, 3),
        ("b", 1, 4),
    ]
    # Each was told the newest of the other's; what was merged on the way is in `steps`.
    for told in both:
        rows = [message.row for message in told.messages if isinstance(message, Step)]
        assert rows == sorted(set(rows))
        assert rows[-1] == 4


def test_steps_of_another_stand_between_its_messages_where_they_were_committed(
    both: tuple[Told, Told], arrival: Make
) -> None:
    one, other = both
    one.append(arrival(1), arrival(2, type="step", phase="train"), arrival(3))
    one.append(arrival(4, type="step", phase="val"))
    other.hear()

    assert [message.n for message in other.messages] == [1, 2, 3, 4]


def test_a_place_of_one_is_no_hindrance_to_the_other(both: tuple[Told, Told]) -> None:
    one, other = both
    one.store.append(Batch([], [Place("/a.jsonl", "w", 7, 100, 1)]))
    other.store.append(Batch([], [Place("/a.jsonl", "w", 7, 200, 2)]))

    assert one.store.places() == [Place("/a.jsonl", "w", 7, 200, 2)]


def test_a_run_that_one_forgets_is_news_for_the_other(both: tuple[Told, Told], arrival: Make) -> None:
    one, other = both
    one.append(arrival(1, run_id="a"), arrival(2, run_id="b"))
    other.hear()
    one.store.forget("a", aged=True)
    forgotten = other.store.news().forgotten

    assert list(forgotten) == ([] if other is one else ["a"])
    assert list(other.store.news().forgotten) == []
    assert other.store.floor() == 1
    assert offsets(other.store.read(after=0, limit=9)) == [2]


def test_many_threads_append_and_everyone_is_told_the_same_log(both: tuple[Told, Told], arrival: Make) -> None:
    def append(told: Told, writer: str) -> None:
        for n in range(1, 41):
            with lock[id(told)]:
                told.append(arrival(n, writer=writer))

    lock = {id(told): threading.Lock() for told in both}
    threads = [threading.Thread(target=append, args=(both[at % 2], f"w{at}")) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for told in both:
        told.hear()

    one, other = both
    assert one.messages == other.messages
    assert one.offsets == list(range(1, 161))
    for writer in ("w0", "w1", "w2", "w3"):
        assert [message.n for message in one.messages if message.writer == writer] == list(range(1, 41))


def test_a_long_way_of_another_is_told_in_parts(both: tuple[Told, Told], arrival: Make) -> None:
    one, other = both
    for begin in range(0, 5000, 1000):
        one.append(*(arrival(n) for n in range(begin + 1, begin + 1001)))
    other.hear()

    assert other.offsets == list(range(1, 5001))


def test_closing_twice_is_fine(store: Store) -> None:
    store.close()
    store.close()


def test_what_somebody_should_look_at_is_found_from_the_newest_down(store: Store, arrival: Make) -> None:
    kinds = ("alert", "epoch_end", "training_error", "stage", "client_failed", "alert")
    store.append(Batch([arrival(n, type=kind, run_id="ab"[n % 2]) for n, kind in enumerate(kinds, start=1)]))

    assert {message.type for message in store.to_see_to(before=100, limit=10)} == set(TO_SEE_TO)
    assert offsets(store.to_see_to(before=100, limit=3)) == [6, 5, 3]
    assert offsets(store.to_see_to(before=5, limit=3)) == [3, 1]
    assert offsets(store.to_see_to(before=100, limit=10, run_id="b")) == [5, 3, 1]
