"""What to send next of a journal to another machine's hub, given what was read of it and what was answered. Pure.

No file is touched here, no clock is read and nothing is sent: lines and answers come in, batches go out. The journal is
the spool: at most one batch of lines is held, everything else is read again when it is needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from random import Random
from typing import Literal, NamedTuple

from federated_pneumonia_detection.hub.shipping.wish import Wish
from federated_pneumonia_detection.progress.exits import Exit

__all__ = [
    "BATCH_BYTES",
    "Acked",
    "Answer",
    "Away",
    "BackOff",
    "Batch",
    "Expected",
    "Outbox",
    "Refused",
    "WriterState",
    "is_mark",
]

BATCH_BYTES = 900_000
"""The most bytes of lines in a batch, so that the whole of it stays below a megabyte also where it does not shrink."""

VOUCH_EVERY_S = 2.0
"""How often a living writer is vouched for when it has nothing to say, in seconds; less often where there are many."""

WriterState = Literal["alive", "halted", "dead", "unknown"]


class Batch(NamedTuple):
    """What is sent in one request: the journal's first line, then these lines of it."""

    writer: str
    header: bytes
    lines: tuple[bytes, ...]
    skipped: int
    """So many numbers before the first line stand in no readable line of the journal."""
    state: WriterState
    """What is seen of the writer; `dead` only when everything it wrote has been sent."""
    exit: Exit | None = None
    """How the process of a dead writer ended, where that was seen."""


class Acked(NamedTuple):
    """Everything up to this number is there."""

    n: int
    wish: Wish | None = None
    """What the server wishes of whoever writes it."""


class Expected(NamedTuple):
    """Nothing was taken: this number is next there."""

    n: int


class Refused(NamedTuple):
    """Nothing was taken, and sending the same again would not help."""

    status: int
    words: str
    n: int | None = None
    """The one message that is to blame; `None` where it is the journal."""


class Away(NamedTuple):
    """No answer, or one that asks for patience."""

    words: str
    wait_s: float | None = None
    """How long the server asks to be left alone."""
    is_busy: bool = False
    """It answers, but not so often."""


Answer = Acked | Expected | Refused | Away


class Life(Enum):
    """Where an outbox stands."""

    OPEN = "open"
    DONE = "done"
    """The journal has ended, and all of it is there."""
    DEAD = "dead"
    """Its writer died; all it wrote is there, and so is the word of its death."""
    REFUSED = "refused"
    """The server takes nothing of it."""


