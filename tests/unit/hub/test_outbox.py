"""What is sent next of a journal, whatever was answered."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.hub.shipping.outbox import (
    VOUCH_EVERY_S,
    Acked,
    Answer,
    Away,
    BackOff,
    Batch,
    Expected,
    Life,
    Outbox,
    Refused,
)

HEADER = b"header\n"


def _line(n: int) -> bytes:
    return b"%d\n" % n


def _offer(box: Outbox, *numbers: int, end: int | None = None) -> None:
    box.offer((n, _line(n), n == end) for n in numbers)


def _sent(box: Outbox) -> list[int]:
    return [int(line) for line in box.batch().lines]


def _known(acked: int = 0) -> Outbox:
    """An outbox whose position was answered."""
    box = Outbox("w", HEADER)
    box.take(Acked(acked), box.batch(), 0.0)
    return box


def test_a_journal_found_at_the_start_is_asked_about_before_it_is_read() -> None:
    box = Outbox("w", HEADER)
    assert not box.has_room
    assert box.due(0.0) == 0.0
    assert box.batch() == Batch("w", HEADER, (), 0, "unknown")

    box.take(Acked(2), box.batch(), 0.0)
    assert box.has_room
    _offer(box, 1, 2, 3)
    assert _sent(box) == [3]


def test_one_made_just_now_is_sent_at_once() -> None:
    box = Outbox("w", HEADER, is_new=True)
    _offer(box, 1)
    assert (box.due(0.0), _sent(box)) == (0.0, [1])


def test_what_is_acknowledged_is_let_go() -> None:
    box = _known()
    _offer(box, 1, 2, 3)
    box.take(Acked(2), box.batch(), 1.0)
    assert _sent(box) == [3]
    assert (box.acked, box.sent) == (2, 2)


def test_no_answer_changes_nothing() -> None:
    box = _known()
    _offer(box, 1, 2)
    box.take(Away("gone"), box.batch(), 1.0)
    assert _sent(box) == [1, 2]


def test_a_server_that_has_lost_some_gets_it_again() -> None:
    box = _known(5)
    _offer(box, 6, 7)
    box.take(Expected(3), box.batch(), 1.0)

    assert box.wants_rewind
    _offer(box, 1, 2, 3, 4, 5, 6, 7)
    assert _sent(box) == [3, 4, 5, 6, 7]


def test_a_server_that_says_less_than_before_gets_it_again() -> None:
    box = _known(5)
    _offer(box, 6, 7)
    box.take(Acked(7), box.batch(), 1.0)
    box.take(Acked(0), box.batch(), 20.0)
    assert box.wants_rewind
    _offer(box, 1, 2)
    assert _sent(box) == [1, 2]


def test_a_server_that_has_more_is_believed() -> None:
    box = _known(0)
    _offer(box, 1, 2)
    box.take(Acked(4), box.batch(), 1.0)
    _offer(box, 3, 4, 5)
    assert _sent(box) == [5]


def test_what_is_missing_in_the_journal_ends_a_batch_and_is_told_with_the_next() -> None:
    box = _known()
    _offer(box, 1, 2, 5, 6)
    assert _sent(box) == [1, 2]
    box.take(Acked(2), box.batch(), 1.0)
    assert (box.batch().skipped, _sent(box)) == (2, [5, 6])


def test_a_batch_is_bounded_and_never_empty_for_it() -> None:
    box = _known()
    box.offer((n, b"x" * 400_000, False) for n in range(1, 6))
    assert len(box.batch().lines) == 2
    assert not box.has_room
    box = _known()
    box.offer([(1, b"x" * 5_000_000, False)])
    assert len(box.batch().lines) == 1


def test_somebody_who_takes_less_gets_less() -> None:
    box = _known()
    box.offer((n, b"x" * 100_000, False) for n in range(1, 10))
    assert len(box.batch().lines) == 9
    box.take(Refused(413, "too big"), box.batch(), 1.0)
    assert len(box.batch().lines) == 4
    assert box.life is Life.OPEN


def test_a_message_that_is_not_taken_costs_itself() -> None:
    box = _known()
    _offer(box, 1, 2, 3, end=3)
    box.take(Refused(422, "no", n=2), box.batch(), 1.0)
    assert (box.skips, _sent(box)) == (1, [1])
    box.take(Acked(1), box.batch(), 2.0)
    assert (box.batch().skipped, _sent(box)) == (1, [3])
    box.take(Acked(3), box.batch(), 3.0)
    assert box.life is Life.DONE


def test_a_journal_that_is_not_taken_is_left_alone() -> None:
    box = _known()
    _offer(box, 1)
    box.take(Refused(403, "not yours"), box.batch(), 1.0)
    assert (box.life, box.due(1e9), box.is_there) == (Life.REFUSED, None, True)
    assert box.refusal == Refused(403, "not yours")


def test_a_living_writer_is_vouched_for_when_it_says_nothing() -> None:
    box = _known()
    box.seen("alive", read_all=True)
    assert box.due(1.0) == VOUCH_EVERY_S - 1.0
    assert box.due(VOUCH_EVERY_S) == 0.0
    assert box.batch().state == "alive"
    box.take(Acked(0), box.batch(), VOUCH_EVERY_S)
    assert box.due(VOUCH_EVERY_S + 1) == VOUCH_EVERY_S - 1


def test_nobody_vouches_for_a_writer_that_is_not_seen() -> None:
    box = _known()
    box.seen("unknown", read_all=True)
    assert box.due(1e9) is None


def test_a_death_is_told_with_the_last_of_what_was_written_and_not_before() -> None:
    box = _known()
    box.offer((n, b"x" * 500_000, False) for n in (1, 2))
    box.seen("dead", read_all=True)
    assert (len(box.batch().lines), box.batch().state) == (1, "unknown")
    box.take(Acked(1), box.batch(), 1.0)
    assert (len(box.batch().lines), box.batch().state) == (1, "dead")
    box.take(Acked(2), box.batch(), 2.0)
    assert (box.life, box.due(1e9)) == (Life.DEAD, None)


def test_a_death_is_told_when_nothing_is_left_to_send() -> None:
    box = _known(4)
    _offer(box, 1, 2, 3, 4)
    box.seen("dead", read_all=False)
    assert box.due(1.0) is None
    box.seen("dead", read_all=True)
    assert (box.due(1.0), box.batch().state, box.is_there) == (0.0, "dead", False)


def test_an_end_that_is_there_already_is_the_end() -> None:
    box = _known(3)
    _offer(box, 1, 2, 3, end=3)
    assert (box.life, box.sent) == (Life.DONE, 0)


class _Server:
    """A server as the protocol asks for, that may lose what it has."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def take(self, batch: Batch) -> Answer:
        numbers = [int(line) for line in batch.lines]
        last = self.kept[-1] if self.kept else 0
        fresh = [n for n in numbers if n > last]
        if fresh and numbers[0] - batch.skipped > last + 1:
            return Expected(last + 1)
        self.kept += fresh
        return Acked(self.kept[-1] if self.kept else 0)


