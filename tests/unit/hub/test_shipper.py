"""A directory is shipped: what is read of it, who is vouched for, and what is said. Time is simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from shipments import body, end_line, line
from simulated_site import Hospital, SimulatedTime

from federated_pneumonia_detection.hub.errors import CannotShip, ShipmentRefused
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.outbox import Acked, Answer, Away, Batch, Expected, Refused
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.hub.shipping.shipper import Shipper
from federated_pneumonia_detection.hub.shipping.wish import Wish
from federated_pneumonia_detection.hub.watch import PollingWatch
from federated_pneumonia_detection.progress.cancel import CancelWatch
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.liveness import State
from federated_pneumonia_detection.progress.pause import pause_of, request_pause, resumed_by
from federated_pneumonia_detection.progress.reading import JournalReader
from federated_pneumonia_detection.server.access.limits import Allowance


class Hub:
    """A transport that leads straight to the mirrors of a hub."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mirrors = Mirrors(directory)
        self.batches: list[Batch] = []
        self.instead: Callable[[Batch], Answer | None] = lambda batch: None

    def send(self, batch: Batch) -> Answer:
        self.batches.append(batch)
        if (answer := self.instead(batch)) is not None:
            return answer
        try:
            shipment = parse(b"".join([batch.header, *batch.lines]))
            return Acked(self.mirrors.take(shipment, Delivery("here", batch.state, batch.skipped)))
        except ShipmentRefused as refused:
            if refused.expected is not None:
                return Expected(refused.expected)
            return Refused(422, str(refused), refused.n)

    def numbers(self, name: str) -> list[int]:
        entries = [entry for piece in JournalReader(self.directory / name).present() for entry in piece]
        return [entry.n for entry in entries if isinstance(entry, Line)]


