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
from federated_pneumonia_detection.progress.asked import Asked, keep_asked, point_path, read_asked
from federated_pneumonia_detection.progress.orders import OrderWatch


def main() -> int:
    given = _arguments()
    again = given.command == "resume"
    folder = Path(given.checkpoint_dir)
    if again:
        asked = read_asked(folder)
        given.kind, given.experiment_name, given.source = asked.kind, asked.experiment_name, asked.source
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
    if not again:
        assert Path(given.config).read_text()
        asked = Asked(given.run_id, given.kind, behaviour, "phantoms", config={"epochs": 6_000})
        if behaviour != "keeps-nothing":
            keep_asked(asked, folder, given.log_dir)
    watch = OrderWatch(given.log_dir, given.run_id)
    logger = ProgressLogger(
        given.log_dir,
        behaviour,
        given.kind,
        run_id=given.run_id,
        run_start={"from_epoch": given.number} if again else None,
        hears_cancel=behaviour not in ("deaf", "ignores-signals"),
    )
    if behaviour == "no-last-word":
        logger.close()
        return 4
    last = 3 if behaviour in ("quick", "crashes") else 6_000
    for epoch in range(1 + given.number, last + 1):
        logger.log_epoch_start(epoch, last)
        logger.log_epoch_end(epoch, {"val_auroc": 1 - 1 / (epoch + 1)}, phase="val")
        if behaviour == "crashes" and epoch == 2 and not again:
            print("about to crash", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour != "quick":
            time.sleep(0.02)
        if epoch <= 3 and behaviour != "keeps-nothing":
            point_path(folder, "epoch", epoch).touch()
        if behaviour in ("deaf", "ignores-signals"):
            continue
        cancel = watch.heed(logger)
        if cancel is not None:
            logger.log_training_cancelled(cancel.reason, cancel.by)
            return 130
    logger.log_training_complete({"total_epochs": last})
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    train, resume = commands.add_parser("train"), commands.add_parser("resume")
    train.add_argument("kind", choices=["centralized", "federated"])
    train.add_argument("source", nargs="?")
    train.set_defaults(number=0)
    for option in ("--config", "--experiment-name", "--run-id"):
        train.add_argument(option, required=True)
    resume.add_argument("run_id")
    resume.add_argument("--from", dest="number", type=int, required=True)
    for command in (train, resume):
        for option in ("--log-dir", "--checkpoint-dir"):
            command.add_argument(option, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