class Outbox:
    """One journal on its way.

    Args:
        writer: Who writes it.
        header: Its first line.
        is_new: It was made just now, so that nobody can have any of it: then its position need not be asked for.
    """

    def __init__(self, writer: str, header: bytes, *, is_new: bool = False) -> None:
        self.writer = writer
        self._header = header
        self.acked: int | None = 0 if is_new else None
        """The last number the server is known to have; `None` until it was asked."""
        self.life = Life.OPEN
        self.wants_rewind = False
        """What was read before is needed again: the journal is to be read from its start."""
        self.skips = 0
        """How many messages the server would not take."""
        self.refusal: Refused | None = None
        """Why the server takes nothing of it, where it does not."""
        self._waiting: deque[tuple[int, bytes, bool]] = deque()
        self._waiting_bytes = 0
        self._offered = 0
        self._refused_numbers: set[int] = set()
        self._read_all = False
        self._state: WriterState = "unknown"
        # When something was last sent of it; None before the first time.
        self._told_at: float | None = None
        self._told_state: WriterState = "unknown"
        self._exit: Exit | None = None
        self._limit = BATCH_BYTES
        self.vouch_every_s = VOUCH_EVERY_S
        self.rewinds = 0
        """How often in a row the server expected another number."""
        self.sent = 0
        """How many messages were sent and acknowledged."""

    @property
    def is_gone(self) -> bool:
        """Whether it was deleted at the server."""
        return self.refusal is not None and self.refusal.status == 410

    # --- what was read goes in ---

    @property
    def has_room(self) -> bool:
        """Whether more of the journal is to be read now."""
        return self.life is Life.OPEN and self.acked is not None and self._waiting_bytes < self._limit

    @property
    def held_bytes(self) -> int:
        """How many bytes of lines are read and not acknowledged."""
        return self._waiting_bytes

    @property
    def has_lines(self) -> bool:
        """Whether lines are read and not acknowledged."""
        return bool(self._waiting)

    @property
    def is_there(self) -> bool:
        """Whether all that was written so far is there, or can never be."""
        if self.life is not Life.OPEN:
            return True
        return self.acked is not None and self._read_all and not self._waiting and self._state != "dead"

    def offer(self, lines: Iterable[tuple[int, bytes, bool]]) -> None:
        """Take lines in the order of the journal: number, bytes, and whether it is the journal's last line."""
        for n, line, is_end in lines:
            if n <= self._offered:  # a copy, or a number that a damaged line was taken for
                continue
            self._offered = n
            if n <= (self.acked or 0) or n in self._refused_numbers:
                if is_end and n <= (self.acked or 0):
                    self.life = Life.DONE
                continue
            self._waiting.append((n, line, is_end))
            self._waiting_bytes += len(line)

    def seen(self, state: WriterState, *, read_all: bool, exit: Exit | None = None) -> None:
        """Note what is seen of the writer, and whether everything it wrote so far has been offered."""
        self._state, self._exit = state, exit
        self._read_all = read_all

    # --- batches go out ---

    def due(self, now: float, *, has_room: bool = True) -> float | None:
        """In how many seconds there is something to send: 0 for now, `None` for nothing of itself.

        Args:
            now: The present.
            has_room: Whether lines may leave now; else whoever lives is vouched for all the same.
        """
        if self.life is not Life.OPEN:
            return None
        if self.acked is None or (self._waiting and has_room):
            return 0.0
        if self._state == "dead" and self._read_all and not self._waiting:
            return 0.0
        if self._state not in ("alive", "halted"):
            return None
        # That a writer is stopped by a signal, or goes on, is news.
        is_news = self._told_at is None or (
            self._told_state != self._state and "halted" in (self._told_state, self._state)
        )
        return 0.0 if is_news or self._told_at is None else max(0.0, self._told_at + self.vouch_every_s - now)

    def batch(self, *, most: int | None = None) -> Batch:
        """What to send now; also when nothing is due, then it asks how far the server is.

        Args:
            most: At most so many messages; marks are none.
        """
        lines: list[bytes] = []
        messages = 0
        first = last = 0
        size = 0
        if self.acked is not None:
            for n, line, _ in self._waiting:
                # A batch is numbered one by one: what is missing in the journal ends it.
                if lines and (n != last + 1 or size + len(line) > self._limit):
                    break
                messages += not is_mark(line)
                if most is not None and messages > most:
                    break
                first = first or n
                last, size = n, size + len(line)
                lines.append(line)
        skipped = first - (self.acked or 0) - 1 if lines else 0
        is_all = self.acked is not None and self._read_all and len(lines) == len(self._waiting)
        state: WriterState = "unknown" if self._state == "dead" and not is_all else self._state
        return Batch(self.writer, self._header, tuple(lines), max(0, skipped), state, self._exit)

    # --- answers come in ---

    def take(self, answer: Answer, batch: Batch, now: float) -> None:
        """Note what the server answered to a batch of this outbox."""
        if isinstance(answer, Acked):
            self._told_at, self._told_state = now, batch.state
            self._acknowledge(answer.n, batch)
        elif isinstance(answer, Expected):
            self.rewinds += 1
            self._go_to(answer.n - 1)
        elif isinstance(answer, Refused):
            self._refuse(answer, batch)

    def _acknowledge(self, n: int, batch: Batch) -> None:
        before = self.acked
        if before is None or n < before:
            # The first answer, or a server that has lost some: what it does not have is sent again.
            self._go_to(n)
        self.acked = n
        self.rewinds = 0
        ended = False
        while self._waiting and self._waiting[0][0] <= n:
            _, line, is_end = self._waiting.popleft()
            self._waiting_bytes -= len(line)
            self.sent += 1
            ended = ended or is_end
        if ended:
            self.life = Life.DONE
        elif batch.state == "dead" and not self._waiting:
            self.life = Life.DEAD

    def _go_to(self, n: int) -> None:
        if self._offered > n:
            self.wants_rewind = True
            self._waiting.clear()
            self._waiting_bytes = self._offered = 0
            self._read_all = False
        self.acked = n

    def _refuse(self, answer: Refused, batch: Batch) -> None:
        if answer.status == 413 and len(batch.lines) > 1:
            # Somebody in between takes less than the server does.
            self._limit = max(1, self._limit // 2)
            return
        n = answer.n
        if n is None and answer.status == 413 and batch.lines:
            n = self._waiting[0][0]
        if n is None or not any(number == n for number, _, _ in self._waiting):
            self.life, self.refusal = Life.REFUSED, answer
            return
        # A message that is not taken costs itself, not its journal: the gap it leaves is told there.
        self.skips += 1
        self._refused_numbers.add(n)
        kept = [one for one in self._waiting if one[0] != n]
        self._waiting = deque(kept)
        self._waiting_bytes = sum(len(line) for _, line, _ in kept)


def is_mark(line: bytes) -> bool:
    """Whether a line only stands for one that stays at the site."""
    return line.startswith(b'{"type":"journal_withheld"')


class BackOff:
    """How long to wait after the first, second, … failure in a row.

    Full jitter: a random part of a span that doubles (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015), so that many sites do not come back at the same moment.

    Args:
        random: Where the jitter comes from.
        first_s: The longest first wait, in seconds.
        most_s: The longest wait of all.
    """

    def __init__(self, random: Random, *, first_s: float = 0.5, most_s: float = 30.0) -> None:
        self._random = random
        self._first_s = first_s
        self._most_s = most_s
        self.failures = 0
        """How many failures in a row."""

    def failed(self, asked_s: float | None = None) -> float:
        """One more failure: how long to wait now, in seconds; at least what the server asked for (an hour at most)."""
        span = min(self._most_s, self._first_s * 2 ** min(self.failures, 16))
        self.failures += 1
        wait = self._random.uniform(span / 10, span)
        return wait if asked_s is None else max(wait, min(asked_s, 3600.0))

    def worked(self) -> None:
        """It works again."""
        self.failures = 0
