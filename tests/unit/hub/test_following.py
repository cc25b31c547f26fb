"""One journal as the hub follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from federated_pneumonia_detection.hub.following import FollowedJournal
from federated_pneumonia_detection.progress.framing import JournalHeader
from federated_pneumonia_detection.progress.journal import Journal

HEADER = JournalHeader(
    format=1,
    writer="w",
    run_id="run",
    client_id=None,
    experiment_name="exp",
    mode="centralized",
    host="here",
    boot="b",
    pid=1,
    pid_start=None,
    start="2026-11-24T10:00:00+00:00",
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.create(tmp_path, HEADER)
    yield made
    made.close()


def taken(followed: FollowedJournal) -> list[int]:
    """The numbers of the messages that may go now."""
    followed.fill()
    return [reading.arrival.n for reading in followed.take(0.0) if reading.arrival is not None]


def test_after_a_long_backlog_the_next_message_is_read_like_any_other(journal: Journal) -> None:
    body = b'{"type":"said","text":"%b"}' % (b"x" * 200_000)
    for n in range(1, 61):  # 12 MB: three times what is ever held
        journal.append(body, n)
    followed = FollowedJournal(str(journal.path))

    assert taken(followed) == list(range(1, 61))
    journal.append(b'{"type":"said"}', 61)
    assert taken(followed) == [61]


def test_what_a_message_says_comes_decoded(journal: Journal) -> None:
    journal.append(b'{"type":"epoch_end","timestamp":"t","phase":"val","client_id":7,"metrics":{"a":1}}', 1)
    followed = FollowedJournal(str(journal.path))
    followed.fill()
    (reading,) = (reading for reading in followed.take(0.0) if reading.arrival is not None)

    assert reading.arrival is not None
    assert (reading.arrival.type, reading.arrival.phase, reading.arrival.client_id) == ("epoch_end", "val", "7")
    assert reading.timestamp == "t"
    assert reading.said is not None
    assert reading.said["metrics"] == {"a": 1}
