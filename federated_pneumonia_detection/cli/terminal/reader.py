"""Threads that read for a screen: they block, fold, and hand over what is to be shown, a few times a second.

They are daemons: a server that does not answer keeps nobody from quitting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from federated_pneumonia_detection.cli.client import ServerAway, ServerRefused
from federated_pneumonia_detection.cli.terminal.live import AFRESH, LineState
from federated_pneumonia_detection.cli.terminal.sources import Source
from federated_pneumonia_detection.cli.terminal.story import NOTHING, Seen, Story

__all__ = ["ListReader", "RunList", "RunReader", "RunSeen"]

SOONEST_S = 0.25
"""The least time between two states of a run that are shown."""
LIST_SOONEST_S = 0.5
LATEST_S = 1.0
"""What a sentence says of the present is made anew this often, also where nothing comes."""


class RunList(NamedTuple):
    """What a list shows."""

    runs: list[dict[str, Any]]
    total: int
    wanted: str


class RunSeen(NamedTuple):
    """What a run's screen shows."""

    state: dict[str, Any]
    seen: Seen


class _Reader(threading.Thread):
    def __init__(self, source: Source, post: Callable[[Any], object], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.source, self.post = source, post
        self.stopped = threading.Event()

    def stop(self) -> None:
        """Let it end as soon as it looks up."""
        self.stopped.set()

    def _hand_over(self, what: Any) -> None:
        if not self.stopped.is_set():
            self.post(what)

    def _refused(self, refused: Exception) -> None:
        self._hand_over(LineState("refused", str(refused)))


class ListReader(_Reader):
    """Hands over `RunList` and `LineState`."""

    def __init__(self, source: Source, post: Callable[[Any], object]) -> None:
        super().__init__(source, post, "fpd-list")
        self._wanted = ""
        self._asked_anew = threading.Event()

    def filter(self, wanted: str) -> None:
        """Look for other runs."""
        self._wanted = wanted
        self._asked_anew.set()

    def run(self) -> None:
        """Until it is stopped."""
        asked, is_new = 0.0, True
        for message in self.source.messages(None, self.stopped, self._hand_over):
            is_new = is_new or message is not None or self._asked_anew.is_set()
            since = time.monotonic() - asked
            if not ((is_new and since >= LIST_SOONEST_S) or since >= LATEST_S or self._asked_anew.is_set()):
                continue
            self._asked_anew.clear()
            wanted = self._wanted
            try:
                self._hand_over(RunList(*self.source.runs(wanted), wanted))
            except ServerAway:
                pass  # the line says so
            except ServerRefused as refused:
                self._refused(refused)
            asked, is_new = time.monotonic(), False


class RunReader(_Reader):
    """Hands over `RunSeen` and `LineState` of one run."""

    def __init__(self, source: Source, run_id: str, post: Callable[[Any], object]) -> None:
        super().__init__(source, post, "fpd-run")
        self._run_id = run_id

    def run(self) -> None:
        """Until it is stopped."""
        story, seen = Story(), NOTHING
        asked, is_new = 0.0, True
        for message in self.source.messages(self._run_id, self.stopped, self._hand_over):
            if message is AFRESH:
                story = Story()
            elif message is not None:
                story.take(message)
            is_new = is_new or message is not None
            since = time.monotonic() - asked
            # While history is read one message follows the other, and what is drawn is some of the way to now.
            if since < (SOONEST_S if is_new else LATEST_S):
                continue
            if is_new:
                seen = story.seen()
            try:
                self._hand_over(RunSeen(self.source.run(self._run_id), seen))
            except (ServerAway, LookupError):
                pass  # the line says so; a run that has only begun is there in a moment
            except ServerRefused as refused:
                self._refused(refused)
            asked, is_new = time.monotonic(), False
