"""The contract of a store, held by each kind of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from federated_pneumonia_detection.hub.store import Arrival, Batch, Place, Step, Store, Stored

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


def test_closing_twice_is_fine(store: Store) -> None:
    store.close()
    store.close()
