"""What a screen keeps of a run's messages beside its state: curves, each hospital's loss, the newest lines. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from federated_pneumonia_detection.cli.lines import line

__all__ = ["NOTHING", "Seen", "Story"]

Points = tuple[tuple[float, float | None], ...]

KEPT_LINES = 300
KEPT_LOCAL = 400
_PHASES = ("train", "val", "test")
_COUNTS = frozenset({"num_samples", "num_clients", "num_examples", "bytes_up", "bytes_down"})


class Seen(NamedTuple):
    """A story up to now; nobody changes it any more."""

    curves: Mapping[str, Points]
    """By metric, over epochs or rounds, without what is superseded."""
    local: Mapping[str, Points]
    """By hospital its training loss, over rounds and their parts."""
    lines: tuple[str, ...]
    """The newest last."""
    local_epochs: int | None
    """How many each hospital trains in a round, where that was told."""


NOTHING = Seen({}, {}, (), None)


class Story:
    """Takes a run's messages in the order of the log."""

    def __init__(self) -> None:
        self._curves: dict[str, dict[float, float | None]] = {}
        self._local: dict[str, deque[tuple[float, float | None]]] = {}
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._local_epochs: int | None = None

    def take(self, message: Mapping[str, Any]) -> None:
        """One more; what is not as we know it is passed over."""
        told = line(message)
        if told is not None:
            self._lines.append(told)
        try:
            self._take(message)
        except (AttributeError, KeyError, TypeError, ValueError):
            return

    def seen(self) -> Seen:
        """What was told until now."""
        curves = {name: tuple(sorted(points.items())) for name, points in self._curves.items()}
        local = {client: tuple(points) for client, points in self._local.items()}
        return Seen(curves, local, tuple(self._lines), self._local_epochs)

    def _take(self, message: Mapping[str, Any]) -> None:
        kind, client = message["type"], message.get("client_id")
        if kind == "run_start" and client is None:
            epochs = (message.get("config") or {}).get("local_epochs")
            self._local_epochs = epochs if isinstance(epochs, int) else self._local_epochs
            if message.get("attempt", 1) > 1:
                self._go_on_from(message.get("from_epoch") or message.get("from_round") or 0)
        elif kind == "epoch_end" and client is None:
            phase = str(message["phase"])
            for name, value in message["metrics"].items():
                self._add(name if name.split("_", 1)[0] in _PHASES else f"{phase}_{name}", message["epoch"], value)
        elif kind == "round_aggregated":
            for name, value in message["metrics"].items():
                self._add(name, message["round"], value)
        elif kind == "local_epoch" and client is not None:
            part = message["local_epoch"] / (self._local_epochs or message["local_epoch"])
            self._tell_local(client, message["round"] - 1 + min(1.0, part), message["metrics"])
        elif kind == "round_end" and client is not None and client not in self._local:
            self._tell_local(client, message["round"], message["fit_metrics"])

    def _add(self, name: str, at: float, value: Any) -> None:
        if name not in _COUNTS and (value is None or isinstance(value, int | float)):
            self._curves.setdefault(name, {})[at] = _number(value)

    def _tell_local(self, client: str, at: float, metrics: Mapping[str, Any]) -> None:
        loss = metrics.get("train_loss", metrics.get("loss"))
        self._local.setdefault(client, deque(maxlen=KEPT_LOCAL)).append((at, _number(loss)))

    def _go_on_from(self, kept: int) -> None:
        """A new attempt goes on from there: what was told of later epochs is superseded."""
        for points in self._curves.values():
            for at in [at for at in points if at > kept]:
                del points[at]
        for client, local in self._local.items():
            self._local[client] = deque((one for one in local if one[0] <= kept), maxlen=KEPT_LOCAL)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
