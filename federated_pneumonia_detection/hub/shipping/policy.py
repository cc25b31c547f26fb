"""What may leave a site: the operator's own word, read from a file that no training can change. Pure."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from federated_pneumonia_detection.hub.errors import ReleaseWrong
from federated_pneumonia_detection.hub.shipping.vocabulary import matching

__all__ = ["EXAMPLE", "Policy", "policy_of"]

EXAMPLE = """\
# What leaves this hospital. Give it to the shipper: fpd ship LOG_DIR --to URL --release release.yaml
# What is not named here stays; the server's page says what was withheld, and why.

# For which client ids this machine speaks (as its token does). Journals of others stay.
clients: [hospital_a]

# Which runs it takes part in. `*` stands for Flower's number of a run, or for the time and the four letters that end
# the name of one of ours (pneumonia-20260131-120000-1a2b), and for no other text.
runs: ["flwr-*", "pneumonia-*"]

# Which metrics may leave. A name is that metric; `*` stands for names that are known anyway
# (train_loss, val_auroc, num_samples, ...), never for one that a training makes up.
metrics: [train_loss, train_accuracy, val_loss, val_auroc, val_recall, val_specificity, num_samples]

# Each number is rounded: to so many decimals, or (instead) to so many significant_digits.
decimals: 3

# A metric over fewer images is withheld, and so is one of which nobody says over how many it is.
# How many they are, the training says (num_samples, num_examples).
least_n: 20

# Every 10th step (batch) leaves; 0: none. Where least_n is set a step carries no numbers unless it says its n.
steps: 10

# At most so many messages a minute; more wait, and nothing is lost.
messages_per_minute: 120

# Times are told to so many seconds.
time_resolution_s: 1

# Whether journals of a whole run leave, too (a training of this machine alone); else only those of clients.
whole_runs: false
"""
"""A policy with everything in it, and what it means."""

_DECIMALS, _DIGITS = 6, 6
_RUN_TAIL = "(?:[0-9]{1,20}|[0-9]{8}-[0-9]{6}-[0-9a-f]{4})"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may leave a site; see `EXAMPLE` for what each field means."""

    clients: tuple[str, ...]
    runs: tuple[str, ...]
    metrics: tuple[str, ...]
    decimals: int | None = None
    significant_digits: int | None = None
    least_n: int | None = None
    steps: int = 0
    messages_per_minute: int | None = None
    time_resolution_s: int = 1
    whole_runs: bool = False

    @property
    def digest(self) -> str:
        """What tells this policy from another, in eight characters."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:8]

    @property
    def released_metrics(self) -> frozenset[str]:
        """The names of the metrics that may leave."""
        return matching(self.metrics)

    def takes_run(self, run_id: str) -> bool:
        """Whether this machine takes part in that run."""
        return any(_run_pattern(pattern).fullmatch(run_id) for pattern in self.runs)

    def rounded(self, value: float) -> float:
        """A finite number as it may leave; no zero is negative."""
        if self.significant_digits is not None:
            return float(f"{value:.{self.significant_digits}g}") + 0.0
        return round(value, 3 if self.decimals is None else self.decimals) + 0.0


def policy_of(told: Any, where: str) -> Policy:
    """The policy in what a file holds.

    Args:
        told: What was read of it.
        where: What to call the file in an error.

    Raises:
        ReleaseWrong: It is none; with the key, what is wrong with it, and what would be right.
    """
    if not isinstance(told, Mapping):
        raise ReleaseWrong(where, "it holds no keys", "`fpd ship --print-release` shows one")
    names = [field.name for field in msgspec.structs.fields(Policy)]
    for key in told:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
            right = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise ReleaseWrong(f"{where}: {str(key)[:60]}", "there is no such key", right)
    for key in ("clients", "runs", "metrics"):
        if key not in told:
            raise ReleaseWrong(f"{where}: {key}", "it is missing", "`fpd ship --print-release` tells what it means")
    try:
        policy = msgspec.convert(dict(told), Policy)
    except msgspec.ValidationError as error:
        key = re.search(r"\$\.(\w+)", str(error))
        raise ReleaseWrong(f"{where}: {key[1]}" if key else where, str(error).split(" - at")[0], "") from None
    _see_that_it_holds(policy, where)
    return policy


def _see_that_it_holds(policy: Policy, where: str) -> None:
    ranges = {
        "decimals": (policy.decimals, 0, _DECIMALS),
        "significant_digits": (policy.significant_digits, 1, _DIGITS),
        "least_n": (policy.least_n, 1, 1_000_000),
        "steps": (policy.steps, 0, 1_000_000),
        "messages_per_minute": (policy.messages_per_minute, 1, 1_000_000),
        "time_resolution_s": (policy.time_resolution_s, 1, 86_400),
    }
    for key, (value, least, most) in ranges.items():
        if value is not None and not least <= value <= most:
            raise ReleaseWrong(f"{where}: {key}", f"it is {value}", f"{least} to {most}")
    if policy.decimals is not None and policy.significant_digits is not None:
        raise ReleaseWrong(f"{where}: significant_digits", "decimals is there, too", "give one of them")
    if not policy.clients and not policy.whole_runs:
        raise ReleaseWrong(f"{where}: clients", "it is empty", "name the client ids of this machine")
    for key, names in (("clients", policy.clients), ("runs", policy.runs), ("metrics", policy.metrics)):
        for name in names:
            if not 1 <= len(name) <= 200 or not name.isprintable() or (key == "clients" and "*" in name):
                raise ReleaseWrong(f"{where}: {key}", f"{ascii(name)[:60]} is no name", "1 to 200 printable characters")
            if key == "runs" and "*" in name[:-1]:
                raise ReleaseWrong(f"{where}: runs", f"{ascii(name)[:60]}", "a `*` may stand at the end alone")


def _run_pattern(pattern: str) -> re.Pattern[str]:
    if pattern.endswith("*"):
        return re.compile(re.escape(pattern[:-1]) + _RUN_TAIL)
    return re.compile(re.escape(pattern))
