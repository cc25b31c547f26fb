"""Life and death: what follows from who writes, who has stopped and who has died. Pure; the clock is a value."""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from federated_pneumonia_detection.hub.state import ClientState, RunState, ended, is_halted, is_lost
from federated_pneumonia_detection.hub.times import seconds

__all__ = ["ExitReport", "Verdict", "Witness", "verdicts"]

LOST_AFTER_S = 600.0
"""How long after its last word a run whose writers ended normally, and did not say how, counts as lost."""
REMOTE_LOST_AFTER_S = 60.0
"""How long nobody may have vouched for a writer on another machine."""


class ExitReport(msgspec.Struct, frozen=True):
    """How a process of ours ended."""

    code: int | None = None
    """Its exit code; `None` when a signal ended it or nobody knows."""
    signal: int | None = None
    for_memory: bool = False
    """The kernel ended it for want of memory, it seems."""
    last_lines: tuple[str, ...] = ()


class Witness(NamedTuple):
    """One journal of a run, as far as it tells who lives."""

    writer: str
    client_id: str | None
    alive: bool
    """Its writer lives, or nothing proves that it does not."""
    died: bool
    """Its writer is proved dead, and everything it wrote has been read."""
    remote: bool
    """It runs on another machine: nobody here sees its process."""
    pid: int
    host: str
    heard_at: float
    """When something was last written to it, or its machine last vouched for it, in seconds since 1970."""
    directory: str
    started_at: float | None = None
    """When its writer began it, by that machine's clock then, in seconds since 1970."""
    report: ExitReport | None = None
    """How its process ended, where somebody saw it."""
    halted_since: float | None = None
    """Since when its process is stopped by a signal, in seconds since 1970; `None` where it is not, or nobody knows."""


class Verdict(NamedTuple):
    """Something the hub has to say about a run."""

    about: str
    """What it is about: it is said once."""
    body: dict[str, Any]
    directory: str
    needs_report: bool = False
    """The supervisor of the process may know more."""


def verdicts(
    state: RunState, witnesses: Sequence[Witness], *, now: float, report: ExitReport | None = None
) -> list[Verdict]:
    """What is to be said about a run; from its second attempt on it says of which.

    Args:
        state: What is known of it.
        witnesses: Its journals, without the hub's own.
        now: The present, in seconds since 1970.
        report: How its process ended, where somebody knows.
    """
    found = _verdicts(state, witnesses, now=now, report=report)
    if state.attempt == 1:
        return found
    return [verdict._replace(body={**verdict.body, "attempt": state.attempt}) for verdict in found]


def _verdicts(state: RunState, witnesses: Sequence[Witness], *, now: float, report: ExitReport | None) -> list[Verdict]:
    if state.status == "lost" and not any(witness.remote for witness in witnesses):
        return []
    if not witnesses or (ended(state) and state.status != "lost"):
        return []
    told = set(state.told)
    witnesses = _of_each_writer(witnesses)
    begun = seconds(state.begun) if state.attempt > 1 else None
    if begun is not None:
        # Who was done before this attempt began has nothing to do with it; who began it has, wherever a clock went.
        first = _who_began(witnesses, begun)
        witnesses = [w for w in witnesses if w.alive or w.heard_at >= begun or w is first]
    leaders = [witness for witness in witnesses if witness.client_id is None]
    fallen = [witness for witness in leaders if witness.died and _death(witness) not in told]
    if fallen and not any(witness.alive for witness in leaders):
        return [_run_died(state, max(fallen, key=lambda witness: witness.heard_at), report)]
    found = [_child_died(witness) for witness in fallen]
    found += _client_deaths(state, witnesses, told)
    found += _halts(state, [witness for witness in witnesses if witness.alive], told)
    if not found and witnesses:
        found = _silences(state, witnesses, now)
    return [verdict for verdict in found if verdict.about not in told]


def _of_each_writer(witnesses: Sequence[Witness]) -> list[Witness]:
    """Of a journal and its copies (a backup that lags behind, a mirror of what is here too) the one that tells most."""
    best: dict[str, Witness] = {}
    for witness in witnesses:
        known = best.get(witness.writer)
        if known is None or _tells_less(witness) < _tells_less(known):
            best[witness.writer] = witness
    return list(best.values())


def _tells_less(witness: Witness) -> tuple[int, float]:
    # A last line stands for itself; then who is seen to live, or to have died, before who is only heard of.
    if not witness.alive:
        return (2 if witness.died else 0), -witness.heard_at
    return (3 if witness.remote else 1), -witness.heard_at


