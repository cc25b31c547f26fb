"""The open round of a federated run in sentences: who has fallen, who is waited for, who is where.

What is wrong comes first and names who; then what the round does. Hospitals that were not asked in a round are none of
its business.
"""

from __future__ import annotations

from typing import NamedTuple

from federated_pneumonia_detection.hub.lateness import late_by, outlasts, usual_round
from federated_pneumonia_detection.hub.state import (
    ClientState,
    Condition,
    RunState,
    Stage,
    is_dead,
    is_halted,
)
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.hub.wording import (
    bare,
    duration_words,
    expected,
    joined,
    listed,
    of_total,
    shortened,
    within_brackets,
)

__all__ = ["Told", "ago", "round_told", "waiting_for"]

_CAUSE_LETTERS = 90
_NAMED_AT_MOST = 4
_UPDATE_LATE_S = 15.0


class Told(NamedTuple):
    """What is said of a run."""

    condition: Condition
    first: str
    """What happens, and why."""
    second: str = ""
    """Details and counts."""
    has_time_left: bool = False
    """The time left belongs behind it."""
    is_trouble: bool = False
    """It comes before everything else that may be said."""


class _Round:
    """Who is where in the open round."""

    def __init__(self, state: RunState, at: float) -> None:
        self.state, self.at = state, at
        stage = state.stage
        self.stage: Stage | None = stage if stage is not None and stage.round == state.round else None
        asked = self.stage.connected if self.stage is not None and self.stage.connected is not None else None
        self.asked = None if asked is None else set(asked)
        self.clients = [client for client in state.clients if self._takes_part(client)]
        self.fallen = [client for client in self.clients if self._fell_now(client)]
        self.sent = self._by("sent", "finished")
        self.at_work = [c for c in self._by("training", "late", "silent", "lost") if c not in self.fallen]
        self.total = len(self.asked) if self.asked is not None else expected(state)

    def _takes_part(self, client: ClientState) -> bool:
        return self.asked is None or client.client_id in self.asked or client.round >= self.state.round

    def _fell_now(self, client: ClientState) -> bool:
        """Whether it fell in this round, or is asked in it although it is dead."""
        if client.failed_round >= self.state.round and client.status == "failed":
            return True
        is_asked = self.asked is not None and client.client_id in self.asked
        return is_dead(client) and (is_asked or client.round >= self.state.round)

    def _by(self, *statuses: str) -> list[ClientState]:
        return [client for client in self.clients if client.status in statuses]

    def fell_before(self) -> list[ClientState]:
        """Who has fallen in an earlier round and did not come back."""
        fallen = [client for client in self.state.clients if client.status == "failed" or is_dead(client)]
        return [client for client in fallen if client not in self.fallen]


def round_told(state: RunState, at: float) -> Told:
    """The open round.

    Args:
        state: A federated run in a round; its clients are described already.
        at: The present, in seconds since 1970.
    """
    now = _Round(state, at)
    name = of_total("Round", state.round, state.total_rounds)
    if state.aggregated_round >= state.round and not any(is_dead(client) for client in now.fallen):
        done = f"{name} is done{_before(now)}."
        return Told("training", done, has_time_left=True)
    what = _condition(now)
    trouble = _trouble(now, name)
    if trouble is not None:
        return Told(what, trouble, joined(_causes(now), _counts(now)), has_time_left=True, is_trouble=True)
    return Told(what, f"{_course(now, name)}{_before(now)}.", has_time_left=True)


def waiting_for(state: RunState) -> int:
    """How many hospitals have neither sent nor failed in the open round."""
    now = _Round(state, 0.0)
    done = [
        client
        for client in now.clients
        if client.sent_round >= state.round
        or client.failed_round >= state.round
        or (client.end is not None and client.end.status == "failed")
    ]
    return max(0, now.total - len(done))


def ago(seen: tuple[str, str], at: float) -> str:
    """How long it is that something was seen: `12 s ago`, `just now`."""
    return _ago(at - (seconds(seen[0]) or at))


def _ago(duration_s: float) -> str:
    return "just now" if duration_s < 1 else f"{duration_words(duration_s)} ago"


# --- what it does -----------------------------------------------------------------------------------------------


def _condition(now: _Round) -> Condition:
    stage = now.stage
    if stage is not None and stage.name in ("aggregating", "evaluating"):
        return "aggregating" if stage.name == "aggregating" else "evaluating"
    if _late(now) or _outlasting(now) or _updates_late(now):
        return "waiting_for_straggler"
    held_up = [c for c in now.at_work if c.status in ("lost", "silent") or is_halted(c)]
    waited_for = [c for c in now.fallen if c.given_up < now.state.round]
    if (held_up or waited_for) and len(held_up) == len(now.at_work) and _none_to_come(now):
        return "waiting_for_straggler"
    if stage is None and not now.at_work and now.sent and _none_to_come(now):
        return "aggregating"
    return "training"


