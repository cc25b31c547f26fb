"""A shipper in a thread, whose line leads straight to the mirrors in another directory and can be cut."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.shipping.mirrors import Delivery, Mirrors
from federated_pneumonia_detection.hub.shipping.outbox import Acked, Answer, Away, Batch, Expected, Refused
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.hub.shipping.shipper import Shipper
from federated_pneumonia_detection.hub.watch import best_watch


class DirectLine:
    """Ships one directory into another as `fpd ship` and a server do, without a socket between them.

    Attributes:
        is_cut: whether nothing comes through.
    """

    def __init__(self, directory: Path, to: Path, site: str = "beta") -> None:
        self.is_cut = False
        self._mirrors = Mirrors(to)
        self._site = site
        self._watch = best_watch()
        self._over = threading.Event()
        self._shipper = Shipper(directory, self, watch=self._watch, tell=lambda words: None)
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)

    def send(self, batch: Batch) -> Answer:
        """Hand a batch over, as the server's ingest does."""
        if self.is_cut:
            return Away("cut", 0.2)
        try:
            shipment = parse(b"".join([batch.header, *batch.lines]))
            delivery = Delivery(self._site, batch.state, batch.skipped, batch.exit)
            return Acked(self._mirrors.take(shipment, delivery))
        except ShipmentRefused as refused:
            if refused.expected is not None:
                return Expected(refused.expected)
            return Refused(422, str(refused), refused.n)

    def _run(self) -> None:
        changed: set[str] | None = None
        while not self._over.is_set():
            self._shipper.turn(changed)
            changed = self._watch.wait(min(0.2, self._shipper.pause()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._watch.wake()
        self._thread.join(10)
