"""A site that is shipped through a bad network for an hour gives what the same site gives without one in between."""

from __future__ import annotations

import time as real
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from proxy import Proxy
from simulated_site import BadNetwork, Hospital, SimulatedTime

from federated_pneumonia_detection.cli.delivery import HttpTransport
from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.shipping.outbox import Answer, Batch
from federated_pneumonia_detection.hub.shipping.shipper import Shipper
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.watch import best_watch
from federated_pneumonia_detection.progress import ProgressLogger, liveness
from federated_pneumonia_detection.server.serving import BackgroundServer, running
from federated_pneumonia_detection.server.settings import ServerSettings

RUN = "the-run"
HOUR_S = 3600.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BackgroundServer]:
    settings = ServerSettings(port=0, log_dir=tmp_path / "hub", page_dir=tmp_path / "page", max_runs=0)
    with running(settings) as background:
        yield background


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = real.monotonic() + 30
    while not condition():
        assert real.monotonic() < deadline, f"waited in vain until {what}"
        real.sleep(0.01)


def _state(hub: Hub) -> dict[str, Any]:
    """The run's state; when something was heard, by the server's clock, is all that shipping is allowed to change."""
    state = hub._ledger.state(RUN)
    assert state is not None
    told: dict[str, Any] = msgspec.to_builtins(state)
    told.pop("heard")
    for client in told["clients"]:
        for by_our_clock in ("heard", "began", "failed_at"):
            client.pop(by_our_clock)
        client["rounds"] = [{**each, "began": None} for each in client["rounds"]]
        client["failures"] = [{**each, "seen": None} for each in client["failures"]]
    return told


def _by_writer(hub: Hub) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """What each writer said, in order, as it said it."""
    store = hub._ledger.store
    found: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for message in [*store.read(after=0, limit=1_000_000), *store.steps(run_id=RUN)]:
        said = msgspec.json.decode(message.body)
        said.pop("received", None)
        found.setdefault(message.writer, []).append((message.n, said))
    for said_by in found.values():
        said_by.sort(key=lambda one: one[0])
    return found


def _ship_an_hour(server: BackgroundServer, site: Path, seed: int, *, step_s: float) -> tuple[BadNetwork, Shipper]:
    time, random = SimulatedTime(), Random(seed)
    site.mkdir()
    for number in range(3):
        # The third begins while nobody can be reached, and ends so, too.
        client = Hospital(time, site, RUN, f"hospital{number}")
        client.train(5, begin_s=10.0 + 200 * number, round_s=600.0, step_s=step_s)
    away = [(300.0, 420.0), (1000.0, 1900.0), (3300.0, 3550.0)]
    network = BadNetwork(time, random, away=away)
    transport = HttpTransport(server.url, httpx.Client(transport=network), site="ward")
    told: list[str] = []

    def state(path: str) -> liveness.State:
        return liveness.State.CLOSED if b'"journal_end"' in Path(path).read_bytes()[-300:] else liveness.State.ALIVE

    shipper = Shipper(site, transport, watch=time, tell=told.append, clock=time, random=random, state=state)
    changed: set[str] | None = None
    with transport:
        while time.now < HOUR_S or not shipper.is_there:
            assert time.now < 2 * HOUR_S, f"not there after another hour: {list(shipper.unfinished())} {told[-5:]}"
            shipper.turn(changed)
            changed = time.wait(shipper.pause())
    assert shipper.refused == 0
    assert sum("nothing is lost" in words for words in told) == sum("answers again" in words for words in told) > 0
    return network, shipper


def _compare(server: BackgroundServer, site: Path, seed: int, *, step_s: float) -> None:
    network, shipper = _ship_an_hour(server, site, seed, step_s=step_s)
    unsplit = Hub(MemoryStore())
    unsplit.follow(str(site))
    unsplit.start()
    try:
        expected = _by_writer(unsplit)
        count = sum(map(len, expected.values()))
        _until(lambda: sum(map(len, _by_writer(server.service.hub).values())) >= count, "all of it is in the log")
        shipped = _by_writer(server.service.hub)

        assert {writer: [n for n, _ in said] for writer, said in shipped.items()} == {
            writer: [n for n, _ in said] for writer, said in expected.items()
        }
        assert shipped == expected
        assert _state(server.service.hub) == _state(unsplit)
        assert _state(unsplit)["status"] == "completed"
    finally:
        unsplit.close()
    faults = {name: network.happened[name] for name in sorted(network.happened)}
    print(f"\nseed {seed}: {count} messages in an hour, lost 0, twice 0; {shipper.acked} acknowledged; {faults}")
    assert min(faults[name] for name in ("away", "cut there", "cut back", "repeated", "kept", "late", "delayed")) > 0


def test_an_hour_through_cuts_repeats_and_delays_changes_nothing(server: BackgroundServer, tmp_path: Path) -> None:
    _compare(server, tmp_path / "site", 1, step_s=10.0)


def test_a_wire_that_is_cut_amid_answers_changes_nothing(server: BackgroundServer, tmp_path: Path) -> None:
    site, told, random = tmp_path / "site", list[str](), Random(5)
    messages = 400
    with ProgressLogger(str(site), "exp", run_id=RUN) as logger:
        for number in range(messages):
            logger.log_custom_event("said", {"number": number, "noise": random.randbytes(4500).hex()})
    watch = best_watch()
    with Proxy(int(server.url.rpartition(":")[2])) as proxy:
        # So many bytes of the next answer come through: none, a piece of its head, nearly all of it.
        cuts = [600, 400, 100, 1, 0]

        def send_through(batch: Batch) -> Answer:
            proxy.splits = not batch.lines
            if batch.lines and cuts and proxy.connections():
                proxy.cut(after_bytes=cuts.pop())
            return transport.send(batch)

        client = httpx.Client(timeout=10, trust_env=False)
        with HttpTransport(f"http://127.0.0.1:{proxy.port}", client) as transport:
            through = SimpleNamespace(send=send_through)
            Shipper(site, through, watch=watch, tell=told.append, random=random).run(once=True)
    watch.close()
    assert cuts == []
    _until(lambda: server.service.hub.top >= messages, "all of it is in the log")
    ((_, said),) = _by_writer(server.service.hub).items()
    assert [m["data"]["number"] for _, m in said if m["type"] == "said"] == list(range(messages))
    assert any("nothing is lost" in words for words in told)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_more_hours_with_a_message_each_second(server: BackgroundServer, tmp_path: Path, seed: int) -> None:
    _compare(server, tmp_path / "site", seed, step_s=1.0)
