"""What the server starts in tests instead of a training: it takes the same arguments and says the same kind of things.

The experiment's name says how it behaves.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.progress.cancel import CancelWatch


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", choices=["train"])
    parser.add_argument("kind", choices=["centralized", "federated"])
    parser.add_argument("source", nargs="?")
    for option in ("--config", "--experiment-name", "--run-id", "--log-dir", "--checkpoint-dir"):
        parser.add_argument(option, required=True)
    given = parser.parse_args()
    behaviour = given.experiment_name
    print(f"training {given.source} as {behaviour}")
    if behaviour == "dies-early":
        print("ImportError: no torch here", file=sys.stderr)
        return 3
    if behaviour == "hangs-early":
        time.sleep(600)
    if behaviour == "ignores-signals":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert Path(given.config).read_text()
    watch = CancelWatch(given.log_dir, given.run_id)
    logger = ProgressLogger(
        given.log_dir,
        behaviour,
        given.kind,
        run_id=given.run_id,
        hears_cancel=behaviour not in ("deaf", "ignores-signals"),
    )
    if behaviour == "no-last-word":
        logger.close()
        return 4
    last = 3 if behaviour in ("quick", "crashes") else 6_000
    for epoch in range(1, last + 1):
        logger.log_epoch_start(epoch, last)
        logger.log_epoch_end(epoch, {"val_auroc": 1 - 1 / (epoch + 1)}, phase="val")
        if behaviour == "crashes" and epoch == 2:
            print("about to crash", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour != "quick":
            time.sleep(0.02)
        asked = watch.asked()
        if asked is not None and behaviour not in ("deaf", "ignores-signals"):
            logger.log_training_cancelled(asked.reason, asked.by)
            return 130
    logger.log_training_complete({"total_epochs": last})
    return 0


if __name__ == "__main__":
    sys.exit(main())
