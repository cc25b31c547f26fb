"""What goes to viewers: a message spliced with its run and its offset (or row), encoded once for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

import msgspec

from federated_pneumonia_detection.hub.stores.store import Step, Stored

__all__ = ["Burst", "Frame", "frame_of", "on_the_wire", "subscribed"]

StepKey = tuple[str, str | None, str]
"""Run, client and phase: of two steps with the same key the newer one wins on its way to a viewer."""


class Frame(bytes):
    """One JSON object, ready to be sent.

    It is made once and shared by all viewers, so what they need to know of it (where it stands in the log, whom it
    concerns) is kept beside the bytes.
    """

    run_id: str | None
    client_id: str | None
    offset: int
    """0 for a step and for what does not stand in the log."""
    row: int
    """A step's row, 0 for all else."""
    key: StepKey | None
    """What a step is the newest of; `None` for all that may never be merged."""

    def __new__(
        cls,
        data: bytes,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        offset: int = 0,
        row: int = 0,
        key: StepKey | None = None,
    ) -> Frame:
        """Keep beside the bytes what viewers need to know of them."""
        frame = super().__new__(cls, data)
        frame.run_id = run_id
        frame.client_id = client_id
        frame.offset = offset
        frame.row = row
        frame.key = key
        return frame

    @cached_property
    def text(self) -> str:
        """The frame as a string, decoded once."""
        return self.decode()


class Burst:
    """Frames that go out together, shared by all viewers they are for."""

    __slots__ = ("frames", "size_bytes", "wire")

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.size_bytes = sum(map(len, frames))
        self.wire: bytes | None = None
        """What a transport's protocol made of them, for all its viewers; `None` until one did."""


@lru_cache(maxsize=256)
def _run_part(run_id: str) -> bytes:
    return b',"run_id":' + msgspec.json.encode(run_id)


def on_the_wire(message: Stored) -> bytes:
    """A lifecycle message as it goes over the wire, as bytes alone."""
    return b'%b%b,"offset":%d}' % (message.body[:-1], _run_part(message.run_id), message.offset)


def frame_of(message: Stored | Step) -> Frame:
    """The message as it goes over the wire."""
    if isinstance(message, Stored):
        return Frame(
            on_the_wire(message),
            run_id=message.run_id,
            client_id=message.client_id,
            offset=message.offset,
        )
    return Frame(
        b'%b%b,"row":%d}' % (message.body[:-1], _run_part(message.run_id), message.row),
        run_id=message.run_id,
        client_id=message.client_id,
        row=message.row,
        key=(message.run_id, message.client_id, message.phase),
    )


def subscribed(*, log_id: str, top: int, recovered: bool, timestamp: str) -> Frame:
    """The first frame a viewer gets."""
    return Frame(
        msgspec.json.encode(
            {"type": "subscribed", "timestamp": timestamp, "log_id": log_id, "top": top, "recovered": recovered}
        )
    )
