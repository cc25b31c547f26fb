"""An hour with cuts on an injected clock: contact is lost and found again, and nobody who lives is called dead."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from federated_pneumonia_detection.hub.fold import fold
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.hub.verdicts import Witness, verdicts
from federated_pneumonia_detection.hub.words import described

BEGAN_S = 1_800_000_000.0
VOUCH_S = 2.0


def at(second: float) -> str:
    return datetime.fromtimestamp(BEGAN_S + second, UTC).isoformat()


@pytest.mark.parametrize("seed", range(4))
def test_an_hour_of_cuts_is_lost_contact_at_times_and_never_a_death(seed: int) -> None:
    random = Random(seed)
    state = RunState("run")

    def take(**message: Any) -> None:
        nonlocal state
        state = fold(state, message)

    take(type="run_start", timestamp=at(0), mode="federated", config={"num_clients": 2}, total_rounds=1)
    take(type="stage", timestamp=at(0), stage="training", round=1, expected=2, connected=["near", "far"])
    for client in ("near", "far"):
        take(type="round_start", timestamp=at(0), client_id=client, round=1, total_rounds=1, received=at(0))
    is_cut, until, vouched, waiting = False, 60.0, 0.0, []
    seen, wrong_clock_s = Counter[str](), random.uniform(-86_400, 86_400)
    for second in range(1, 3600):
        if second >= until:
            is_cut = not is_cut
            until = second + random.uniform(1, 300 if is_cut else 90)
        waiting.append(at(second + wrong_clock_s))
        take(type="step", timestamp=at(second), client_id="near", round=1, epoch=1, step=second)
        if not is_cut and second % VOUCH_S == 0:
            vouched = second
            for told in waiting:
                take(type="step", timestamp=told, client_id="far", round=1, epoch=1, step=1, received=at(second))
            waiting.clear()
        common = {"alive": True, "died": False, "pid": 1, "directory": "/logs"}
        here = [
            Witness("w0", None, remote=False, host="here", heard_at=BEGAN_S + second, **common),
            Witness("w1", "near", remote=False, host="here", heard_at=BEGAN_S + second, **common),
            Witness("w2", "far", remote=True, host="beta", heard_at=BEGAN_S + vouched, **common),
        ]
        for verdict in verdicts(state, here, now=BEGAN_S + second):
            take(**verdict.body, about=verdict.about, timestamp=at(second))
        now = described(state, datetime.fromtimestamp(BEGAN_S + second, UTC))
        assert now.status == "running"
        assert not any(client.status == "failed" for client in now.clients)
        assert "died" not in now.sentence
        far = next(client for client in now.clients if client.client_id == "far")
        assert (far.status == "lost") == (second - vouched >= 60)
        assert ("contact with far was lost" in now.sentence) == (far.status == "lost")
        seen[far.status] += 1

    assert seen["lost"] > 100
    assert seen["training"] > 1000
