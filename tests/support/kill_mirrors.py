"""Kills whoever keeps a mirror at every failpoint of taking three batches, each in a child.

`python kill_mirrors.py FOLDER`: each kill has a folder of its own in FOLDER, and is a line of JSON on standard output:
where it was, and what had been acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import failpoints
from shipments import body, end_line, line, round_end

from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.shipment import parse

BATCHES = (body(line(1), line(2)), body(line(3), round_end(4)), body(line(5, data="x" * 5000), end_line(6)))


def take(directory: Path, told: int) -> None:
    """Take the three batches; each acknowledgement is written down."""
    mirrors = Mirrors(directory)
    for batch in BATCHES:
        acked = mirrors.take(parse(batch), Delivery("site", "alive"))
        failpoints.write_unseen(told, b"%d\n" % acked)


def main() -> None:
    """Every kill there is."""
    folder = Path(sys.argv[1])
    for at in range(1, 200):
        ends = True
        for when in failpoints.WHENS:
            directory = folder / f"{at}-{when}"
            directory.mkdir(parents=True)
            told, tell = os.pipe()
            outcome = failpoints.ended(*failpoints.forked(lambda to=directory, fd=tell: take(to, fd), at=at, when=when))
            os.close(tell)
            acked = [int(number) for number in os.read(told, 4096).split()]
            os.close(told)
            if outcome.killed:
                ends = False
                print(json.dumps({"directory": directory.name, "point": outcome.point, "acked": max(acked, default=0)}))
            else:
                assert outcome.code == 0, outcome
        if ends:
            return


if __name__ == "__main__":
    main()
