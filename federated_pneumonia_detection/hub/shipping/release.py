"""What of a journal leaves its site: each line as it may be sent, or what stands in its place. Pure.

Nothing is passed on as it came. A message that leaves is made anew, from fields whose words and ranges are fixed
(`vocabulary`) and metrics that the operator named (`policy`); a line that stays leaves its number behind, in a message
that says what was withheld and why, or in a mark that says nothing. So the numbers of a journal stay dense, and what a
training hides in names, texts, digits or in the journal's own lines does not travel.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from federated_pneumonia_detection.hub.shipping.policy import Policy
from federated_pneumonia_detection.hub.shipping.vocabulary import (
    COUNTS,
    ENUMERATED,
    METRIC_FIELDS,
    OF_NO_IMAGES,
    error_class,
    greatest,
    is_share,
    is_whole,
)
from federated_pneumonia_detection.hub.times import seconds
from federated_pneumonia_detection.progress import messages
from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader, Line, encode_line
from federated_pneumonia_detection.progress.messages import MESSAGE_TYPES

__all__ = ["KEPT_MARK", "Release", "Released", "header_of", "why_it_stays"]

KEPT_MARK = "journal_withheld"
"""The type of a line that stands for one that stayed, and says nothing of it."""

_STAY = frozenset({"test_curves", "run_queued", "run_edited", "subscribed", "withheld"})
_LONGEST_JUMP = 1000
_LONGEST_AGO_S = 400 * 86_400.0
_SMALLEST = 1e-6
_BROADCAST_INTERVAL_S = 0.1
_N_NAMES = ("num_samples", "num_examples", "num-examples")
_CALLED = {
    "title": "text of alerts",
    "text": "text of alerts",
    "error": "text of errors",
    "detail": "text of errors",
    "reason": "why it was stopped",
    "by": "who stopped it",
}
_SPLITS = ("val_", "test_", "train_", "eval_")


class Released(NamedTuple):
    """What is sent in the place of a line."""

    line: bytes
    withheld: Mapping[str, str]
    """What was withheld of it, and why, as the server is told; only names that the operator knows stand in it."""
    here: Mapping[str, str]
    """The same for the site's own people, with the names that the training gave."""


def why_it_stays(header: JournalHeader, policy: Policy) -> str | None:
    """Why nothing of a journal leaves; `None` where it may."""
    if not policy.takes_run(header.run_id):
        return f"the run {header.run_id!r} is not among those that leave"
    if header.client_id is None:
        return None if policy.whole_runs else "it is a whole run's, and only those of clients leave"
    if header.client_id not in policy.clients:
        return f"the client {header.client_id!r} is not one of this machine's"
    return None


def header_of(header: JournalHeader, policy: Policy) -> JournalHeader:
    """The first line as it leaves: who writes, in which run; nothing that the training could choose freely.

    The writer is known by another name there, made from its own: a name of the training's making would be a text.
    """
    return JournalHeader(
        format=FORMAT,
        writer=hashlib.sha256(f"released {header.writer}".encode()).hexdigest()[:16],
        run_id=header.run_id,
        client_id=header.client_id,
        experiment_name="",
        mode=header.mode if header.mode in ENUMERATED["mode"] else "federated",
        host="",
        boot="",
        pid=0,
        pid_start=None,
        start=_told_time(header.start, policy, None),
        broadcast_interval=_BROADCAST_INTERVAL_S,
    )


