"""What happens within a client's round: each batch and each local epoch, as far as it can be seen from outside.

Three ways, from none of the user's lines to one for each batch:

- the steps of torch's optimizers are counted where nobody tells more;
- `watch_batches(loader)` knows also how many there are, and when a local epoch is over;
- `current_progress()` takes metrics: `progress.step(epoch, step, steps, {"train_loss": loss})`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextvars import ContextVar, Token
from typing import Any, Generic, TypeVar

from federated_pneumonia_detection.federated.harmless import harmless
from federated_pneumonia_detection.federated.round_progress import RoundProgress

__all__ = ["BatchTeller", "current_progress", "current_teller", "leave", "watch_batches", "within"]

T = TypeVar("T")

_INTERVAL_S = 0.1
"""A batch without metrics is told at most so often: nobody sees more."""


class BatchTeller:
    """Tells the batches of one round that its code does not tell itself.

    What the code tells by `current_progress()` wins over what is seen of its loader, and that over what is seen of its
    optimizer: each batch is told once.

    Args:
        progress: the round.
    """

    def __init__(self, progress: RoundProgress) -> None:
        self.progress = progress
        # What was told from here; whatever more the progress has told, the client's own code has.
        self._steps = self._epochs = 0
        self._begun = 0  # passes over a loader
        self._over: int | None = None  # a pass that is over, and not told yet
        self._told_s = -_INTERVAL_S
        self._optimizer: int | None = None
        self._optimizer_steps = 0

    def begin_pass(self) -> int:
        """A pass over a loader begins; returns its number, from 1."""
        self.flush()
        self._begun += 1
        return self._begun

    def batch(self, epoch: int, step: int, steps: int | None) -> None:
        """A batch of a loader was trained."""
        if self.progress.steps_told == self._steps and self._is_due(step == steps):
            self._steps += 1
            self.progress.step(epoch, step, steps, {})
        else:
            self.progress.heed()

    def end_pass(self, epoch: int) -> None:
        """A pass is over; it is told when the next one begins, unless the client's code tells it by then."""
        self._over = epoch

    def optimizer_stepped(self, optimizer: object) -> None:
        """Torch's optimizer took a step; of several, the first one counts."""
        if self._optimizer is None:
            self._optimizer = id(optimizer)
        if self._begun or self._optimizer != id(optimizer):
            return
        self._optimizer_steps += 1
        # The first is not told: by the second it is known whether the client's code tells its batches itself.
        if self._optimizer_steps > 1 and self.progress.steps_told == self._steps and self._is_due(False):
            self._steps += 1
            self.progress.step(1, self._optimizer_steps, None, {})
        else:
            self.progress.heed()

    def flush(self) -> None:
        """Tell the local epoch that is over, if nobody has."""
        epoch, self._over = self._over, None
        if epoch is not None and self.progress.epochs_told == self._epochs:
            self._epochs += 1
            self.progress.local_epoch(epoch, {})

    def _is_due(self, is_last: bool) -> bool:
        now_s = time.monotonic()
        if not is_last and now_s - self._told_s < _INTERVAL_S:
            return False
        self._told_s = now_s
        return True


_teller: ContextVar[BatchTeller | None] = ContextVar("fpd_batch_teller", default=None)


def current_teller() -> BatchTeller | None:
    """What tells the batches of the client that trains here."""
    return _teller.get()


def current_progress() -> RoundProgress | None:
    """The progress of the client whose training message is being handled here; `None` outside a watched client."""
    teller = _teller.get()
    return None if teller is None else teller.progress


def within(progress: RoundProgress) -> Token[BatchTeller | None]:
    """Make `progress` the current one until `leave`, and count the steps of torch's optimizers for it."""
    with harmless("counting an optimizer's steps"):
        _hear_optimizers()
    return _teller.set(BatchTeller(progress))


def leave(token: Token[BatchTeller | None]) -> None:
    """Take back what `within` did."""
    _teller.reset(token)


def watch_batches(batches: Iterable[T]) -> Iterable[T]:
    """The same batches, told as they are trained; each pass over them is a local epoch of the client's round.

    Outside a watched client's training they are handed back as they are. What else `batches` can do (`len`,
    `.dataset`) it still can::

        trainloader = watch_batches(trainloader)
    """
    teller = _teller.get()
    return batches if teller is None else _Watched(batches, teller)


class _Watched(Generic[T]):
    def __init__(self, batches: Iterable[T], teller: BatchTeller) -> None:
        self._batches = batches
        self._teller = teller

    def __iter__(self) -> Iterator[T]:
        teller, steps, step = self._teller, _length(self._batches), 0
        epoch = teller.begin_pass()
        for step, batch in enumerate(self._batches, start=1):
            yield batch
            # The next one is asked for: this one has been trained.
            teller.batch(epoch, step, steps)
        if step:
            teller.end_pass(epoch)

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


def _length(batches: Iterable[Any]) -> int | None:
    try:
        return len(batches) if isinstance(batches, Sized) else None
    except TypeError:  # a DataLoader over a stream has a length that it cannot tell
        return None


_hears_optimizers = False


def _hear_optimizers() -> None:
    """Let torch say when an optimizer has taken a step, where torch is used at all. Once for each process."""
    global _hears_optimizers
    if _hears_optimizers or "torch" not in sys.modules:
        return
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(_stepped)
    _hears_optimizers = True


def _stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
    if (teller := _teller.get()) is not None:
        teller.optimizer_stepped(optimizer)