@settings(max_examples=150, deadline=None)
@given(
    holes=st.sets(st.integers(1, 40)),
    faults=st.lists(st.sampled_from(["ok", "cut there", "cut back", "twice", "late", "loses"]), max_size=60),
    chunk=st.integers(1, 7),
)
def test_everything_arrives_once_and_in_order_whatever_happens(holes: set[int], faults: list[str], chunk: int) -> None:
    journal = [n for n in range(1, 41) if n not in holes or n == 40]
    server, box, late = _Server(), Outbox("w", HEADER), [Batch("w", HEADER, (), 0, "unknown")]
    read = turns = 0
    while not (box.life is Life.DONE and not faults):
        turns += 1
        assert turns < 500
        if box.wants_rewind:
            box.wants_rewind, read = False, 0
        if box.has_room:
            _offer(box, *journal[read : read + chunk], end=40)
            read += chunk
        box.seen("alive", read_all=read >= len(journal))
        fault = faults.pop() if faults else "ok"
        if fault == "loses":
            del server.kept[len(server.kept) // 2 :]
        if box.life is Life.DONE:
            if fault == "loses":
                box = Outbox("w", HEADER)  # started again: it asks
                read = 0
            continue
        batch = box.batch()
        if fault == "cut there":
            box.take(Away(""), batch, 0.0)
            continue
        if fault == "late":
            late.append(batch)
            box.take(Away(""), batch, 0.0)
            continue
        if fault == "twice":
            server.take(batch)
            server.take(late[len(late) // 2])
        answer = server.take(batch)
        box.take(Away("") if fault == "cut back" else answer, batch, 0.0)
    assert server.kept == journal


def test_the_wait_doubles_with_jitter_up_to_its_bound() -> None:
    back_off = BackOff(Random(1), first_s=0.5, most_s=30.0)
    waits = [back_off.failed() for _ in range(40)]
    for failure, wait in enumerate(waits):
        assert min(30.0, 0.5 * 2**failure) / 10 <= wait <= min(30.0, 0.5 * 2**failure)
    assert len(set(waits[10:])) == 30
    assert max(waits) > 20
    back_off.worked()
    assert back_off.failed() <= 0.5


def test_a_server_that_names_a_time_is_given_it() -> None:
    assert BackOff(Random(1)).failed(90.0) == 90.0
    assert BackOff(Random(1)).failed(1e9) == 3600.0
