from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.cursor import (
    Selection,
    Start,
    due_steps,
    in_order,
    join,
    newest_only,
    start,
)
from federated_pneumonia_detection.hub.frames import Frame, frame_of
from federated_pneumonia_detection.hub.stores.store import Step, Stored


def stored(offset: int, **fields: Any) -> Stored:
    return Stored(
        offset, fields.get("run_id", "run"), fields.get("client_id"), "said", "", b'{"type":"said"}', "w", offset
    )


def step(row: int, at: int, client_id: str | None = None) -> Step:
    return Step(row, "run", client_id, "train", b'{"type":"step"}', at, "w", row)


@pytest.mark.parametrize(
    ("after", "log_id", "expected"),
    [
        (5, "log", Start(5, recovered=True)),
        (10, "log", Start(10, recovered=True)),
        (0, "log", Start(0, recovered=False)),
        (3, None, Start(3, recovered=True)),
        (11, "log", Start(0, recovered=False)),
        (5, "another", Start(0, recovered=False)),
        (2, "log", Start(0, recovered=False)),
    ],
    ids=["in the middle", "at the top", "from the start", "taken at its word", "above the top", "other log", "below"],
)
def test_where_a_cursor_goes_on(after: int, log_id: str | None, expected: Start) -> None:
    assert start(after, log_id, current="log", top=10, floor=3) == expected


def test_the_start_of_a_log_that_keeps_everything_is_recovered() -> None:
    assert start(0, "log", current="log", top=10, floor=0) == Start(0, recovered=True)


def test_a_selection_takes_its_run_its_client_and_what_belongs_to_nobody() -> None:
    frame = frame_of(stored(1, client_id="c"))
    assert Selection().takes(frame)
    assert Selection("run", "c").takes(frame)
    assert not Selection("another").takes(frame)
    assert not Selection("run", "d").takes(frame)
    assert Selection("another", "d").takes(Frame(b'{"type":"broadcast"}'))


def test_a_frame_is_the_message_with_its_run_and_its_offset() -> None:
    assert frame_of(stored(7, run_id='odd "run"')) == b'{"type":"said","run_id":"odd \\"run\\"","offset":7}'
    assert frame_of(step(3, 9)) == b'{"type":"step","run_id":"run","row":3}'


def test_steps_stand_behind_the_message_at_whose_offset_they_came() -> None:
    messages = [stored(1), stored(2), stored(3)]
    steps = [step(1, 0), step(2, 1), step(3, 1), step(4, 3)]
    assert [m.row if isinstance(m, Step) else f"o{m.offset}" for m in in_order(messages, steps)] == [
        1,
        "o1",
        2,
        3,
        "o2",
        "o3",
        4,
    ]


def test_of_steps_with_the_same_key_the_newest_is_kept_in_its_place() -> None:
    items: list[Stored | Step] = [step(1, 0), stored(1), step(2, 1), step(1, 1, "c"), stored(2)]
    assert newest_only(items) == items[1:]


def test_live_frames_repeat_history_at_most_and_never_leave_a_gap() -> None:
    history = [frame_of(stored(1)), frame_of(step(4, 1)), frame_of(stored(2))]
    live = [frame_of(stored(2)), frame_of(step(4, 2)), frame_of(stored(3)), frame_of(step(5, 3)), Frame(b'{"x":1}')]
    assert [bytes(frame) for frame in join(history, live)] == [
        *(bytes(frame) for frame in history),
        bytes(live[2]),
        bytes(live[3]),
        b'{"x":1}',
    ]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_any_overlap_joins_to_each_message_once_in_order(begun: int, read_to: int, live_from: int) -> None:
    # Attached before history is read: live begins at or before where history ends.
    begun, read_to = sorted((begun, read_to))
    live_from = max(1, min(live_from, read_to + 1))
    history = [frame_of(stored(offset)) for offset in range(begun + 1, read_to + 1)]
    live = [frame_of(stored(offset)) for offset in range(live_from, 40)]
    assert [frame.offset for frame in join(history, live, after=max(begun, read_to))] == list(range(begun + 1, 40))


@given(
    ats=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 20), max_size=6),
    began_at=st.integers(0, 20),
    page=st.integers(1, 7),
)
def test_over_all_pages_each_newest_step_comes_once(ats: dict[str, int], began_at: int, page: int) -> None:
    newest = [step(1, at, client) for client, at in ats.items()]
    seen: list[str | None] = []
    after = began_at
    while True:
        up_to = min(after + page, 20)
        is_last = up_to >= 20
        chosen = due_steps(newest, after=after, up_to=None if is_last else up_to, began_at=began_at)
        seen += [each.client_id for each in chosen]
        after = up_to
        if is_last:
            break
    assert sorted(map(str, seen)) == sorted(ats)