def _none_to_come(now: _Round) -> bool:
    return len(now.sent) + len(now.at_work) + sum(client not in now.sent for client in now.fallen) >= now.total


def _course(now: _Round, name: str) -> str:
    state, stage = now.state, now.stage
    if stage is not None and stage.name == "aggregating":
        return f"{name} is being aggregated"
    if stage is not None and stage.name == "evaluating":
        return f"{name} is being evaluated" + (f" by {listed(stage.connected)}" if stage.connected else "")
    all_sent = waiting_for(state) == 0 and bool(now.sent)
    if all_sent and stage is None:
        return f"{name} is being aggregated" if state.led else f"{name} is done"
    if all_sent:
        missing = _unanswered(now)
        whose = f"the update of {listed(missing)} is" if missing else "the updates are"
        return f"{name}: all have trained, {whose} on the way"
    if not now.at_work and not now.sent:
        return f"{name} has begun, nobody trains yet"
    if now.total > _NAMED_AT_MOST:
        return f"{name}: {len(now.sent)} of {now.total} hospitals have sent, {len(now.at_work)} train"
    return f"{name}: {', '.join(_who_is_where(now))}"


def _who_is_where(now: _Round) -> list[str]:
    training = [client.client_id for client in now.at_work]
    sent = [client.client_id for client in now.sent]
    waiting = [client.client_id for client in now.clients if client.status == "waiting"]
    parts = []
    if training:
        parts.append(f"{listed(training)} {'trains' if len(training) == 1 else 'train'}")
    if sent:
        parts.append(f"{listed(sent)} {'has' if len(sent) == 1 else 'have'} sent")
    heard = {client.client_id for client in now.clients}
    waiting += [name for name in (now.stage and now.stage.connected) or () if name not in heard]
    unheard = now.total - len(heard.union(waiting))
    if unheard > 0:
        waiting.append(f"{unheard} more" if waiting else f"{unheard}")
    if waiting:
        many = unheard > 1 or len(waiting) > 1
        parts.append(f"{listed(waiting)} {'have' if many else 'has'} not started")
    return parts


def _before(now: _Round) -> str:
    """Who has fallen in an earlier round, as the end of a sentence."""
    fallen = now.fell_before()
    if not fallen:
        return ""
    names, died = listed([client.client_id for client in fallen]), all(is_dead(client) for client in fallen)
    rounds = {client.failed_round or client.round for client in fallen}
    where = f" in round {min(rounds)}" if len(rounds) == 1 and min(rounds) else ""
    return f"; {names} {'died' if died else 'failed'}{where}"


# --- what is wrong ----------------------------------------------------------------------------------------------


def _trouble(now: _Round, name: str) -> str | None:
    if now.fallen:
        return f"{name}: {_fell(now)}."
    lost = [client for client in now.at_work if client.status == "lost"]
    if lost and lost[0].lost is not None:
        since = ago(max((c.lost for c in lost if c.lost is not None), key=lambda each: seconds(each[0]) or 0.0), now.at)
        names = listed([client.client_id for client in lost])
        return f"{name}: contact with {names} was lost {since}, {_may(lost)} still train."
    halted = [client for client in now.at_work if is_halted(client)]
    if halted and halted[0].halted is not None:
        since = ago(halted[0].halted, now.at)
        names = listed([client.client_id for client in halted])
        return f"{name}: {names} {_was(halted)} stopped by a signal {since} and {_does(halted)} nothing."
    late = _late(now)
    if late:
        by, client = late
        usual = usual_round(client) or 0.0
        told = f"late by {duration_words(by)}; its rounds usually take {duration_words(usual)}"
        return f"{name} is waiting for {client.client_id}, {told}."
    outlasting = _outlasting(now)
    if outlasting is not None:
        client, elapsed, slowest = outlasting
        told = f"{duration_words(elapsed)} so far; nobody else took more than {duration_words(slowest)}"
        return f"{name} is waiting for {client.client_id}, {told}."
    missing = _updates_late(now)
    if missing:
        are = "update of {} has" if len(missing) == 1 else "updates of {} have"
        since = duration_words(now.at - (_last_sent(now) or now.at))
        told = f"the {are.format(listed(missing))} not come"
        return f"{name}: all have trained {since} ago, but {told}."
    silent = [client for client in now.at_work if client.status == "silent"]
    if silent and len(silent) < len(now.at_work):
        names = listed([client.client_id for client in silent])
        heard = max(seconds(client.heard) or 0.0 for client in silent)
        return f"{name}: nothing from {names} for {duration_words(now.at - heard)}, {_may(silent)} still run."
    return None


