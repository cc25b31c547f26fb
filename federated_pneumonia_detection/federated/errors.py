"""What can go wrong in a federated run.

FederatedError
├── UnknownStrategy      no such strategy, or no such setting of it
├── EngineMissing        what carries the run is not installed
├── AccountantMissing    what keeps account of privacy is not installed, and a limit is set
├── NoClients            nobody connected before the deadline
├── AllClientsFailed     a round brought no update at all
├── TooFewAnswers        a round brought fewer updates than the strategy can make a model of
├── SuperLinkLost        what carried the run between machines is gone
├── SuperLinkRefused     the SuperLink takes no run, or cannot be reached
└── RunCancelled         somebody asked for the end
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AccountantMissing",
    "AllClientsFailed",
    "EngineMissing",
    "FederatedError",
    "NoClients",
    "RunCancelled",
    "SuperLinkLost",
    "SuperLinkRefused",
    "TooFewAnswers",
    "UnknownStrategy",
]


class FederatedError(Exception):
    """Base of this part's errors. Its text is one clear line."""


class UnknownStrategy(FederatedError, ValueError):
    """A strategy, or a setting of one, that there is not; the text names the nearest one that there is."""


class EngineMissing(FederatedError):
    """The engine asked for is not installed; the text says how to get it."""


class AccountantMissing(FederatedError):
    """A privacy budget was set, and what keeps account of it is not installed; the text says how to get it."""


class TooFewAnswers(FederatedError):
    """Fewer clients sent an update than the strategy needs to keep its promise."""

    def __init__(self, round_num: int, strategy: str, answered: int, needed: int) -> None:
        self.round_num = round_num
        super().__init__(f"round {round_num}: {strategy} needs {needed} updates to be safe, and {answered} came")


class NoClients(FederatedError):
    """Fewer clients than needed were connected when the deadline came."""

    def __init__(self, connected: int, needed: int, waited_s: float) -> None:
        self.connected = connected
        self.needed = needed
        self.waited_s = waited_s
        super().__init__(
            f"{connected} of {needed} clients connected within {waited_s:g} s; start the others, or ask for fewer"
        )


class AllClientsFailed(FederatedError):
    """No client sent an update in `round_num`; `reasons` says of each why."""

    def __init__(self, round_num: int, reasons: Mapping[str, str]) -> None:
        self.round_num = round_num
        self.reasons = dict(reasons)
        who, why = next(iter(self.reasons.items()), ("nobody", "no client was asked"))
        others = len(self.reasons) - 1
        alike = others > 0 and len(set(self.reasons.values())) == 1
        tail = f" (and {others} more{', all the same' if alike else ''})" if others > 0 else ""
        super().__init__(f"all clients failed in round {round_num}: {who}: {why}{tail}")

    @property
    def detail(self) -> str:
        """Every client and its reason, a line each."""
        return "\n".join(f"{client_id}: {reason}" for client_id, reason in self.reasons.items())


class SuperLinkLost(FederatedError):
    """The SuperLink ended in the middle of a run; Flower cannot go on with it, but the weights are kept."""

    def __init__(self, rounds_done: int, run_id: str) -> None:
        self.rounds_done = rounds_done
        kept = (
            f"the weights of round {rounds_done} are kept: `fpd resume {run_id}` goes on from there"
            if rounds_done
            else "no round was done yet"
        )
        super().__init__(f"the SuperLink ended in round {rounds_done + 1}; {kept}")


class SuperLinkRefused(FederatedError):
    """The SuperLink cannot be reached, or did not take the run; the text says what it said."""


class RunCancelled(FederatedError):
    """The run was asked to stop, `by` whom and for what `reason`, where they said so."""

    def __init__(self, reason: str | None, by: str | None) -> None:
        self.reason = reason
        self.by = by
        super().__init__(f"cancelled by {by or 'somebody'}: {reason or 'no reason was given'}")
