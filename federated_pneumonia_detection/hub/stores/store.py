"""Where the log lies: a small interface, and the values that cross it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

__all__ = ["NOBODY", "NOTHING", "TO_SEE_TO", "Arrival", "Batch", "News", "Place", "Step", "Store", "Stored"]


NOBODY = ""
"""In place of a client: what no client said."""


TO_SEE_TO = ("alert", "client_failed", "training_error")
"""The types of the messages that somebody should look at."""


class Arrival(NamedTuple):
    """One message read from a journal, on its way into the log."""

    writer: str
    n: int
    run_id: str
    client_id: str | None
    type: str
    phase: str
    """The message's own `phase`; empty where it has none."""
    body: bytes
    """The message as its writer wrote it: one JSON object without `run_id`, `offset` and `row`."""


class Stored(NamedTuple):
    """One lifecycle message of the log."""

    offset: int
    run_id: str
    client_id: str | None
    type: str
    phase: str
    body: bytes
    writer: str
    n: int


class Step(NamedTuple):
    """One `step` message: no offset, but a row, dense for each run, client and phase."""

    row: int
    run_id: str
    client_id: str | None
    phase: str
    body: bytes
    at: int
    """The offset of the last lifecycle message that was committed before it."""
    writer: str
    n: int


class Place(msgspec.Struct, frozen=True):
    """How far one journal has been read: what a follower needs to go on after a restart."""

    path: str
    writer: str
    inode: int
    byte: int
    n: int


class Batch(NamedTuple):
    """What goes into the log in one transaction."""

    arrivals: Sequence[Arrival]
    places: Sequence[Place] = ()


class News(NamedTuple):
    """What other servers have done to a log that they share with this one."""

    messages: Sequence[Stored | Step]
    """What they have committed, in order; of steps the newest of each run, client and phase."""
    forgotten: Sequence[str]
    """The runs that they have dropped."""


NOTHING = News((), ())


class Store(Protocol):
    """The log. Any thread may append and read; where it is shared, so may other processes.

    What others append is told once, by `append` or by `news`, and nothing of it is read before it was told.
    """

    @property
    def log_id(self) -> str:
        """Which log this is; a new one whenever offsets could mean something else."""

    @property
    def top(self) -> int:
        """The newest offset, 0 for an empty log."""

    @property
    def is_shared(self) -> bool:
        """Whether other processes append to the same log."""

    def append(self, batch: Batch) -> list[Stored | Step]:
        """Commit a batch in one transaction.

        Returns:
            What others had committed before it and was not told yet; then what was new of it, in the order of the
            batch, with its offsets and rows. A pair of writer and number that is there already is left out.
        """

    def news(self) -> News:
        """What others have done since; where there is much, a part of it. A log of this process alone has none."""

    def listen(self, on_news: Callable[[], None]) -> None:
        """Call `on_news`, on some thread, whenever there may be news, and each second; until `close`.

        A log of this process alone never calls it.
        """

    def read(self, *, after: int, limit: int, run_id: str | None = None, client_id: str | None = None) -> list[Stored]:
        """Lifecycle messages above `after`, in order, at most `limit`; of `NOBODY`: those no client made."""

    def to_see_to(self, *, before: int, limit: int, run_id: str | None = None) -> list[Stored]:
        """Messages of the types `TO_SEE_TO` below the offset `before`, the newest first, at most `limit`."""

    def newest(self, *, run_id: str, client_id: str | None = None) -> list[Stored]:
        """The newest message of each type, phase and client of a run, in order."""

    def newest_steps(self, *, run_id: str, client_id: str | None = None) -> list[Step]:
        """The newest step of each client and phase of a run."""

    def steps(
        self, *, run_id: str, client_id: str | None = None, phase: str | None = None, since: int = 0
    ) -> list[Step]:
        """Steps of a run whose row is above `since`, by client, phase and row; of `NOBODY`: those no client made."""

    def places(self) -> list[Place]:
        """How far each journal has been read."""

    def floor(self, run_id: str | None = None) -> int:
        """The newest offset that is kept no more (0: all is kept); of one run, or of all."""

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Drop a run. Offsets of others stay.

        Args:
            run_id: The run.
            aged: Nobody asked for it, it is only too old: then a viewer that missed it must be told.
        """

    def check(self) -> None:
        """See that the log is still the one that was opened; cheap.

        Raises:
            LogReplaced: It is another one from now on, and empty; everything is to be read again.
        """

    def close(self) -> None:
        """Let go of files and locks. Twice is fine."""