def _who_began(witnesses: Sequence[Witness], begun: float) -> Witness | None:
    """Whose first message began the attempt: of those who lead, whoever made its journal with it, a moment apart."""
    leaders = [w for w in witnesses if w.client_id is None and w.started_at is not None]
    return min(leaders, key=lambda witness: abs((witness.started_at or 0.0) - begun), default=None)


def _death(witness: Witness) -> str:
    return f"death:{witness.writer}"


def _run_died(state: RunState, witness: Witness, report: ExitReport | None) -> Verdict:
    known = report if report is not None else witness.report
    detail = "\n".join(known.last_lines) or None if known is not None else None
    body = {
        "type": "training_error",
        "error": f"The training process{'' if known is not None else f' ({_process(witness)})'} {_how(known)}.",
        "detail": detail,
        "attempt": state.attempt,
    }
    return Verdict(_death(witness), body, witness.directory, needs_report=report is None)


def _child_died(witness: Witness) -> Verdict:
    whose = "A process of this run" if witness.client_id is None else f"A process of {witness.client_id}"
    body = {
        "type": "alert",
        "level": "warning",
        "title": f"{whose} died",
        "text": f"{whose} ({_process(witness)}) {_how(witness.report)}; the others go on.",
    }
    return Verdict(_death(witness), body, witness.directory)


def _client_deaths(state: RunState, witnesses: Sequence[Witness], told: set[str]) -> list[Verdict]:
    found: list[Verdict] = []
    for witness in witnesses:
        if witness.client_id is None or not witness.died or _death(witness) in told:
            continue
        client = next((c for c in state.clients if c.client_id == witness.client_id), ClientState(witness.client_id))
        others = [other for other in witnesses if other.client_id == witness.client_id and other.alive]
        is_idle = state.led and client.sent_round >= client.round > 0
        if others or (client.end is None and is_idle and _serves_others(witness, witnesses)):
            found.append(_child_died(witness))
        elif client.end is None:
            found.append(_client_died(state, client, witness, is_idle=is_idle))
    return found


def _client_died(state: RunState, client: ClientState, witness: Witness, *, is_idle: bool) -> Verdict:
    how = f"Its process ({_process(witness)}) {_how(witness.report)}"
    body: dict[str, Any] = {"client_id": witness.client_id}
    if is_idle:
        # It has sent: nothing of this round is lost with it, and whether it comes back for the next one, nobody knows.
        title = f"{witness.client_id} died between two rounds"
        body |= {"type": "alert", "level": "warning", "title": title, "text": how}
    else:
        body |= {"type": "client_failed", "round": client.round or state.round or None, "error": how}
    return Verdict(_death(witness), body, witness.directory)


def _serves_others(witness: Witness, witnesses: Sequence[Witness]) -> bool:
    """Whether its process has written for other clients too: a simulation lends one to whoever's turn it is."""
    same = [other for other in witnesses if (other.host, other.pid) == (witness.host, witness.pid)]
    return any(other.client_id != witness.client_id for other in same)


# --- stopped by a signal ----------------------------------------------------------------------------------------


def _halts(state: RunState, alive: Sequence[Witness], told: set[str]) -> list[Verdict]:
    """Whose process is stopped by a signal, and whose goes on again."""
    leaders = [witness for witness in alive if witness.client_id is None]
    found = [_halt(state, leaders)]
    for client in state.clients:
        its = [witness for witness in alive if witness.client_id == client.client_id]
        # One process may be several clients, and the run itself: then the run's halt says it all.
        if client.end is None and not any(w.halted_since and w.pid in {own.pid for own in leaders} for w in its):
            found.append(_halt(client, its))
    return [verdict for verdict in found if verdict is not None and verdict.about not in told]


