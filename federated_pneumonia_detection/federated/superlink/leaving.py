"""What ends of an app of Flower's when its run has: itself, soon, whatever Flower still waits for.

After an end Flower hands results and logs to a SuperLink that may want them no more, and asks again for up to a minute.
What counts is on disk by then.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from federated_pneumonia_detection.progress.cancel import Cancel, CancelWatch

__all__ = ["LEAVES_WITHIN_S", "ends_when_asked", "leave_within"]

LEAVES_WITHIN_S = 5.0
_HEEDS_WITHIN_S = 3.0
_LOOK_S = 0.2


def leave_within(seconds: float = LEAVES_WITHIN_S) -> None:
    """Let this process be over in so many seconds, if Flower has not ended it by then. What is on disk stays."""

    def leave() -> None:
        time.sleep(seconds)
        # Exit handlers are what Flower hangs in.
        os._exit(1)

    threading.Thread(target=leave, name="fpd-leave", daemon=True).start()


@contextmanager
def ends_when_asked(log_dir: str, run_id: str) -> Iterator[Callable[[], Cancel | None]]:
    """Within it a request to stop ends this process, also where nobody looks between two batches.

    The training has three seconds to stop by itself; then it is interrupted by a signal that `heard` makes an exception
    of. After five more the process is over, however far Flower has got with the answer.

    Yields:
        What gives the request, once there is one.
    """
    watch, over = CancelWatch(log_dir, run_id), threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def look() -> None:
        while watch.asked() is None:
            if over.wait(_LOOK_S):
                return
        if not over.wait(_HEEDS_WITHIN_S):
            signal.pthread_kill(main, signal.SIGTERM)
        leave_within()

    threading.Thread(target=look, name="fpd-asked", daemon=True).start()
    try:
        yield lambda: watch.asked(at_once=True)
    finally:
        over.set()
        if watch.asked(at_once=True) is not None:
            leave_within()