def _fell(now: _Round) -> str:
    newest = max(now.fallen, key=_fell_at)
    died = is_dead(newest)
    alike = [client for client in now.fallen if is_dead(client) == died]
    verb = "died" if died else "failed"
    since = _ago(now.at - (_fell_at(newest) or now.at))
    who = listed([client.client_id for client in alike])
    cause = shortened(within_brackets(_cause(newest)), _CAUSE_LETTERS)
    return f"{who} {verb} {since} ({cause}); {_rest(now)}"


def _fell_at(client: ClientState) -> float:
    seen = client.died[0] if is_dead(client) and client.died is not None else client.failed_at
    return seconds(seen) or 0.0


def _cause(client: ClientState) -> str:
    return bare(client.died[1] if is_dead(client) and client.died is not None else client.error)


def _rest(now: _Round) -> str:
    """What becomes of the round without those who fell."""
    state = now.state
    left = [c.client_id for c in now.clients if c not in now.fallen]
    unheard = max(0, now.total - len(now.clients))
    if not left and not unheard:
        return "nobody is left in it"
    if state.aggregated_round >= state.round or all(client in now.sent for client in now.fallen):
        return f"the run goes on with {listed(left)}"
    awaited = any(client.given_up < state.round and client.sent_round < state.round for client in now.fallen)
    if awaited and now.asked is not None and not now.at_work and _none_to_come(now):
        return "the others have sent, and the server still waits for its answer"
    if not left:
        return "the round goes on without it"
    return f"the round goes on with {listed(left)}"


def _late(now: _Round) -> tuple[float, ClientState] | None:
    late = [(late_by(now.state, c, now.at), c) for c in now.at_work if c.status == "late"]
    return max(late, key=lambda each: (each[0], each[1].client_id), default=None)


def _outlasting(now: _Round) -> tuple[ClientState, float, float] | None:
    found = [(c, *took) for c in now.at_work if (took := outlasts(now.state, c, now.at)) is not None]
    return max(found, key=lambda each: (each[1], each[0].client_id), default=None)


def _unanswered(now: _Round) -> list[str]:
    stage = now.stage
    if stage is None or stage.name != "training" or stage.answered is None:
        return []
    answered = set(stage.answered)
    return [client.client_id for client in now.sent if client.client_id not in answered]


def _updates_late(now: _Round) -> list[str]:
    """Whose update the server has not got, although everybody has long trained."""
    last, missing = _last_sent(now), _unanswered(now)
    if not missing or last is None or waiting_for(now.state) or now.at - last < _UPDATE_LATE_S:
        return []
    return missing


def _last_sent(now: _Round) -> float | None:
    heard = [at for client in now.sent if (at := seconds(client.heard)) is not None]
    return max(heard, default=None)


def _may(clients: list[ClientState]) -> str:
    return "which may" if len(clients) > 1 else "it may"


def _was(clients: list[ClientState]) -> str:
    return "was" if len(clients) == 1 else "were"


def _does(clients: list[ClientState]) -> str:
    return "does" if len(clients) == 1 else "do"


# --- details ----------------------------------------------------------------------------------------------------


def _causes(now: _Round) -> str:
    """Causes that the first sentence had no room for."""
    told = [c for c in now.fallen if len(_cause(c)) > _CAUSE_LETTERS or c is not max(now.fallen, key=_fell_at)]
    return joined(*(f"{client.client_id}: {_cause(client)}." for client in told[:_NAMED_AT_MOST]))


def _counts(now: _Round) -> str:
    total = now.total
    if not total:
        return ""
    sent, training = len(now.sent), len(now.at_work)
    failed = sum(client not in now.sent for client in now.fallen)
    waiting = max(0, total - sent - training - failed)
    hospitals = "hospital" if total == 1 else "hospitals"
    parts = [f"{sent} of {total} {hospitals} {'has' if sent == 1 else 'have'} sent"]
    if training:
        parts.append(f"{training} {'is' if training == 1 else 'are'} training")
    if waiting:
        parts.append(f"{waiting} {'has' if waiting == 1 else 'have'} not started")
    if failed:
        parts.append(f"{failed} failed")
    return f"{', '.join(parts)}."
