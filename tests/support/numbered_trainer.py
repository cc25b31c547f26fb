"""A small training without torch that says numbered things for ever, and writes down each call that has returned.

`python numbered_trainer.py LOG_DIR RUN_ID CLIENT|- TOKEN RETURNED [SEED] [PACE_S]`. A line of RETURNED is a number
whose log call has returned; a last line `lost N` stands there when it was told to end (SIGTERM), after its last word.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from federated_pneumonia_detection.progress import FederatedProgressLogger, ProgressLogger


def main(arguments: list[str]) -> int:
    log_dir, run_id, client, token, returned = arguments[:5]
    seed = int(arguments[5]) if len(arguments) > 5 else 0
    pace_s = float(arguments[6]) if len(arguments) > 6 else 0.03
    chance = random.Random(seed)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    out = os.open(returned, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    logger: ProgressLogger
    if client == "-":
        logger = ProgressLogger(log_dir, "storm", run_id=run_id)
    else:
        logger = FederatedProgressLogger(client, log_dir, "storm", run_id=run_id, broadcast_interval=0.05)
    number = 0
    while not asked:
        number += 1
        said = {"by": token, "number": number}
        if number % 3 == 0:
            logger.log_epoch_end(number, said, phase="val")
        elif number % 3 == 1:
            logger.log_epoch_start(number, None)
            logger.log_custom_event("said", said)
        else:
            logger.log_step(number, 1, 1, {"loss": 1 / number})
            logger.log_custom_event("said", said)
        os.write(out, b"%d\n" % number)
        # Now and then a burst.
        if chance.random() > 0.2:
            time.sleep(chance.uniform(0, 2 * pace_s))
    logger.log_training_complete({"by": token, "number": number + 1})
    os.write(out, b"%d\nlost %d\n" % (number + 1, logger.lost))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
