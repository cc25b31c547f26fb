"""Three sites that were away for hours or days: however their journals come together, the result is the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from interleaved import Server, Written, differences
from machines import fresh, seeded

HOUR_S = 3600.0
SITES = ("hospital_a", "hospital_b", "hospital_c")
skews = st.sampled_from([0.0, 1.0, -90.0, 5 * HOUR_S, -11 * HOUR_S, 26 * HOUR_S])


@st.composite
def journals(draw: st.DrawFn) -> list[Written]:
    """What a server and three sites wrote of one run: each by its own clock, some dying, coming back, being late."""
    rounds = draw(st.integers(1, 3))
    leads = draw(st.booleans())
    server = Written("server", None)
    found = [server] if leads else []
    if leads:
        config = {"num_clients": len(SITES), "num_rounds": rounds}
        server.say("run_start", 0, experiment_name="exp", mode="federated", config=config, total_rounds=rounds)
        for round_ in range(1, rounds + 1):
            server.say("round_start", round_ * 600, round=round_, total_rounds=rounds)
    for number, site in enumerate(SITES):
        found += draw(of_a_site(site, number, rounds, server if leads else None))
    if leads:
        for round_ in range(1, rounds + 1):
            metrics = {"val_auroc": 0.5 + round_ / 10, "num_samples": 30}
            server.say("round_aggregated", round_ * 600 + 500, round=round_, metrics=metrics, num_clients=3)
        end = draw(st.sampled_from(["training_complete", "training_error", "training_cancelled", None]))
        if end is not None:
            more = {"training_complete": {"final_metrics": {"val_auroc": 0.8}}, "training_error": {"error": "why"}}
            server.say(end, rounds * 600 + 590, **more.get(end, {}))
    return found


@st.composite
def of_a_site(draw: st.DrawFn, site: str, number: int, rounds: int, server: Written | None) -> list[Written]:
    """One site's journals; after a death there is another one."""
    written = Written(f"{site[-1]}1", site, skew_s=draw(skews))
    found = [written]
    for round_ in range(1, rounds + 1):
        at = round_ * 600.0 + 7 * number
        fate = draw(st.sampled_from(["trains"] * 5 + ["dies", "fails", "is away", "clock is set"]))
        if fate == "is away":
            continue
        if fate == "clock is set":
            written.skew_s = draw(skews)
        written.say("round_start", at, round=round_, total_rounds=rounds)
        for epoch in (1, 2):
            metrics = {"train_loss": 1 / (round_ + epoch)}
            written.say(
                "step", at + 9, round=round_, epoch=epoch, step=epoch, total_steps=2, phase="train", metrics=metrics
            )
            if fate == "dies" and epoch == 2:
                break
            written.say("local_epoch", at + 20 * epoch, round=round_, local_epoch=epoch, metrics=metrics)
        if fate == "fails":
            written.say("training_error", at + 50, round=round_, error="no disk")
        if fate in ("dies", "fails"):
            if server is not None and draw(st.booleans()):
                server.say("client_failed", at + 60, round=round_, client_id=site, error="it does not answer")
            written = Written(f"{site[-1]}{len(found) + 1}", site, skew_s=draw(skews))
            found.append(written)
            continue
        withheld = {"withheld": {"val_auroc": f"n {round_} < 20"}} if draw(st.booleans()) else {}
        evaluated = {"val_loss": 1 / round_, "num_samples": 10 + round_}
        written.say("round_end", at + 70, round=round_, fit_metrics={}, eval_metrics=evaluated, **withheld)
    if draw(st.booleans()):
        written.say("training_complete", rounds * 600 + 80, final_metrics={})
    return [one for one in found if one.lines]


@st.composite
def deliveries(draw: st.DrawFn, written: list[Written]) -> list[tuple[str, int, int, int]]:
    """Pieces of the journals in any order between them, some of them again, and what befalls the server meanwhile."""
    there = [0] * len(written)
    found: list[tuple[str, int, int, int]] = []
    while any(at < len(one.lines) for at, one in zip(there, written, strict=True)):
        open_ = [i for i, one in enumerate(written) if there[i] < len(one.lines)]
        which = draw(st.sampled_from(open_))
        again = draw(st.integers(0, min(3, there[which])))
        last = there[which] + draw(st.integers(1, len(written[which].lines) - there[which]))
        found.append(("take", which, there[which] - again, last))
        there[which] = last
        befalls = draw(st.sampled_from(["read", "read", "wait", "restart", "lose the log"]))
        if befalls != "wait":
            found.append((befalls, 0, 0, 0))
    return found


def come_together(directory: Path, written: list[Written], script: list[tuple[str, int, int, int]]) -> dict[str, Any]:
    server = Server(directory)
    for what, which, first, last in script:
        if what == "take":
            server.take(written[which], first, last)
        elif what == "restart":
            server.start()
        elif what == "lose the log":
            server.lose_the_log()
        else:
            server.read()
    server.read()
    return server.result()


def one_by_one(written: list[Written]) -> list[tuple[str, int, int, int]]:
    return [("take", which, 0, len(one.lines)) for which, one in enumerate(written)] + [("read", 0, 0, 0)]


def _holds(data: st.DataObject) -> None:
    written = data.draw(journals())
    assume(written)
    script = data.draw(deliveries(written))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("one", "other"):
            Path(folder, name).mkdir()
        expected = come_together(Path(folder, "one"), written, one_by_one(written))
        found = come_together(Path(folder, "other"), written, script)
    assert differences(expected, found) == []


@seeded(60)
@given(data=st.data())
def test_any_interleaving_of_the_sites_journals_gives_one_result(data: st.DataObject) -> None:
    _holds(data)


@pytest.mark.long
@pytest.mark.timeout(1800)
@fresh(3000)
@given(data=st.data())
def test_many_more_interleavings_give_one_result(data: st.DataObject) -> None:
    _holds(data)