class Site:
    """A directory that is shipped to a hub, in simulated time."""

    def __init__(self, tmp_path: Path) -> None:
        self.time = SimulatedTime()
        self.directory = tmp_path / "site"
        self.directory.mkdir()
        (tmp_path / "hub").mkdir()
        self.hub = Hub(tmp_path / "hub")
        self.told: list[str] = []
        self.states: dict[str, State] = {}
        self.start()

    def start(self) -> None:
        """Start the shipper (again): nothing of the last one is left."""
        self.shipper = Shipper(
            self.directory,
            self.hub,
            watch=self.time,
            tell=self.told.append,
            clock=self.time,
            random=Random(1),
            state=lambda path: self.states.get(Path(path).name, State.ALIVE),
        )
        self._changed: set[str] | None = None

    def go_on(self, seconds: float) -> None:
        until = self.time.now + seconds
        while self.time.now < until:
            self.shipper.turn(self._changed)
            self._changed = self.time.wait(min(self.shipper.pause(), until - self.time.now))
        self.shipper.turn(self._changed)
        self._changed = set()

    def hospital(self, client_id: str = "a") -> Hospital:
        return Hospital(self.time, self.directory, "run", client_id)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_lines_are_sent_as_they_stand_in_the_journal(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    hospital.say("step", epoch=1, step=1, total_steps=2, phase="train", metrics={})
    site.go_on(1)

    assert b"".join(b"".join(batch.lines) for batch in site.hub.batches) == b"".join(
        hospital.journal.path.read_bytes().splitlines(keepends=True)[1:]
    )
    assert site.hub.batches[0].header == hospital.journal.path.read_bytes().splitlines(keepends=True)[0]
    assert site.shipper.acked == 2


def test_a_new_line_is_sent_at_once_whatever_its_interval(site: Site) -> None:
    hospital = site.hospital()
    site.go_on(1)
    for moment in (1.101, 1.102, 1.103):
        site.time.at(moment, lambda: hospital.say("said"))
    sent_at: list[float] = []
    site.hub.instead = lambda batch: sent_at.append(site.time.now) if batch.lines else None  # type: ignore[func-returns-value]
    site.go_on(1)
    assert sent_at == [1.101, 1.102, 1.103]


def test_a_journal_made_meanwhile_is_found_at_once(site: Site) -> None:
    site.go_on(1)
    site.time.at(1.25, lambda: site.hospital("b").say("said"))
    site.go_on(0.3)
    assert site.hub.numbers("run.b.jsonl") == [1]


def test_what_a_hub_says_and_what_was_shipped_here_stays_here(site: Site) -> None:
    (site.directory / "run.hub.jsonl").write_bytes(body(line(1), mode="hub", client_id=None, writer="hub"))
    (site.directory / "run.m.jsonl").write_bytes(body(line(1), shipped=True, site="x", client_id="m", writer="mirror"))
    (site.directory / "other.jsonl").write_bytes(b'{"not": "ours"}\n')
    (site.directory / ".hidden.jsonl").write_bytes(body(line(1), writer="hidden"))
    (site.directory / "run.a.jsonl").write_bytes(body(line(1), writer="a"))
    site.go_on(5)
    assert {batch.writer for batch in site.hub.batches} == {"a"}
    assert site.shipper.count() == 1


def test_a_link_out_of_the_directory_is_not_followed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(body(line(1)))
    (site.directory / "run.jsonl").symlink_to(tmp_path / "secret.jsonl")
    site.go_on(2)
    assert site.hub.batches == []


def test_a_shipper_that_starts_again_asks_and_sends_only_what_is_new(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.go_on(1)
    hospital.say("said")
    site.start()
    before = len(site.hub.batches)
    site.go_on(1)
    assert [(len(batch.lines), batch.skipped) for batch in site.hub.batches[before:]] == [(0, 0), (1, 0)]
    assert site.hub.numbers("run.a.jsonl") == [1, 2]


def test_a_hub_that_lost_its_mirror_gets_everything_again(site: Site) -> None:
    hospital = site.hospital()
    for _ in range(3):
        hospital.say("said")
    site.go_on(1)
    (site.hub.directory / "run.a.jsonl").unlink()
    hospital.say("said")
    site.go_on(1)
    assert site.hub.numbers("run.a.jsonl") == [1, 2, 3, 4]


def test_who_is_silent_is_vouched_for_each_two_seconds(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.go_on(0.5)
    site.hub.batches.clear()
    site.go_on(60)
    assert [(batch.state, batch.lines) for batch in site.hub.batches] == [("alive", ())] * 30

    site.states["run.a.jsonl"] = State.UNKNOWN
    site.hub.batches.clear()
    site.go_on(60)
    assert site.hub.batches == []


def test_who_has_ended_is_not_spoken_of_any_more(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    hospital.end()
    site.states["run.a.jsonl"] = State.CLOSED
    site.go_on(1)
    assert site.told == ["a of run: ended; all of it is there, up to message 2"]
    site.hub.batches.clear()
    site.go_on(100)
    assert site.hub.batches == []
    assert site.shipper.is_there


def test_a_death_is_told_behind_the_last_line(site: Site) -> None:
    hospital = site.hospital()
    site.go_on(1)
    hospital.say("said")
    site.states["run.a.jsonl"] = State.DEAD
    site.go_on(1)
    last = site.hub.batches[-1]
    assert (last.state, len(last.lines)) == ("dead", 1)
    assert site.told == ["a of run: its process died; all it wrote is there, up to message 1"]
    site.hub.batches.clear()
    site.go_on(100)
    assert site.hub.batches == []


def test_a_death_is_seen_however_busy_another_is(site: Site) -> None:
    busy, quiet = site.hospital("busy"), site.hospital("quiet")
    quiet.say("said")

    def more(batch: Batch) -> None:
        site.time.pass_by(0.05)
        busy.say("said")
        site.time.touch(busy.journal.path)

    site.hub.instead = more  # type: ignore[assignment]
    site.time.at(3.0, lambda: site.states.update({"run.quiet.jsonl": State.DEAD}))  # type: ignore[func-returns-value, arg-type]
    site.go_on(6)
    assert site.told == ["quiet of run: its process died; all it wrote is there, up to message 1"]


def test_a_death_is_told_again_by_the_next_shipper_and_changes_nothing(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.states["run.a.jsonl"] = State.DEAD
    site.go_on(1)
    before = (site.hub.directory / "run.a.jsonl").read_bytes()
    site.start()
    site.go_on(1)
    assert site.hub.batches[-1].state == "dead"
    assert (site.hub.directory / "run.a.jsonl").read_bytes() == before


def test_a_damaged_line_costs_itself_and_is_told(site: Site) -> None:
    hospital = site.hospital()
    for word in ("one", "two", "three"):
        hospital.say("said", data=word)
    path = hospital.journal.path
    path.write_bytes(path.read_bytes().replace(b"two", b"tWo"))
    site.go_on(1)
    assert site.hub.numbers("run.a.jsonl") == [1, 3]
    assert any("checksum" in words and "the rest is sent" in words for words in site.told)


def test_an_unfinished_last_line_is_not_sent(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    with hospital.journal.path.open("ab") as file:
        file.write(b'{"type":"sa')
    site.states["run.a.jsonl"] = State.DEAD
    site.go_on(1)
    assert site.hub.numbers("run.a.jsonl") == [1, 1]  # the second is the mark of its death


def test_a_server_that_is_away_is_told_once_and_tried_again_ever_more_rarely(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    tries: list[float] = []

    def away(batch: Batch) -> Answer:
        tries.append(site.time.now)
        return Away("no answer from there")

    site.hub.instead = away
    site.go_on(600)
    assert site.told == ["no answer from there; nothing is lost, it is tried again until it works"]
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert max(gaps) <= 30.0
    assert 20 < len(tries) < 80
    assert len(set(gaps)) > len(gaps) * 0.9

    site.hub.instead = lambda batch: None
    site.go_on(31)
    assert site.told[1:] == ["the server answers again"]
    assert site.hub.numbers("run.a.jsonl") == [1]


def test_what_cannot_go_is_not_held_in_memory(site: Site) -> None:
    for number in range(30):
        hospital = site.hospital(f"h{number}")
        for _ in range(12):
            hospital.say("said", data="x" * 100_000)
    site.hub.instead = lambda batch: Away("gone") if batch.lines else None
    site.go_on(300)
    assert 8_000_000 < site.shipper.held_bytes < 10_000_000
    site.hub.instead = lambda batch: None
    site.go_on(60)
    assert site.shipper.held_bytes == 0
    assert all(site.hub.numbers(f"run.h{number}.jsonl") == list(range(1, 13)) for number in range(30))


def test_a_server_that_asks_for_patience_gets_it(site: Site) -> None:
    site.hospital().say("said")
    tries: list[float] = []

    def away(batch: Batch) -> Answer:
        tries.append(site.time.now)
        return Away("too many requests", 120.0)

    site.hub.instead = away
    site.go_on(300)
    assert [round(moment / 120) for moment in tries] == [0, 1, 2]


def test_a_server_that_takes_so_many_requests_a_second_gets_no_more(site: Site) -> None:
    allowance, refused = Allowance(burst=100, per_s=20.0), list[float]()

    def limited(batch: Batch) -> Answer | None:
        site.time.pass_by(0.002)
        if wait := allowance.take("token", site.time.now):
            refused.append(site.time.now)
            return Away("too often", float(wait), is_busy=True)
        return None

    site.hub.instead = limited
    for number in range(300):
        facts = {"writer": f"old{number}", "run_id": f"old{number}"}
        (site.directory / f"old{number}.ward.jsonl").write_bytes(body(line(1), end_line(2), **facts))
        site.states[f"old{number}.ward.jsonl"] = State.CLOSED
    hospital = site.hospital()
    for moment in range(3000):
        site.time.at(moment * 0.01, lambda: hospital.say("said"))
    site.go_on(60)
    assert site.hub.numbers("run.a.jsonl") == list(range(1, 3001))
    assert site.shipper.is_there
    assert len(refused) < 5
    assert not any("too often" in words for words in site.told)


def test_a_server_that_only_ever_says_too_often_is_away(site: Site) -> None:
    site.hospital().say("said")
    site.hub.instead = lambda batch: Away("too often", 1.0, is_busy=True)
    site.go_on(29)
    assert site.told == []
    site.go_on(5)
    assert site.told == ["too often; nothing is lost, it is tried again until it works"]


def test_a_message_that_is_refused_is_left_out_and_told(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    hospital.say("said", about="lost:1")
    hospital.say("said")
    site.go_on(1)
    assert site.hub.numbers("run.a.jsonl") == [1, 3]
    assert site.told == [
        "a of run: a message is left out, the server does not take it: Line 3 (message 2): `about` is the hub's to say."
    ]
    assert site.shipper.refused == 1


def test_a_journal_that_is_refused_holds_up_no_other(site: Site) -> None:
    site.hospital("a").say("said")
    site.hospital("b").say("said")
    site.hub.instead = lambda batch: Refused(403, "not yours") if batch.writer == "writera" else None
    site.go_on(60)
    assert site.hub.numbers("run.b.jsonl") == [1]
    assert site.told == ["a of run: the server takes nothing of it: not yours"]
    assert Counter(batch.writer for batch in site.hub.batches)["writera"] == 1


def test_many_old_journals_do_not_hold_up_a_new_line(site: Site) -> None:
    for number in range(200):
        facts = {"writer": f"old{number}", "run_id": f"old{number}"}
        (site.directory / f"old{number}.ward.jsonl").write_bytes(body(line(1), end_line(2), **facts))
        site.states[f"old{number}.ward.jsonl"] = State.CLOSED
    hospital = site.hospital()
    hospital.say("said")
    sent_at: list[float] = []

    def takes_its_time(batch: Batch) -> None:
        if batch.writer == "writera" and batch.lines:
            sent_at.append(site.time.now)
        site.time.pass_by(0.05)

    site.hub.instead = takes_its_time  # type: ignore[assignment]
    site.time.at(2.0, lambda: hospital.say("said"))
    site.go_on(12)
    assert sent_at[0] < 0.2
    assert 2.0 <= sent_at[1] < 2.2


def test_a_wrong_token_ends_it(site: Site) -> None:
    def refuse(batch: Batch) -> Answer:
        raise CannotShip("who are you?")

    site.hospital().say("said")
    site.hub.instead = refuse
    with pytest.raises(CannotShip):
        site.go_on(1)


def test_once_ends_when_everything_that_was_there_is_there(site: Site) -> None:
    for client in ("a", "b"):
        hospital = site.hospital(client)
        for _ in range(1000):
            hospital.say("said", data="x" * 2000)
    site.shipper.run(once=True)
    assert site.hub.numbers("run.a.jsonl") == site.hub.numbers("run.b.jsonl") == list(range(1, 1001))
    assert list(site.shipper.unfinished()) == []
    assert max(len(b"".join(batch.lines)) for batch in site.hub.batches) <= 900_000


def test_once_gives_up_on_a_server_that_stays_away(site: Site) -> None:
    site.hospital().say("said")
    site.hub.instead = lambda batch: Away("gone")
    with pytest.raises(TimeoutError):
        site.shipper.run(once=True, patience_s=60)
    assert 60 <= site.time.now < 100
    assert list(site.shipper.unfinished()) == [("a of run", 0)]


def test_a_directory_that_goes_and_comes_back_is_shipped_on(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.go_on(1)
    site.directory.rename(site.directory.with_name("elsewhere"))
    site.go_on(20)
    site.directory.with_name("elsewhere").rename(site.directory)
    hospital.say("said")
    site.go_on(2)
    assert site.hub.numbers("run.a.jsonl") == [1, 2]


def test_a_journal_that_another_writer_replaced_is_another_journal(site: Site) -> None:
    path = site.directory / "run.ward.jsonl"
    path.write_bytes(body(line(1), line(2), writer="first"))
    site.go_on(1)
    (site.directory / "new.tmp").write_bytes(body(line(1), writer="second"))
    (site.directory / "new.tmp").rename(path)
    site.go_on(2)
    assert site.hub.numbers("run.ward~2.jsonl") == [1]


def test_a_message_body_is_never_changed_on_the_way(site: Site) -> None:
    odd = {"data": "ünï\u2028\U0001f600 \\u0000 </script>", "z": 1e-7, "big": 2**60}
    site.hospital().say("said", **odd)
    site.go_on(1)
    (entry,) = JournalReader(site.hub.directory / "run.a.jsonl").read()
    assert isinstance(entry, Line)
    said = msgspec.json.decode(entry.body)
    assert {key: said[key] for key in odd} == odd


def test_where_nothing_tells_of_changes_it_looks_often(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    watch = PollingWatch(0.001)
    alive = Shipper(site.directory, site.hub, watch=watch, tell=site.told.append, state=lambda path: State.ALIVE)
    alive.run(once=True)
    assert site.hub.numbers("run.a.jsonl") == [1]
    hospital.say("said")
    site.hospital("b").say("said")
    alive.turn(watch.wait(1.0))
    assert site.hub.numbers("run.a.jsonl") == [1, 2]
    assert site.hub.numbers("run.b.jsonl") == [1]


def test_what_the_server_wishes_lies_beside_the_journal_while_its_writer_lives(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.hub.instead = lambda batch: Acked(len(batch.lines), Wish("stop", "enough", "Ada"))
    site.go_on(1)
    found = CancelWatch(site.directory, "run").asked()
    assert found is not None
    assert (found.reason, found.by) == ("enough", "Ada")
    assert "a of run: asked to stop by Ada: enough" in site.told
    site.go_on(10)
    assert sum("asked to stop" in words for words in site.told) == 1


def test_a_training_waits_as_long_as_the_server_says_so_and_goes_on_by_its_word(site: Site) -> None:
    hospital = site.hospital()
    hospital.say("said")
    site.hub.instead = lambda batch: Acked(len(batch.lines), Wish("pause", "the card is needed", "Ada"))
    site.go_on(1)
    found = pause_of(site.directory, "run")
    assert found is not None
    assert (found.reason, found.by) == ("the card is needed", "Ada")
    site.hub.instead = lambda batch: Acked(len(batch.lines), Wish("go_on", by="Bob"))
    # It says nothing while it waits: the shipper asks for it.
    site.go_on(1)
    assert pause_of(site.directory, "run") is None
    assert resumed_by(site.directory, "run", found) == "Bob"
    assert "a of run: asked to wait by Ada: the card is needed" in site.told
    assert "a of run: let go on by Bob" in site.told


def test_a_training_that_somebody_here_asked_to_wait_waits_for_somebody_here(site: Site) -> None:
    request_pause(site.directory, "run", by="the ward")
    site.hospital().say("said")
    site.hub.instead = lambda batch: Acked(len(batch.lines), Wish("go_on", by="Bob"))
    site.go_on(3)
    assert pause_of(site.directory, "run") is not None


def test_one_that_has_died_is_asked_nothing(site: Site) -> None:
    site.hospital().say("said")
    site.states["run.a.jsonl"] = State.DEAD
    site.hub.instead = lambda batch: Acked(1, Wish("stop"))
    site.go_on(3)
    assert CancelWatch(site.directory, "run").asked() is None


def test_a_shipper_that_does_not_obey_leaves_nothing(site: Site) -> None:
    site.shipper._obeys = False
    site.hospital().say("said")
    site.hub.instead = lambda batch: Acked(len(batch.lines), Wish("stop"))
    site.go_on(3)
    assert CancelWatch(site.directory, "run").asked() is None


def test_many_trainings_are_vouched_for_less_often(site: Site) -> None:
    for number in range(40):
        site.hospital(f"c{number}").say("said")
    site.go_on(20)
    before = len(site.hub.batches)
    site.go_on(40)
    # Each of 40, every eight seconds.
    assert 4 * 40 <= len(site.hub.batches) - before <= 6 * 40
