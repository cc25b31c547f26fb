"""Where a journal's lines leave the site: through the operator's policy, into the account, at a rate."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from federated_pneumonia_detection.hub.hub_journal import HubJournals
from federated_pneumonia_detection.hub.shipping.policy import Policy
from federated_pneumonia_detection.hub.shipping.release import Release, header_of, why_it_stays
from federated_pneumonia_detection.hub.shipping.release_ledger import ReleaseLedger
from federated_pneumonia_detection.progress.framing import JournalHeader, Line, encode_line
from federated_pneumonia_detection.progress.messages import Withheld

__all__ = ["Gate", "Passage"]

_MOST_TOLD = 30


class Passage:
    """One journal on its way out.

    Args:
        gate: What it goes through.
        header: Its own first line.
    """

    def __init__(self, gate: Gate, header: JournalHeader) -> None:
        self._gate = gate
        self._own = header
        self.header = header_of(header, gate.policy)
        """Its first line as it leaves."""
        self.first_line = encode_line(msgspec.json.encode(self.header), 0)
        """The same as bytes."""
        self._told: set[str] = set()
        self.begin()

    def begin(self) -> None:
        """The journal is read from its start (again)."""
        self._release = Release(self._gate.policy, self._own.client_id)

    def lines(self, lines: Iterable[Line]) -> list[tuple[int, bytes, bool]]:
        """What is sent in the place of these lines, as an outbox takes them."""
        found = []
        now_s = self._gate.wall_clock()
        for line in lines:
            released = self._release.take(line, now_s)
            if released is not None:
                found.append((line.n, released.line, line.type == "journal_end"))
                if released.here:
                    self._tell(released.here)
        if self._release.stopped is not None:
            self._tell({"the rest of the journal": self._release.stopped})
        return found

    def note(self, lines: Sequence[bytes]) -> None:
        """Note what is about to leave.

        Raises:
            OSError: It could not be noted: then it must not leave.
        """
        self._gate.ledger.note(self.header, self.first_line, lines)

    def _tell(self, withheld: Mapping[str, str]) -> None:
        # Each thing once, and not without end: the names are the training's.
        for what, why in withheld.items():
            if what in self._told or len(self._told) >= _MOST_TOLD:
                continue
            self._told.add(what)
            more = "; what else is withheld of it is not told any more" if len(self._told) == _MOST_TOLD else ""
            self._gate.tell_withheld(self._own, what, why, more)


class Gate:
    """What all journals of a site go through.

    Args:
        policy: What may leave.
        ledger: Where it is noted.
        tell: Takes each sentence for the person who started it.
        directory: Where the site's own people look (`fpd watch`): they are told there what is withheld.
        wall_clock: The present, in seconds since 1970.
    """

    def __init__(
        self,
        policy: Policy,
        ledger: ReleaseLedger,
        *,
        tell: Callable[[str], None],
        directory: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy
        self.ledger = ledger
        self.wall_clock = wall_clock
        self._tell = tell
        self._directory = directory
        self._journals = HubJournals()
        self._stays: set[str] = set()
        # Messages that may leave now, and when that was counted; None without a limit.
        self._room = float(policy.messages_per_minute or 0)
        self._counted_at: float | None = None

    def close(self) -> None:
        """End what was said to the site's own people."""
        self._journals.close()

    def passage(self, header: JournalHeader, name: str) -> Passage | None:
        """The way out of a journal; `None` where nothing of it leaves, which is told once."""
        why = why_it_stays(header, self.policy)
        if why is None:
            return Passage(self, header)
        if header.writer not in self._stays:
            self._stays.add(header.writer)
            self._tell(f"{name}: withheld, all of it: {why}")
        return None

    def tell_withheld(self, header: JournalHeader, what: str, why: str, more: str) -> None:
        """Say to the site's own people what is withheld of a journal."""
        name = header.run_id if header.client_id is None else f"{header.client_id} of {header.run_id}"
        self._tell(f"{name}: withheld: {what[:100]} ({why}){more}")
        about = f"withheld:{header.writer}:{what[:100]}"
        client_id = msgspec.UNSET if header.client_id is None else header.client_id
        said = Withheld(client_id=client_id, withheld={what: why}, about=about, timestamp=_iso(self.wall_clock()))
        with contextlib.suppress(OSError):  # a directory that may only be read
            self._journals.say_once(self._directory, header.run_id, about, msgspec.json.encode(said))

    # --- at a rate ---

    def room(self, now: float) -> int | None:
        """How many messages may leave now; `None` where that is not limited."""
        limit = self.policy.messages_per_minute
        if limit is None:
            return None
        if self._counted_at is not None:
            self._room = min(float(limit), self._room + (now - self._counted_at) * limit / 60)
        self._counted_at = now
        return int(self._room)

    def wait_s(self, now: float) -> float:
        """In how many seconds the next message may leave."""
        limit = self.policy.messages_per_minute
        if limit is None or self.room(now):
            return 0.0
        return (1.0 - self._room) * 60 / limit

    def left(self, messages: int) -> None:
        """So many messages have left."""
        self._room -= messages


def _iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
