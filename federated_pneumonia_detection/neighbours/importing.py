"""A file of another tracker as a journal: a writer as any other, which has said everything already.

The journal is made of the file's content alone: its run is called by a digest of it, and so is its writer. So importing
a file twice, a copy of it, or one that another process imports just now changes nothing; and the journal is there whole
or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from federated_pneumonia_detection.neighbours.errors import NotReadable
from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.framing import FORMAT, JournalHeader, encode_line
from federated_pneumonia_detection.progress.journal import encode_end, journal_stem
from federated_pneumonia_detection.progress.messages import Message, encode
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Foreign", "Imported", "Reader", "import_file", "stamp"]


class Foreign(NamedTuple):
    """What a file tells: a whole run, its first message a `run_start`, its last an end."""

    mode: str
    messages: Sequence[Message]


class Imported(NamedTuple):
    """What became of a file."""

    run_id: str
    is_new: bool
    messages: int


Reader = Callable[[Path, bytes, str], Foreign]
"""Makes messages of a file: its path, its content, the name of the experiment."""


def stamp(seconds: float) -> str:
    """A time as messages carry it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def import_file(path: Path, log_dir: Path, *, experiment_name: str | None = None) -> Imported:
    """Make a journal of a file of another tracker.

    Args:
        path: a tfevents file, Lightning's `metrics.csv` or NVFLARE's `round_metrics.jsonl`, told apart by their names.
        log_dir: where the journal goes; made where it is missing.
        experiment_name: what the run is called; by itself as the directory of the file is.

    Raises:
        NotReadable: it is none of these, or damaged.
        NotThere: what reads it is not installed.
        OSError: it cannot be read, or the journal not be written.
    """
    reader = _reader(path)
    content = path.read_bytes()
    name = experiment_name or path.absolute().parent.name or path.stem
    digest = hashlib.sha256(content).hexdigest()
    run_id = f"{slug(name)}-{digest[:10]}"
    target = log_dir / f"{journal_stem(run_id, None)}.jsonl"
    if target.exists():
        return Imported(run_id, False, 0)
    foreign = reader(path, content, name)
    header = JournalHeader(
        format=FORMAT,
        writer=digest[:16],
        run_id=run_id,
        client_id=None,
        experiment_name=name,
        mode=foreign.mode,
        host=liveness.host_name(),
        boot=liveness.boot_id(),
        pid=os.getpid(),
        pid_start=liveness.pid_start(os.getpid()),
        start=foreign.messages[0].timestamp,
        broadcast_interval=0.0,
        hears=[],
    )
    lines = [encode_line(msgspec.json.encode(header), 0)]
    lines += [encode_line(encode(message), n) for n, message in enumerate(foreign.messages, 1)]
    lines.append(encode_line(encode_end(foreign.messages[-1].timestamp), len(lines)))
    return Imported(run_id, _placed(target, b"".join(lines)), len(foreign.messages))


def _placed(target: Path, content: bytes) -> bool:
    """Put the file there, whole; whether it was not there before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{os.urandom(8).hex()}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        return True
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reader(path: Path) -> Reader:
    from federated_pneumonia_detection.neighbours import lightning_csv, nvflare_rounds, tensorboard_files

    if "tfevents" in path.name:
        return tensorboard_files.read
    if path.suffix == ".csv":
        return lightning_csv.read
    if path.suffix == ".jsonl":
        return nvflare_rounds.read
    raise NotReadable(
        path,
        "that is no file we know",
        "name a tfevents file of TensorBoard, a metrics.csv of Lightning or a round_metrics.jsonl of NVFLARE",
    )
