"""What a running server's numbers and its log say, in sentences. Pure: `fpd doctor` fetches, this judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

__all__ = ["RECENT", "Finding", "diagnosis", "log_findings"]

RECENT = timedelta(hours=1)
"""How far back the log is read."""

_STUCK_S = 2.0
_LATE_S = 5.0
_FEW_FREE_FILES = 0.1
_SHOWN = 5

_MISTAKE = "please report it with the lines of the log around it"


class Finding(NamedTuple):
    """One thing that was looked at."""

    state: Literal["ok", "note", "bad"]
    what: str
    cure: str = ""


class _Rule(NamedTuple):
    """A number above a limit, and the sentence for it; `{}` stands for the number."""

    name: str
    above: float
    state: Literal["note", "bad"]
    what: str
    cure: str


_RULES = (
    _Rule(
        "fpd_hub_log_stuck_seconds",
        _STUCK_S,
        "bad",
        "the log has taken no message for {:.0f} s",
        "see to the disk and the database; the journals lose nothing meanwhile",
    ),
    _Rule(
        "fpd_hub_lag_seconds",
        _LATE_S,
        "bad",
        "messages reach the log {:.0f} s after they were written",
        "the machine is too busy, its disk too slow, or a sender's clock wrong",
    ),
    _Rule("fpd_hub_follower_faults_total", 0, "bad", "faults in reading the journals, which went on: {:.0f}", _MISTAKE),
    _Rule(
        "fpd_hub_missing_messages_total",
        0,
        "bad",
        "messages missing in journals: {:.0f}",
        "the alerts of the runs name writer and numbers; a disk was full, or somebody edited a journal",
    ),
    _Rule(
        "fpd_hub_damaged_lines_total",
        0,
        "bad",
        "damaged lines in journals: {:.0f}",
        "the alerts of the runs name file and byte; all other lines are kept",
    ),
    _Rule(
        "fpd_hub_unwritten_words_total",
        0,
        "bad",
        "words of the hub that it could not write: {:.0f}",
        "make the log directory writable",
    ),
    _Rule(
        "fpd_server_log_lines_unwritten_total",
        0,
        "bad",
        "lines of the server's log that could not be written: {:.0f}",
        "make <log dir>/.server writable, or free some disk",
    ),
    _Rule(
        "fpd_hub_viewers_too_slow_total",
        0,
        "note",
        "viewers sent away for reading too slowly: {:.0f}",
        "they come back with their cursor and lose nothing; look at their network",
    ),
    _Rule(
        "fpd_server_refused_requests_total",
        0,
        "note",
        "requests refused to somebody without the right: {:.0f}",
        "the log says who asked for what",
    ),
    _Rule(
        "fpd_server_ingest_refused_total",
        0,
        "note",
        "refused deliveries of shipped journals: {:.0f}",
        "the log says whose and why",
    ),
    _Rule(
        "fpd_server_targets_in_trouble",
        0,
        "bad",
        "targets of notifications that do not take messages: {:.0f}",
        "the log says which and why; `fpd notify test` tries each",
    ),
    _Rule("fpd_server_trainings_waiting", 0, "note", "trainings that wait for room: {:.0f}", "raise --max-runs"),
)


def diagnosis(numbers: Mapping[str, float]) -> Iterator[Finding]:
    """What a server's `/metrics` say is wrong, one sentence each; nothing where nothing is.

    Args:
        numbers: by name; those with labels as `fpd_runs{status="lost"}`.
    """
    for rule in _RULES:
        value = numbers.get(rule.name, 0.0)
        if value > rule.above:
            yield Finding(rule.state, rule.what.format(value), rule.cure)
    lost = numbers.get('fpd_runs{status="lost"}', 0.0)
    if lost:
        cure = "their machine or its connection is away; they may still run there"
        yield Finding("note", f"contact with {lost:.0f} run{'s' if lost > 1 else ''} is lost", cure)
    greatest, open_ = numbers.get("process_max_fds", 0.0), numbers.get("process_open_fds", 0.0)
    if greatest and open_ > greatest * (1 - _FEW_FREE_FILES):
        cure = "more viewers will be refused; raise the hard limit (ulimit -Hn) and start it again"
        yield Finding("bad", f"{open_:.0f} of the {greatest:.0f} files it may have open are open", cure)


def log_findings(lines: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Finding]:
    """What a server's log of the last hour tells of warnings and errors: each event once, with how often and when.

    Args:
        lines: the log, oldest first.
        now: with a zone.
    """
    found: dict[tuple[str, str], tuple[int, datetime]] = {}
    for line in lines:
        level, event = str(line.get("level")), str(line.get("event"))
        if level not in ("warning", "error", "critical"):
            continue
        try:
            time = datetime.fromisoformat(str(line.get("time")))
            recent = now - RECENT <= time
        except (ValueError, TypeError):
            continue
        if recent:
            count, _ = found.get((level, event), (0, time))
            found[level, event] = (count + 1, time)
    newest_first = sorted(found.items(), key=lambda each: each[1][1], reverse=True)
    for (level, event), (count, time) in newest_first[:_SHOWN]:
        often = f"{count} times, last" if count > 1 else "once,"
        shown = event if len(event) <= 200 else event[:199] + "…"
        told = f"the log, {often} {time.astimezone(now.tzinfo):%H:%M}: {shown}"
        yield Finding("note" if level == "warning" else "bad", told)
    if len(newest_first) > _SHOWN:
        yield Finding("note", f"the log has {len(newest_first) - _SHOWN} more kinds of warnings of the last hour")