class Release:
    """One journal, line by line from its start; what it makes of a line depends on those before it and nothing else.

    Args:
        policy: What may leave.
        client_id: Whose journal it is; `None` for a whole run's.
    """

    def __init__(self, policy: Policy, client_id: str | None) -> None:
        self.stopped: str | None = None
        """Why nothing more of the journal leaves, where that is so."""
        self._policy = policy
        self._client_id = client_id
        self._metrics = policy.released_metrics
        self._n = 0
        self._steps = 0
        # What steps have been told to withhold: once is enough, there are many.
        self._told_of_steps: set[tuple[str, str]] = set()

    def take(self, line: Line, now_s: float) -> Released | None:
        """What is sent in this line's place; `None` where the journal has stopped.

        Args:
            line: The next one of the journal.
            now_s: The present, in seconds since 1970: no message is younger.
        """
        if self.stopped is not None:
            return None
        if not self._n < line.n <= self._n + _LONGEST_JUMP:
            if line.n > self._n:
                self.stopped = f"its numbers jump from {self._n} to {line.n}"
            return None
        self._n = line.n
        said = line.said
        head = {"timestamp": _told_time(said.get("timestamp"), self._policy, now_s)}
        if line.type == "journal_end":
            return Released(_encoded({"type": "journal_end", **head}, line.n), {}, {})
        client_id = said.get("client_id")
        if line.type == "step" and (why := self._thinned()) is not None:
            return self._stays(line, head, "steps", why)
        if line.type not in MESSAGE_TYPES or line.type in _STAY:
            what = line.type if line.type in _STAY else "events of its own"
            why = "a list" if line.type == "test_curves" else "free text"
            return self._stays(line, head, what, why, here=line.type)
        if client_id != self._client_id and (self._client_id is not None or client_id not in self._policy.clients):
            return self._stays(line, head, "messages", "they speak for somebody else")
        if client_id is not None:
            head["client_id"] = client_id
        return self._message(line, head)

    # --- a message ---

    def _message(self, line: Line, head: Mapping[str, Any]) -> Released:
        fields, notes = self._fields(line.type, line.said)
        withheld, here = notes.told, notes.here
        if line.type == "step":
            withheld = {what: why for what, why in withheld.items() if (what, why) not in self._told_of_steps}
            self._told_of_steps.update(withheld.items())
        body = {"type": line.type, **head, **fields}
        if withheld:
            body["withheld"] = dict(sorted(withheld.items()))
        encoded = msgspec.json.encode(body)
        try:
            messages.decode(encoded)
        except msgspec.DecodeError:  # what its type needs is not there, or was no number
            return self._stays(line, head, line.type, "not as it should be")
        return Released(encode_line(encoded, line.n), withheld, here)

    def _fields(self, type_: str, said: Mapping[str, Any]) -> tuple[dict[str, Any], _Notes]:
        """The fields of a message that may leave, and what of the others is to be told."""
        kept: dict[str, Any] = {}
        notes = _Notes()
        known = {field.encode_name for field in msgspec.structs.fields(MESSAGE_TYPES[type_])}
        for key in sorted(said):
            value = said[key]
            if key in ("type", "timestamp", "client_id", "n", "crc"):
                continue
            if key in COUNTS:
                kept[key] = self._counted(key, value, notes)
            elif key in METRIC_FIELDS and isinstance(value, dict):
                kept[key] = self._measured(value, notes)
            elif key in ENUMERATED and isinstance(value, str) and value in ENUMERATED[key]:
                kept[key] = value
            elif value not in (None, "", [], {}):
                what = _CALLED.get(key, key) if key in known else "other keys"
                notes.add(what, "free text", here=key if what == "other keys" else what)
        if type_ in ("training_error", "client_failed"):
            kept["error"] = error_class(said.get("error"))
        elif type_ == "run_start":
            kept["experiment_name"] = ""
            if isinstance(data := said.get("data"), dict) and data.get("phantom") is True:
                kept["data"] = {"phantom": True}
        elif type_ == "alert":
            kept.setdefault("level", "info")
            kept |= self._alert(said)
        return kept, notes

    def _alert(self, said: Mapping[str, Any]) -> dict[str, str]:
        metric = said.get("metric")
        if isinstance(metric, str) and metric in self._metrics:
            return {"metric": metric, "title": f"An alert on {metric}", "text": "What it says stays at the site."}
        return {"title": "An alert", "text": "What it says stays at the site."}

    # --- numbers ---

    def _counted(self, key: str, value: Any, notes: _Notes) -> int | None:
        if value is None:
            return None
        if not _is_count(key, value):
            notes.add(key, "out of range")
            return None
        return _first_digits(value, 3) if key.startswith("bytes") else int(value)

    def _measured(self, metrics: Mapping[str, Any], notes: _Notes) -> dict[str, float | int | None]:
        kept: dict[str, float | int | None] = {}
        for name in sorted(metrics):
            if name not in self._metrics:
                notes.add_other(name)
                continue
            why = self._why_withheld(name, metrics)
            if why is None:
                kept[name] = self._rounded(name, metrics[name])
            else:
                notes.add(name, why)
        return kept

    def _why_withheld(self, name: str, metrics: Mapping[str, Any]) -> str | None:
        value, least = metrics[name], self._policy.least_n
        if value is None:
            return None
        if type(value) not in (int, float) or not math.isfinite(value):
            return "no number"
        if abs(value) > greatest(name) or (value < 0 and (is_share(name) or is_whole(name))):
            return "out of range"
        if least is None or name in OF_NO_IMAGES:
            return None
        n = int(value) if is_whole(name) else _n_of(name, metrics)
        if n is None:
            return f"n unknown, least {least}"
        return f"n {n} < {least}" if n < least else None

    def _rounded(self, name: str, value: Any) -> float | int | None:
        if value is None:
            return None
        if is_whole(name):
            whole: int = round(value)
            return whole
        rounded: float = self._policy.rounded(float(value))
        return rounded if abs(rounded) >= _SMALLEST else 0.0

    # --- what stays ---

    def _thinned(self) -> str | None:
        self._steps += 1
        every = self._policy.steps
        if every == 0:
            return "none leaves"
        return None if self._steps % every == 0 else f"1 in {every} leaves"

    def _who(self) -> dict[str, str]:
        return {} if self._client_id is None else {"client_id": self._client_id}

    def _stays(self, line: Line, head: Mapping[str, Any], what: str, why: str, *, here: str | None = None) -> Released:
        told = {what: why}
        if line.type == "step" and (what, why) in self._told_of_steps:
            return Released(_encoded({"type": KEPT_MARK}, line.n), told, {})
        self._told_of_steps.add((what, why))
        # Where it would have stood: in which attempt of the run, and in which round.
        place = {key: line.said[key] for key in ("attempt", "round") if _is_count(key, line.said.get(key))}
        body = {"type": "withheld", **head, **self._who(), **place, "withheld": told}
        return Released(_encoded(body, line.n), told, {here or what: why})


