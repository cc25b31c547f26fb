"""The writers of this process: shared by its loggers, ended with it, and left alone by its forked children."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from federated_pneumonia_detection.progress.document_keeper import Identity
from federated_pneumonia_detection.progress.writer import Writer

__all__ = ["close_all", "is_ending", "writer_for"]

_writers: dict[Identity, Writer] = {}
_open: set[Writer] = set()
_registry_lock = threading.RLock()
_ending = False
_finalizing_pid = 0


def writer_for(
    identity: Identity,
    *,
    experiment_name: str,
    mode: str,
    broadcast_interval: float,
    hears: tuple[str, ...],
    keeps_document: bool,
) -> Writer:
    """The writer of this process for a run and client in a directory; made where there is none."""
    with _registry_lock:
        writer = _writers.get(identity)
        if writer is None:
            writer = _writers[identity] = Writer(
                identity,
                experiment_name=experiment_name,
                mode=mode,
                broadcast_interval=broadcast_interval,
                hears=hears,
                keeps_document=keeps_document,
                on_open=_opening,
                on_close=_closed,
            )
        return writer


def close_all() -> None:
    """End every journal of this process; a logger that says something more opens another one."""
    with _registry_lock:
        writers = list(_open)
    for writer in writers:
        writer.close()


def is_ending() -> bool:
    """Whether this process has ended its journals; what is said now, by finalizers, nobody could end any more."""
    return _ending


def _at_exit() -> None:
    global _ending
    close_all()
    _ending = True


def _opening(writer: Writer) -> None:
    with _registry_lock:
        _open.add(writer)
        _writers.setdefault(writer.identity, writer)
    _end_with_this_process()


def _closed(writer: Writer) -> None:
    # The next logger of the run gets a writer that knows nothing of the round or epoch of this one.
    with _registry_lock:
        _open.discard(writer)
        if _writers.get(writer.identity) is writer:
            del _writers[writer.identity]


def _end_with_this_process() -> None:
    # A child of multiprocessing leaves by os._exit, past atexit, but not past the finalizers of multiprocessing.
    global _finalizing_pid
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None or _finalizing_pid == os.getpid():
        return
    _finalizing_pid = os.getpid()
    util.Finalize(None, _at_exit, exitpriority=-100)


def _in_a_child() -> None:
    # The parent's journals are the parent's: their descriptors go, unmarked, and a log call opens a journal of its own.
    global _registry_lock, _ending
    _registry_lock, _ending = threading.RLock(), False
    for writer in set(_writers.values()) | _open:
        writer.leave_to_the_parent()
    _open.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