def _halt(of: RunState | ClientState, its: Sequence[Witness]) -> Verdict | None:
    client_id = of.client_id if isinstance(of, ClientState) else None
    whom = {} if client_id is None else {"client_id": client_id}
    mark = "" if client_id is None else f"{client_id}:"
    halted = [witness for witness in its if witness.halted_since is not None]
    if its and len(halted) == len(its):
        last = max(halted, key=lambda witness: witness.halted_since or 0.0)
        what = "the training process" if client_id is None else "its process"
        body = {
            "level": "warning",
            "title": f"{'The training' if client_id is None else client_id} is stopped by a signal",
            "text": f"{what} ({_process(last)}) is stopped by a signal",
        }
        return Verdict(
            f"halted:{last.writer}:{int(last.halted_since or 0)}", {"type": "alert", **body, **whom}, last.directory
        )
    if its and of.halted is not None and is_halted(of) and not halted:
        body = {"level": "info", "title": "It goes on", "text": f"its process ({_process(its[0])}) was continued"}
        return Verdict(f"heard:{mark}{of.halted[0]}", {"type": "alert", **body, **whom}, its[0].directory)
    return None


# --- silence ----------------------------------------------------------------------------------------------------


def _silences(state: RunState, witnesses: Sequence[Witness], now: float) -> list[Verdict]:
    """Of whom nothing is heard any more, and who is heard again: the run, else its clients one by one."""
    alive = [witness for witness in witnesses if witness.alive]
    # Where somebody leads the run whose journal lies elsewhere, whoever sees that journal judges the run.
    if not state.led or any(witness.client_id is None for witness in witnesses):
        leaders = [witness for witness in alive if witness.client_id is None]
        of_run = _silence(state, leaders or alive, witnesses, now, elsewhere=_heard_elsewhere(state, witnesses, now))
        if of_run is not None:
            return [of_run]
        if is_lost(state):
            return []
    found: list[Verdict] = []
    for client in state.clients:
        its = [witness for witness in alive if witness.client_id == client.client_id]
        if its and client.end is None and (verdict := _silence(client, its, its, now)) is not None:
            found.append(verdict)
    return found


def _silence(
    of: RunState | ClientState, alive: Sequence[Witness], all_: Sequence[Witness], now: float, *, elsewhere: float = 0.0
) -> Verdict | None:
    """What is to be said of the silence of a run or a client; `alive` are those that might still speak."""
    if any(not witness.remote for witness in alive):
        return None
    last = max(alive or all_, key=lambda witness: witness.heard_at)
    heard_at = max(last.heard_at, elsewhere)
    client_id = of.client_id if isinstance(of, ClientState) else None
    mark = "" if client_id is None else f"{client_id}:"
    if of.lost is not None and is_lost(of):
        lost_at = seconds(of.lost[0])
        if not alive or lost_at is None or last.heard_at <= lost_at or now - last.heard_at >= REMOTE_LOST_AFTER_S:
            return None
        body = {"level": "info", "title": "Heard again", "text": f"{last.host} is heard again; it goes on"}
        about = f"heard:{mark}{of.lost[0]}"
    elif alive and now - heard_at >= REMOTE_LOST_AFTER_S:
        whose = "this run" if client_id is None else client_id
        text = f"no word from {last.host} for a minute"
        body = {"level": "warning", "title": f"Nothing more is heard of {whose}", "text": text}
        about = f"lost:{mark}{int(last.heard_at)}"
    elif not alive and now - heard_at >= LOST_AFTER_S:
        text = "it ended without saying how"
        body = {"level": "warning", "title": "Nothing more is heard of this run", "text": text}
        about = f"lost:{int(last.heard_at)}"
    else:
        return None
    whom = {} if client_id is None else {"client_id": client_id}
    return Verdict(about, {"type": "alert", **body, **whom}, last.directory)


def _heard_elsewhere(state: RunState, witnesses: Sequence[Witness], now: float) -> float:
    """When a client was last heard whose journal lies elsewhere: several servers may share a log."""
    here = {witness.client_id for witness in witnesses}
    heard = [seconds(client.heard) or 0.0 for client in state.clients if client.client_id not in here]
    return max((at for at in heard if at <= now), default=0.0)


# --- words ------------------------------------------------------------------------------------------------------


def _how(report: ExitReport | None) -> str:
    """How a process ended, as the end of a sentence about it."""
    if report is not None and report.signal is not None:
        want = ", for want of memory it seems" if report.for_memory else ""
        return f"was killed by signal {report.signal}{_signal_name(report.signal)}{want}"
    if report is not None and report.code is not None:
        return f"ended with exit code {report.code} without a word"
    return "was killed or crashed"


def _process(witness: Witness) -> str:
    return f"pid {witness.pid} on {witness.host}" if witness.remote else f"pid {witness.pid}"


def _signal_name(number: int) -> str:
    try:
        return f" ({signals.Signals(number).name})"
    except ValueError:
        return ""
