"""A journal of another machine, kept here: what is added, what is not, and what its file tells of its writer."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from shipments import body, end_line, first_line, line, round_end

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.shipping.forgotten import forget
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.liveness import State, state
from federated_pneumonia_detection.progress.reading import Entry, JournalReader, read_header

HERE = Delivery("site-a")
ALIVE, DEAD = Delivery("site-a", "alive"), Delivery("site-a", "dead")


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "run.ward.jsonl"


def _entries(path: Path) -> list[Entry]:
    return JournalReader(path).read()


def _numbers(path: Path) -> list[int]:
    return [entry.n for entry in _entries(path) if isinstance(entry, Line)]


def test_lines_become_a_journal_with_the_senders_numbers_and_times(mirrors: Mirrors, mirror: Path) -> None:
    sent = parse(body(line(1), round_end(2)))

    assert mirrors.take(sent, HERE) == 2

    header = read_header(mirror)
    assert (header.writer, header.host, header.shipped, header.site) == ("w1", "far-away", True, "site-a")
    first, second = _entries(mirror)
    assert isinstance(first, Line)
    assert isinstance(second, Line)
    said, as_sent = msgspec.json.decode(second.body), msgspec.json.decode(sent.lines[1].body)
    assert said.pop("received") > "2026"
    assert said == as_sent
    assert (first.n, second.n) == (1, 2)
    assert mirrors.lines_added == 2


def test_sending_again_changes_nothing(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2))), HERE)
    before = mirror.read_bytes()

    assert mirrors.take(parse(body(line(1), line(2))), HERE) == 2
    assert mirrors.take(parse(body(line(1))), HERE) == 2
    assert mirrors.take(parse(body()), HERE) == 2
    assert mirror.read_bytes() == before


def test_a_batch_that_overlaps_adds_its_end(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2))), HERE)
    assert mirrors.take(parse(body(line(2), line(3))), HERE) == 3
    assert _numbers(mirror) == [1, 2, 3]


def test_asking_makes_no_file(mirrors: Mirrors, tmp_path: Path) -> None:
    assert mirrors.take(parse(body()), ALIVE) == 0
    assert mirrors.take(parse(body()), DEAD) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("there", "comes", "expected"), [([], 2, 1), ([1, 2], 4, 3)])
def test_a_jump_says_what_is_expected(mirrors: Mirrors, there: list[int], comes: int, expected: int) -> None:
    if there:
        mirrors.take(parse(body(*map(line, there))), HERE)
    with pytest.raises(ShipmentRefused) as refused:
        mirrors.take(parse(body(line(comes))), HERE)
    assert (refused.value.why, refused.value.expected) == ("jump", expected)
    assert mirrors.take(parse(body()), HERE) == expected - 1


def test_what_the_journal_itself_lacks_is_a_gap_here_too(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    assert mirrors.take(parse(body(line(4))), Delivery("site-a", skipped=2)) == 4
    assert [type(entry).__name__ for entry in _entries(mirror)] == ["Line", "Gap", "Line"]

    with pytest.raises(ShipmentRefused):
        mirrors.take(parse(body(line(9))), Delivery("site-a", skipped=3))


def test_another_server_process_goes_on_where_this_one_stopped(mirrors: Mirrors, tmp_path: Path, mirror: Path) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    other = Mirrors(tmp_path)
    assert other.take(parse(body(line(1), line(2))), HERE) == 2
    assert mirrors.take(parse(body(line(3))), HERE) == 3
    assert _numbers(mirror) == [1, 2, 3]


def test_half_a_line_of_a_server_that_died_is_cut_off(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2))), HERE)
    whole = mirror.read_bytes()
    for cut in range(1, len(whole) - whole.rfind(b"\n", 0, -1)):
        mirror.write_bytes(whole[:-cut])
        assert mirrors.take(parse(body()), HERE) == 1
        assert mirrors.take(parse(body(line(2), line(3))), HERE) == 3
        assert [type(entry).__name__ for entry in _entries(mirror)] == ["Line"] * 3


def test_a_damaged_end_is_no_reason_to_forget_what_is_before_it(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2))), HERE)
    mirror.write_bytes(mirror.read_bytes()[:-5] + b"oops\n")
    assert mirrors.take(parse(body()), HERE) == 1


def test_a_long_last_line_is_found_whole(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2, data="x" * 200_000))), HERE)
    assert mirrors.take(parse(body()), HERE) == 2


def test_a_mirror_that_was_deleted_is_asked_for_from_the_start(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), line(2))), HERE)
    mirror.unlink()
    assert mirrors.take(parse(body()), HERE) == 0
    with pytest.raises(ShipmentRefused) as refused:
        mirrors.take(parse(body(line(3))), HERE)
    assert refused.value.expected == 1


def test_what_was_deleted_on_purpose_does_not_come_back(mirrors: Mirrors, tmp_path: Path, mirror: Path) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    forget(tmp_path, ["w1", "another"])
    assert mirrors.take(parse(body(line(2))), HERE) == 2  # it is still there
    mirror.unlink()
    for batch in (body(line(3)), body(line(1)), body()):
        with pytest.raises(ShipmentRefused, match="Run run was deleted here") as refused:
            mirrors.take(parse(batch), HERE)
        assert refused.value.why == "gone"
    assert not mirror.exists()
    assert mirrors.take(parse(body(line(1), writer="w2")), HERE) == 1
    (tmp_path / ".forgotten").unlink()
    assert mirrors.take(parse(body(line(1))), HERE) == 1


def test_two_writers_of_a_client_have_a_mirror_each(mirrors: Mirrors, tmp_path: Path) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    mirrors.take(parse(body(line(1), line(2), writer="w2")), HERE)
    assert _numbers(tmp_path / "run.ward.jsonl") == [1]
    assert _numbers(tmp_path / "run.ward~2.jsonl") == [1, 2]


def test_a_journal_of_this_machine_is_never_added_to(mirrors: Mirrors, tmp_path: Path, mirror: Path) -> None:
    mirror.write_bytes(first_line() + line(1))
    before = mirror.read_bytes()
    mirrors.take(parse(body(line(1), line(2))), HERE)
    assert mirror.read_bytes() == before
    assert _numbers(tmp_path / "run.ward~2.jsonl") == [1, 2]


def test_a_first_line_that_changed_is_a_conflict(mirrors: Mirrors) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    with pytest.raises(ShipmentRefused, match="first line of writer w1 is another one") as refused:
        mirrors.take(parse(body(line(2), host="elsewhere")), HERE)
    assert (refused.value.why, refused.value.expected) == ("conflict", None)


def test_nothing_follows_an_end(mirrors: Mirrors) -> None:
    mirrors.take(parse(body(line(1), end_line(2))), HERE)
    with pytest.raises(ShipmentRefused, match="has ended with message 2"):
        mirrors.take(parse(body(line(3))), HERE)


def test_a_site_adds_nothing_to_what_another_site_began(mirrors: Mirrors) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    with pytest.raises(ShipmentRefused) as refused:
        mirrors.take(parse(body(line(2))), Delivery("site-b", own_only=True))
    assert refused.value.why == "not_allowed"
    assert mirrors.take(parse(body(line(2))), Delivery("site-b")) == 2


# --- life and death ---------------------------------------------------------------------------------------------


def test_nobody_here_can_tell_whether_its_writer_lives(mirrors: Mirrors, mirror: Path) -> None:
    from federated_pneumonia_detection.progress import liveness

    # A process of this very machine and boot, and dead: of a mirror even that proves nothing.
    facts = {"host": liveness.host_name(), "boot": liveness.boot_id(), "pid": 2**22 + 1}
    mirrors.take(parse(body(line(1), **facts)), HERE)
    assert state(mirror) is State.UNKNOWN
    assert state(read_header(mirror)) is State.UNKNOWN


def test_its_end_closes_it(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1), end_line(2))), HERE)
    assert state(mirror) is State.CLOSED


def test_who_vouches_for_its_writer_moves_its_time(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1))), HERE)
    os.utime(mirror, (1.0, 1.0))
    mirrors.take(parse(body()), HERE)
    assert mirror.stat().st_mtime == 1.0

    size = mirror.stat().st_size
    mirrors.take(parse(body()), ALIVE)
    assert mirror.stat().st_mtime > 1e9
    assert mirror.stat().st_size == size


def test_a_death_is_marked_once_behind_everything(mirrors: Mirrors, mirror: Path) -> None:
    assert mirrors.take(parse(body(line(1), line(2))), DEAD) == 2
    assert state(mirror) is State.DEAD
    before = mirror.read_bytes()
    assert mirrors.take(parse(body()), DEAD) == 2
    assert mirrors.take(parse(body()), ALIVE) == 2
    assert mirror.read_bytes() == before
    assert [type(entry).__name__ for entry in _entries(mirror)] == ["Line"] * 3  # no gap


def test_what_was_taken_for_dead_and_speaks_again_is_heard(mirrors: Mirrors, mirror: Path) -> None:
    mirrors.take(parse(body(line(1))), DEAD)
    assert mirrors.take(parse(body(line(2))), ALIVE) == 2
    assert state(mirror) is State.UNKNOWN
