"""Life and death: what follows from who writes, who has stopped and who has died. Pure; the clock is a value."""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from federated_pneumonia_detection.hub.state import ClientState, RunState, ended
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
    pid: int
    host: str
    heard_at: float
    """When something was last written to it, in seconds since 1970."""
    directory: str


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
    """What is to be said about a run.

    Args:
        state: What is known of it.
        witnesses: Its journals, without the hub's own.
        now: The present, in seconds since 1970.
        report: How its process ended, where somebody knows.
    """
    if ended(state) or not witnesses:
        return []
    told = set(state.told)
    begun = seconds(state.begun) if state.attempt > 1 else None
    if begun is not None:
        # Who was done before this attempt began has nothing to do with it.
        witnesses = [witness for witness in witnesses if witness.alive or witness.heard_at >= begun]
    leaders = [witness for witness in witnesses if witness.client_id is None]
    fallen = [witness for witness in leaders if witness.died and _death(witness) not in told]
    if fallen and not any(witness.alive for witness in leaders):
        return [_run_died(state, max(fallen, key=lambda witness: witness.heard_at), report)]
    found = [_child_died(witness) for witness in fallen]
    found += _client_deaths(state, witnesses, told)
    if not found and witnesses and (lost := _lost(witnesses, now)) is not None:
        found.append(lost)
    return [verdict for verdict in found if verdict.about not in told]


def _death(witness: Witness) -> str:
    return f"death:{witness.writer}"


def _run_died(state: RunState, witness: Witness, report: ExitReport | None) -> Verdict:
    how, detail = _how(witness, report)
    body = {
        "type": "training_error",
        "error": f"The training process {how}.",
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
        "text": f"{whose} (pid {witness.pid}) ended without a word; the others go on.",
    }
    return Verdict(_death(witness), body, witness.directory)


def _client_deaths(state: RunState, witnesses: Sequence[Witness], told: set[str]) -> list[Verdict]:
    found: list[Verdict] = []
    for witness in witnesses:
        if witness.client_id is None or not witness.died or _death(witness) in told:
            continue
        client = next((c for c in state.clients if c.client_id == witness.client_id), ClientState(witness.client_id))
        others = [other for other in witnesses if other.client_id == witness.client_id and other.alive]
        if others:
            found.append(_child_died(witness))
        elif client.end is None:
            body = {
                "type": "client_failed",
                "client_id": witness.client_id,
                "round": client.round or state.round or None,
                "error": f"Its process (pid {witness.pid}) ended without a word",
            }
            found.append(Verdict(_death(witness), body, witness.directory))
    return found


def _lost(witnesses: Sequence[Witness], now: float) -> Verdict | None:
    if any(witness.alive and not witness.remote for witness in witnesses):
        return None
    last = max(witnesses, key=lambda witness: witness.heard_at)
    silent_s = now - last.heard_at
    remote = [witness for witness in witnesses if witness.alive]
    if remote and silent_s >= REMOTE_LOST_AFTER_S:
        text = f"no word from {remote[0].host} for a minute"
    elif not remote and silent_s >= LOST_AFTER_S:
        text = "it ended without saying how"
    else:
        return None
    body = {"type": "alert", "level": "warning", "title": "Nothing more is heard of this run", "text": text}
    return Verdict(f"lost:{int(last.heard_at)}", body, last.directory)


def _how(witness: Witness, report: ExitReport | None) -> tuple[str, str | None]:
    detail = "\n".join(report.last_lines) or None if report else None
    if report is not None and report.signal is not None:
        return f"was killed by signal {report.signal}{_signal_name(report.signal)}", detail
    if report is not None and report.code is not None:
        return f"ended with exit code {report.code} without a word", detail
    return f"(pid {witness.pid}) ended without a word", detail


def _signal_name(number: int) -> str:
    try:
        return f" ({signals.Signals(number).name})"
    except ValueError:
        return ""
