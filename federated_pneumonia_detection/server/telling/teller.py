"""Looks at the runs each second, finds what rules say of them, writes it down, and has it brought to the targets.

What fires is kept for the targets first, then said in the hub's journal of the run, then brought: a crash in between
tells it once more at most to a target, and never writes it down twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.words import described
from federated_pneumonia_detection.progress.clock import now
from federated_pneumonia_detection.server.telling import rules as ruling
from federated_pneumonia_detection.server.telling.memory import Memory, Notice
from federated_pneumonia_detection.server.telling.notify_file import NOTHING, Notify
from federated_pneumonia_detection.server.telling.postman import Postman, Sender, Standing
from federated_pneumonia_detection.server.telling.rules import Fired, Measured, Rule

__all__ = ["RuleThere", "Teller", "TooManyRules"]

log = logging.getLogger(__name__)

EVERY_S = 1.0
MOST_RULES = 100
_PAGE = 1000
_decode = msgspec.json.Decoder(dict).decode


class RuleThere(ValueError):
    """There is such a rule already; `str()` is its id."""


class TooManyRules(ValueError):
    """No more rules are kept."""


class Teller:
    """Tells people what rules say of runs.

    Args:
        hub: What knows the runs.
        log_dir: The server's directory of journals; what must last lies in it.
        notify: What the operator's file says.
        targets: Who is told.
    """

    def __init__(
        self,
        hub: Hub,
        log_dir: Path,
        notify: Notify = NOTHING,
        targets: Sequence[Sender] = (),
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._hub, self._every_s = hub, every_s
        self._page = notify.page
        self.quiet = notify.quiet
        self._lock = threading.RLock()
        self._memory = Memory(log_dir)
        self._of_file = self._with_since(notify.rules)
        # Runs of which nothing more can be told as a whole: which word they ended with was looked at.
        self._settled: dict[str, tuple[int, str, str | None]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.fired = 0
        """How many rules have fired since the start."""
        self._postmen = [
            Postman(target, waiting=self._waiting_for, taken=self._taken, quiet=notify.quiet) for target in targets
        ]

    # --- life ---

    def start(self) -> None:
        """Begin to look."""
        for postman in self._postmen:
            postman.start()
            postman.wake()
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. Twice is fine."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            with self._lock:
                self._memory.save()
        for postman in self._postmen:
            postman.close()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                self.look()
            except Exception:
                # A database that is away, a disk that fails: the next look is in a second.
                log.exception("looking at the rules failed")

    # --- rules ---

    def rules(self) -> list[Rule]:
        """All rules: the operator's, then those made on the page."""
        with self._lock:
            return [*self._of_file, *self._memory.kept.rules]

    def add(self, rule: Rule) -> Rule:
        """Keep a rule; it is about what happens from now on.

        Raises:
            RuleThere: There is such a one.
            TooManyRules: So many are there.
        """
        with self._lock:
            known = self.rules()
            if any(each.id == rule.id for each in known):
                raise RuleThere(rule.id)
            if len(known) >= MOST_RULES:
                raise TooManyRules
            made = msgspec.structs.replace(rule, source="page", since=now())
            self._memory.kept.rules.append(made)
            self._settled.clear()
            self._memory.save()
            return made

    def remove(self, rule_id: str) -> None:
        """Forget a rule that was made on the page; of one that is not there nothing happens."""
        with self._lock:
            kept = self._memory.kept
            kept.rules = [rule for rule in kept.rules if rule.id != rule_id]
            self._memory.save()

    def _with_since(self, rules: Iterable[Rule]) -> list[Rule]:
        """The rules of the file, each with the time at which it was first read."""
        kept, present = self._memory.kept, now()
        found = [msgspec.structs.replace(rule, since=kept.since.get(rule.id, present)) for rule in rules]
        since = {rule.id: rule.since for rule in found}
        if since != kept.since:
            kept.since = since
            self._memory.save()
        return found

    # --- looking ---

    def look(self) -> None:
        """Look once, and tell what is to be told."""
        rules = self.rules()
        states = {state.run_id: state for state in self._hub.undescribed()} if rules else {}
        # Of what lies with another server, that one tells.
        mine = {run_id: state for run_id, state in states.items() if not self._hub.is_elsewhere(run_id)}
        values = self._measured(any(ruling.line_of(rule.when) for rule in rules))
        found = [
            (mine[run_id], each)
            for run_id, its in values.items()
            if run_id in mine
            for each in ruling.crossed(rules, mine[run_id], its)
        ]
        present = datetime.now(UTC)
        for state in mine.values():
            how = (state.attempt, state.status, state.end_time)
            if ended(state) and self._settled.get(state.run_id) == how:
                continue
            found += [(state, each) for each in ruling.happened(rules, described(state, present))]
            if ended(state):
                self._settled[state.run_id] = how
        if found:
            self._tell(found)

    def _measured(self, is_wanted: bool) -> dict[str, list[Measured]]:
        """What was measured since the last look, by run, in order."""
        kept = self._memory.kept
        log_id, top = self._hub.log_id, self._hub.top
        if not is_wanted:
            self._seen(log_id, top)
            return {}
        # Another log says anew what was told of the old one; what its journals say was told is not told again.
        at = kept.offset if kept.log_id == log_id else 0
        found: dict[str, list[Measured]] = {}
        while at < top and not self._closing.is_set():
            page = self._hub.messages(after=at, limit=_PAGE)
            if not page:
                break
            for message in page:
                if message.client_id is None and message.type in ruling.MEASURES:
                    its = found.setdefault(message.run_id, [])
                    its += ruling.measured({**_decoded(message.body), "run_id": message.run_id})
            at = page[-1].offset
        self._seen(log_id, at)
        return found

    def _seen(self, log_id: str, offset: int) -> None:
        kept = self._memory.kept
        kept.log_id, kept.offset = log_id, offset

    def _tell(self, found: Sequence[tuple[RunState, Fired]]) -> None:
        notices = [self._notice(state, fired) for state, fired in found]
        with self._lock:
            kept = self._memory.kept
            known = {notice.key for notice in kept.waiting}
            kept.waiting += [notice for notice in notices if notice.to and notice.key not in known]
            # How far the log was read is kept together with what was found in it.
            self._memory.save()
        for (_, fired), notice in zip(found, notices, strict=True):
            body = {"level": fired.level, "title": fired.title, "text": fired.text, "rule": fired.rule.when}
            if self._hub.say_once(fired.run_id, fired.about, body):
                self.fired += 1
                told = {"run_id": fired.run_id, "rule": fired.rule.when, "what": fired.title}
                log.info("a rule has fired", extra=told)
            elif notice.key not in known:
                # Another server of this directory was quicker, or it was told before.
                self._drop(notice.key)
        for postman in self._postmen:
            postman.wake()

    def _notice(self, state: RunState, fired: Fired) -> Notice:
        names = [postman.target.name for postman in self._postmen]
        name = state.name or state.experiment_name or state.run_id
        lines = [
            fired.text,
            f"Rule: {fired.rule.when}" + (f" (runs {fired.rule.runs})" if fired.rule.runs != "*" else ""),
        ]
        if self._page is not None:
            lines.append(f"{self._page}/runs/{quote(state.run_id, safe='')}")
        to = tuple(each for each in names if not fired.rule.to or each in fired.rule.to)
        key = f"{state.run_id} {fired.about}"
        return Notice(key, f"{name}: {fired.title}", "\n".join(lines), fired.level, to, time.time())

    # --- bringing ---

    def _waiting_for(self, target: str) -> list[Notice]:
        with self._lock:
            return [notice for notice in self._memory.kept.waiting if target in notice.to]

    def _taken(self, target: str, notices: Sequence[Notice]) -> None:
        keys = {notice.key for notice in notices}
        with self._lock:
            kept = self._memory.kept
            left = [
                msgspec.structs.replace(notice, to=tuple(each for each in notice.to if each != target))
                if notice.key in keys
                else notice
                for notice in kept.waiting
            ]
            kept.waiting = [notice for notice in left if notice.to]
            self._memory.save()

    def _drop(self, key: str) -> None:
        with self._lock:
            kept = self._memory.kept
            kept.waiting = [notice for notice in kept.waiting if notice.key != key]
            self._memory.save()

    def targets(self) -> list[Standing]:
        """How it stands with each target."""
        return [
            Standing(
                postman.target.name,
                postman.target.service,
                len(self._waiting_for(postman.target.name)),
                postman.told,
                postman.trouble,
                postman.trouble_since,
            )
            for postman in self._postmen
        ]

    def stats(self) -> dict[str, float]:
        """Counts and gauges for `/metrics`."""
        targets = self.targets()
        return {
            "rules_fired_total": float(self.fired),
            "notices_told_total": float(sum(target.told for target in targets)),
            "notices_refused_total": float(sum(postman.refused for postman in self._postmen)),
            "notices_waiting": float(sum(target.waiting for target in targets)),
            "targets_in_trouble": float(sum(target.trouble is not None for target in targets)),
        }


def _decoded(body: bytes) -> dict[str, object]:
    try:
        return dict(_decode(body))
    except ValueError:  # not an object: nobody's message
        return {}
