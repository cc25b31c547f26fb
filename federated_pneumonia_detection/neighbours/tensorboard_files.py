"""TensorBoard's event files, written and read by TensorBoard's own package, without TensorFlow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.neighbours.curves import Measured, as_messages
from federated_pneumonia_detection.neighbours.errors import NotReadable, NotThere
from federated_pneumonia_detection.neighbours.importing import Foreign, stamp
from federated_pneumonia_detection.neighbours.points import STEPS, Exported, Point

__all__ = ["read", "write"]

_RIGHT = "name the file that TensorBoard's writer made (events.out.tfevents.…)"


def write(run: Exported, points: Sequence[Point], out: Path) -> str:
    """A directory for the run with one event file in it; `tensorboard --logdir OUT` shows it."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ModuleNotFoundError:
        raise NotThere("tensorboard", "tensorboard") from None
    writer = EventFileWriter(str(out / run.run_id))
    try:
        for point in points:
            value = Summary.Value(tag=point.name, simple_value=point.value)
            writer.add_event(Event(wall_time=point.seconds, step=point.step, summary=Summary(value=[value])))
    finally:
        writer.close()
    return f"tensorboard --logdir {out}"


def read(path: Path, content: bytes, experiment_name: str) -> Foreign:
    """The scalars of an event file, with their times.

    Raises:
        NotReadable: it is no such file, is damaged, or there is no scalar in it.
        NotThere: tensorboard is not installed.
    """
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util import tensor_util
    except ModuleNotFoundError:
        raise NotThere("tensorboard", "tensorboard") from None
    found: dict[tuple[bool, int], dict[str, float | None]] = {}
    times: dict[tuple[bool, int], float] = {}
    _check(path)
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            number = _scalar(value, tensor_util)
            if number is None:
                continue
            # Steps that we have written count for themselves, beside the epochs.
            is_step = value.tag.startswith(STEPS)
            name = f"{value.tag.removeprefix(STEPS)}_step" if is_step else value.tag
            at = (is_step, int(event.step))
            found.setdefault(at, {})[name] = number if math.isfinite(number) else None
            times[at] = event.wall_time
    ends = sorted(times[at] for at in found if not at[0])
    measured = []
    for at in sorted(found, key=lambda at: (times[at], at)):
        told = found[at].pop("epoch", None)
        epoch = bisect_left(ends, times[at]) if at[0] else None if told is None else int(told)
        if found[at]:
            measured.append(Measured(at[1], epoch, stamp(times[at]), found[at]))
    if not measured:
        raise NotReadable(path, "there is no scalar in it", _RIGHT)
    return Foreign("centralized", as_messages(experiment_name, measured, {}))


def _check(path: Path) -> None:
    """Every record whole: what reads the events stops at a damaged one without a word."""
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    records = PyRecordReader_New(str(path))
    try:
        while True:
            records.GetNext()
    except errors.OutOfRangeError:
        return
    except errors.DataLossError as error:
        raise NotReadable(path, f"it is damaged, or no event file ({error.message})", _RIGHT) from None


def _scalar(value: Any, tensor_util: Any) -> float | None:
    """The number of a summary, of the new form as of the old one; `None` for pictures, texts and the like."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and value.metadata.plugin_data.plugin_name == "scalars":
        array = tensor_util.make_ndarray(value.tensor)
        return float(array.item()) if array.size == 1 else None
    return None