class _Notes:
    """What was withheld of a message: as the server is told, and as the site's own people are."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self.here: dict[str, str] = {}
        self._others = 0

    def add(self, what: str, why: str, *, here: str | None = None) -> None:
        self.told[what] = self.here[here or what] = why

    def add_other(self, name: str) -> None:
        """A metric that is not on the list: its name stays, too."""
        self._others += 1
        self.here[name] = "not on the list"
        self.told["other metrics"] = f"{self._others if self._others < 10 else '10 or more'} not on the list"


def _is_count(key: str, value: Any) -> bool:
    return type(value) is int and 0 <= value <= COUNTS[key]


def _encoded(body: Mapping[str, Any], n: int) -> bytes:
    return encode_line(msgspec.json.encode(body), n)


def _n_of(metric: str, metrics: Mapping[str, Any]) -> int | None:
    """Over how many images a metric says it is: its split's own number goes before that of all."""
    splits = [split for split in _SPLITS if metric.startswith(split)]
    for name in (*(f"{split}{name}" for split in splits for name in _N_NAMES), *_N_NAMES):
        n = metrics.get(name)
        if isinstance(n, int | float) and not isinstance(n, bool) and n == n // 1 and 0 <= n <= greatest(name):
            return int(n)
    return None


def _first_digits(value: int, digits: int) -> int:
    cut: int = 10 ** max(0, len(str(value)) - digits)
    return value // cut * cut


def _told_time(text: Any, policy: Policy, now_s: float | None) -> str:
    """A time as it may leave: to the policy's resolution, no younger than now and no older than a year or so."""
    said_s = seconds(text) if isinstance(text, str) else None
    if now_s is not None:
        said_s = now_s if said_s is None else min(max(said_s, now_s - _LONGEST_AGO_S), now_s)
    told_s = int((said_s or 0.0) // policy.time_resolution_s * policy.time_resolution_s)
    return datetime.fromtimestamp(max(0, min(told_s, 4_102_444_800)), UTC).isoformat()
