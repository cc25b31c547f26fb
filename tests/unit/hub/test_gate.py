"""A directory is shipped through a release policy: noted before it leaves, at a rate, once. Time is simulated."""

from __future__ import annotations

from pathlib import Path
from random import Random

from simulated_site import Hospital, SimulatedTime

from federated_pneumonia_detection.hub.shipping.gate import Gate
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.outbox import Acked, Answer, Away, Batch
from federated_pneumonia_detection.hub.shipping.policy import Policy
from federated_pneumonia_detection.hub.shipping.release_ledger import ReleaseLedger, departures, read_ledger
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.hub.shipping.shipper import Shipper
from federated_pneumonia_detection.progress.liveness import State

POLICY = Policy(clients=("a",), runs=("run",), metrics=("train_loss", "val_auroc"), steps=2)


class Site:
    def __init__(self, tmp_path: Path, policy: Policy = POLICY) -> None:
        self.time, self.told = SimulatedTime(), list[str]()
        self.directory, self.account = tmp_path / "site", tmp_path / "account"
        self.directory.mkdir()
        (tmp_path / "hub").mkdir()
        self.mirrors = Mirrors(tmp_path / "hub")
        self.sent: list[tuple[float, Batch]] = []
        self.is_away = False
        self.policy = policy
        self.start()

    def start(self) -> None:
        """Start the shipper (again)."""
        gate = Gate(
            self.policy,
            ReleaseLedger(self.account, "there", self.policy.digest),
            tell=self.told.append,
            directory=str(self.directory),
        )
        self.shipper = Shipper(
            self.directory,
            self,
            watch=self.time,
            tell=self.told.append,
            clock=self.time,
            random=Random(1),
            state=lambda path: State.ALIVE,
            gate=gate,
        )

    def send(self, batch: Batch) -> Answer:
        self.sent.append((self.time.now, batch))
        if self.is_away:
            return Away("nobody is there")
        shipment = parse(b"".join([batch.header, *batch.lines]))
        return Acked(self.mirrors.take(shipment, Delivery("here", batch.state, batch.skipped)))

    def go_on(self, seconds: float) -> None:
        until = self.time.now + seconds
        changed: set[str] | None = None
        while self.time.now < until:
            self.shipper.turn(changed)
            changed = self.time.wait(min(max(0.05, self.shipper.pause()), until - self.time.now))

    def hospital(self, rounds: int) -> None:
        hospital = Hospital(self.time, self.directory, "run", "a")
        for round_ in range(1, rounds + 1):
            hospital.say("round_end", round=round_, fit_metrics={"train_loss": 0.5}, eval_metrics={"x": 1})


def test_what_was_sent_again_after_a_death_is_counted_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.hospital(5)
    site.is_away = True
    site.go_on(10)
    (account,) = site.account.glob("*.jsonl")
    with account.open("ab") as file:
        file.write(b'{"time":"torn')
    site.start()
    site.is_away = False
    site.go_on(120)
    (row,) = departures(read_ledger(site.account))
    assert (row.types, row.metrics) == ({"round_end": 5}, {"train_loss": 5})
    assert row.withheld == {"other metrics (1 not on the list)": 5}
    assert (row.run_id, row.client_id, row.to) == ("run", "a", "there")
    assert site.shipper.is_there


def test_what_cannot_be_noted_does_not_leave(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.account.write_text("a file in the account's place")
    site.hospital(1)
    site.go_on(10)
    assert site.sent == []
    assert any("cannot be noted" in words and "stays" in words for words in site.told)
    site.account.unlink()
    site.go_on(60)
    assert site.shipper.is_there
    assert [len(batch.lines) for _, batch in site.sent if batch.lines] == [1]


def test_so_many_messages_a_minute_leave_and_all_of_them_in_the_end(tmp_path: Path) -> None:
    site = Site(tmp_path, Policy(clients=("a",), runs=("run",), metrics=(), messages_per_minute=6))
    site.hospital(12)
    site.go_on(29)
    in_time = sum(len(batch.lines) for _, batch in site.sent)
    assert 6 <= in_time <= 6 + 3
    site.go_on(60)
    assert sum(len(batch.lines) for _, batch in site.sent) == 12
    assert site.shipper.is_there
    # Who lives is vouched for meanwhile.
    assert any(not batch.lines and batch.state == "alive" for _, batch in site.sent)


def test_the_sites_own_people_are_told_once_each_and_another_machines_journal_stays(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.hospital(3)
    Hospital(site.time, site.directory, "run", "b").say("said")
    site.go_on(5)
    assert [words for words in site.told if "x (not on the list)" in words] == [
        "a of run: withheld: x (not on the list)"
    ]
    assert sum("'b' is not one of this machine's" in words for words in site.told) == 1
    assert b'"withheld":{"x":"not on the list"}' in (site.directory / "run.hub.jsonl").read_bytes()
    assert {batch.writer for _, batch in site.sent} == {
        batch.writer for _, batch in site.sent if b'"a"' in batch.header
    }


def test_another_policy_counts_what_leaves_again_by_it(tmp_path: Path) -> None:
    site = Site(tmp_path, Policy(clients=("a",), runs=("run",), metrics=()))
    site.hospital(3)
    site.is_away = True
    site.go_on(3)
    site.policy, site.is_away = POLICY, False
    site.start()
    site.go_on(5)
    (row,) = departures(read_ledger(site.account))
    assert (row.types["round_end"], row.metrics["train_loss"]) == (3, 3)
