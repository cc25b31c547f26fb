"""Where a measurement lies on each x axis: images seen, epochs of data, rounds, seconds, bytes moved.

So a centralised and a federated run stand on one axis. Pure arithmetic on what messages said; the page has the same
rules (`dashboard/src/client/axes.ts`), and recorded runs hold the two together.

- **images** are counted, not estimated: in a centralised run epochs × the size of the training split; in a federated
  one what each client said it trained on (`num_samples`) × its local epochs, summed over clients and rounds. Within an
  epoch or a round: by steps, or by local epochs.
- **epochs** are epochs of data: for the run as a whole images seen by the size of the whole training split (so a round
  in which each of three hospitals trains one local epoch is one epoch of data), for a client its own local epochs.
- **rounds** are aggregated rounds; within one, local epochs are its parts.
- **seconds** are since the run began, by the writers' own clocks.
- **bytes** are what clients received and sent, as each measured it, summed up to there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from federated_pneumonia_detection.hub.fields import integer, mapping
from federated_pneumonia_detection.hub.times import seconds

__all__ = ["AXES", "Axes", "Axis", "Place"]

Axis: TypeAlias = Literal["images", "epochs", "rounds", "seconds", "bytes"]
AXES: tuple[Axis, ...] = ("images", "epochs", "rounds", "seconds", "bytes")


class Place(msgspec.Struct, frozen=True):
    """What a measurement says of where it stands; `None` for what it does not say."""

    client_id: str | None = None
    epoch: int | None = None
    round: int | None = None
    local_epoch: int | None = None
    """Of a client's epochs within the round, how many are over; `None` for the round's end."""
    step: int | None = None
    total_steps: int | None = None
    timestamp: str = ""


class _Part(msgspec.Struct):
    """What one client did in one round."""

    images: int | None = None
    """The images of one local epoch."""
    local_epochs: int = 0
    """The most that it told."""
    sent: bool = False
    bytes: int | None = None


class _Sum(msgspec.Struct, frozen=True):
    """What had been seen before a round, and after it."""

    images_before: int | None
    images: int | None
    epochs_before: int
    epochs: int
    bytes_before: int | None
    bytes: int | None


class Axes:
    """The axes of one run.

    Args:
        messages: All its lifecycle messages, decoded, in any order between writers. What a later attempt supersedes
            counts for nothing.
    """

    def __init__(self, messages: Iterable[Mapping[str, Any]]) -> None:
        told = list(messages)
        # The last epoch or round that each later attempt keeps of those before it.
        self._keeps: dict[int, int] = {}
        self._begun: float | None = None
        self._train: int | None = None
        self._data_of = 0
        self._client_train: dict[str, int] = {}
        self._local_epochs: int | None = None
        self._parts: dict[tuple[str, int], _Part] = {}
        for message in told:
            if message.get("type") == "run_start" and message.get("client_id") is None:
                self._start(message)
        for message in told:
            self._take(message)
        self._whole = self._cumulated(None)
        self._own: dict[str, dict[int, _Sum]] = {}

    def at(self, place: Place, axis: Axis) -> float | None:
        """Where it lies; `None` where that cannot be told."""
        if axis == "seconds":
            at = seconds(place.timestamp)
            return None if at is None or self._begun is None else max(0.0, at - self._begun)
        if place.round is None:
            return None if place.client_id is not None else self._centralised(place, axis)
        return self._federated(place, place.round, axis)

    # --- a centralised run ---

    def _centralised(self, place: Place, axis: Axis) -> float | None:
        if place.epoch is None or axis in ("rounds", "bytes"):
            return None
        epochs = float(place.epoch)
        if place.step is not None:
            if not place.total_steps:
                return None
            epochs += min(1.0, place.step / place.total_steps) - 1
        if axis == "epochs":
            return epochs
        return None if self._train is None else epochs * self._train

    # --- a federated run ---

    def _federated(self, place: Place, round_: int, axis: Axis) -> float | None:
        share = self._share(place)
        if axis == "rounds":
            return round_ - 1 + share
        if place.client_id is None:
            sums, whole = self._whole, self._train
        else:
            if place.client_id not in self._own:
                self._own[place.client_id] = self._cumulated(place.client_id)
            sums, whole = self._own[place.client_id], None
        until = sums.get(round_)
        if until is None:
            return None
        if axis == "bytes":
            return until.bytes if share >= 1 else until.bytes_before
        if axis == "epochs" and place.client_id is not None:
            return until.epochs_before + share * (until.epochs - until.epochs_before)
        if until.images is None or until.images_before is None:
            return None
        images = until.images_before + share * (until.images - until.images_before)
        if axis == "images":
            return images
        return images / whole if whole else None

    def _share(self, place: Place) -> float:
        """How much of its round is over: 1 at its end."""
        if place.client_id is None or place.round is None:
            return 1.0
        part = self._parts.get((place.client_id, place.round))
        epochs = max(self._epochs_of(part), place.local_epoch or 0, place.epoch or 0) if part else 1
        if place.local_epoch is not None:
            return min(1.0, place.local_epoch / epochs)
        if place.step is None:
            return 1.0
        within = min(1.0, place.step / place.total_steps) if place.total_steps else 0.0
        return min(1.0, (max(1, place.epoch or 1) - 1 + within) / epochs)

    def _epochs_of(self, part: _Part) -> int:
        planned = self._local_epochs or 1
        if part.sent:
            return part.local_epochs or planned
        return max(planned, part.local_epochs)

    def _cumulated(self, client_id: str | None) -> dict[int, _Sum]:
        """For each round what had been seen before it and what after it, by one client or by all."""
        by_round: dict[int, list[tuple[str, _Part]]] = {}
        for (client, round_), part in self._parts.items():
            if client_id in (None, client):
                by_round.setdefault(round_, []).append((client, part))
        found: dict[int, _Sum] = {}
        before = _Sum(0, 0, 0, 0, None, None)
        for round_, parts in sorted(by_round.items()):
            images: int | None = before.images
            epochs, moved = before.epochs, before.bytes
            for client, part in parts:
                if part.bytes is not None:
                    moved = (moved or 0) + part.bytes
                if not part.sent and client_id is None:
                    continue  # what it trained is in no global model
                each = part.images if part.images is not None else self._client_train.get(client)
                done = self._epochs_of(part)
                epochs += done
                images = None if images is None or each is None else images + each * done
            found[round_] = before = _Sum(before.images, images, before.epochs, epochs, before.bytes, moved)
        return found

    # --- what messages say ---

    def _take(self, message: Mapping[str, Any]) -> None:
        type_, client_id = message.get("type"), message.get("client_id")
        round_ = integer(message.get("round"))
        if not isinstance(client_id, str) or round_ is None:
            return
        attempt = integer(message.get("attempt")) or 1
        if any(later > attempt and round_ > kept for later, kept in self._keeps.items()):
            return
        part = self._parts.get((client_id, round_))
        if part is None:
            part = self._parts[client_id, round_] = _Part()
        if type_ == "local_epoch":
            part.local_epochs = max(part.local_epochs, integer(message.get("local_epoch")) or 0)
        elif type_ == "round_end":
            told = integer(mapping(message.get("fit_metrics")).get("num_samples"))
            part.images, part.sent = part.images if told is None else told, True
        for name in ("bytes_down", "bytes_up"):
            if (moved := integer(message.get(name))) is not None and moved >= 0:
                part.bytes = (part.bytes or 0) + moved

    def _start(self, message: Mapping[str, Any]) -> None:
        begun = seconds(message.get("timestamp"))
        if begun is not None and (self._begun is None or begun < self._begun):
            self._begun = begun
        attempt, kept = integer(message.get("attempt")) or 1, integer(message.get("from_round"))
        if kept is not None:
            self._keeps[attempt] = kept
        data, config = mapping(message.get("data")), mapping(message.get("config"))
        self._local_epochs = integer(config.get("local_epochs")) or self._local_epochs
        # An attempt that goes on need not tell again what it trains on.
        if data and attempt >= self._data_of:
            self._data_of = attempt
            self._train = integer(mapping(mapping(data.get("splits")).get("train")).get("n"))
            clients = mapping(data.get("clients")).items()
            self._client_train = {
                client: n for client, told in clients if (n := _train_size(mapping(told))) is not None
            }


def _train_size(counts: Mapping[str, Any]) -> int | None:
    """How many images a client trains on, by its counts alone or by split."""
    splits = mapping(counts.get("splits", counts))
    return integer(mapping(splits.get("train", counts)).get("n"))
