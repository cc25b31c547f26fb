"""What a run does or how it ended, in the words of page and terminal, as far as its own writer can know it. Pure."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Known", "told"]


class Known(Protocol):
    """What a document knows of its run."""

    status: str
    current_epoch: int
    current_round: int
    total_epochs: int | None
    total_rounds: int | None
    stage: str
    error: str
    by: str
    died: bool


_DOES = {
    "aggregating": ("aggregating", "{} is being aggregated."),
    "evaluating": ("evaluating", "{} is being evaluated."),
    "testing": ("evaluating", "Testing the best model."),
    "waiting_for_clients": ("waiting_for_clients", "{} is waiting for hospitals."),
}


def told(known: Known, mode: str) -> tuple[str, str]:
    """The condition in a word, and the sentence.

    Args:
        known: what is known.
        mode: `federated` where rounds are counted, else epochs are.
    """
    federated = mode == "federated"
    unit, at, total = ("round", known.current_round, known.total_rounds) if federated else ("epoch", 0, None)
    if not federated:
        at, total = known.current_epoch, known.total_epochs
    place = f"{unit} {at} of {total}" if total else f"{unit} {at}"
    if known.status not in ("started", "running"):
        return _ended(known, f" in {unit} {at}" if at else "", f" in {place}" if at else "")
    if not at:
        if known.stage == "waiting_for_clients":
            return "waiting_for_clients", "Waiting for hospitals."
        return "starting", "Starting; nothing is trained yet."
    if known.stage in _DOES:
        condition, sentence = _DOES[known.stage]
        return condition, sentence.format(place[:1].upper() + place[1:])
    return "training", f"Training {place}."


def _ended(known: Known, where: str, in_place: str) -> tuple[str, str]:
    error = known.error.strip().rstrip(".")
    if known.status == "failed" and (known.died or not error):
        how = error[:1].lower() + error[1:] if error.startswith("The ") else error
        return "dead", f"Died{where}: {how or 'its process ended without a word'}."
    if known.status == "failed":
        return "failed", f"Failed{where}: {error}."
    if known.status == "cancelled":
        return "stopped", f"Stopped{f' by {known.by}' if known.by else ''}{in_place}."
    if known.status == "lost":
        return "lost_contact", f"Lost{where}: it ended without saying how."
    return "finished", "Finished."
