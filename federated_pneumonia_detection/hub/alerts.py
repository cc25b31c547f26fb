"""What somebody should look at, over all runs: alerts, failures, and what rules have told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from federated_pneumonia_detection.hub.fields import integer, text
from federated_pneumonia_detection.hub.stores.store import Store, Stored

__all__ = ["END", "LEVELS", "RULE", "Alerted", "alerted", "found"]

LEVELS = ("info", "warning", "error")
"""Of alerts, the least first."""
END = 2**63 - 1
"""Above every offset."""
RULE = "rule:"
"""What `about` begins with in an alert that a rule has told."""

_PAGE = 500
_MOST_PAGES = 20
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Alerted(msgspec.Struct, frozen=True):
    """One thing that somebody should look at."""

    offset: int
    run_id: str
    client_id: str | None
    level: str
    """`info`, `warning` or `error`."""
    title: str
    text: str
    timestamp: str
    type: str
    """The message it is: `alert`, `client_failed` or `training_error`."""
    rule: str | None = None
    """The rule that told it, as somebody wrote it."""
    round: int | None = None
    attempt: int = 1


def alerted(message: Stored) -> Alerted:
    """What a message of the types `TO_SEE_TO` tells; what is not of the type it should be counts as not told."""
    try:
        said = _decode(message.body)
    except ValueError:  # not an object: nobody's message
        said = {}
    about, level = text(said.get("about")), text(said.get("level"))
    title, words = text(said.get("title")), text(said.get("text"))
    if message.type != "alert":
        level, words = "error", text(said.get("error"))
        title = "The training failed" if message.client_id is None else "A hospital failed"
    return Alerted(
        message.offset,
        message.run_id,
        message.client_id,
        level if level in LEVELS else "warning",
        title,
        words,
        text(said.get("timestamp")),
        message.type,
        text(said.get("rule")) or None if about.startswith(RULE) else None,
        integer(said.get("round")),
        integer(said.get("attempt")) or 1,
    )


def found(
    store: Store, *, levels: Collection[str], run_id: str | None, before: int, after: int, limit: int
) -> list[Alerted]:
    """The newest first; see `Hub.alerts`. Of a log that is full of other levels, what its newest pages hold."""
    chosen: list[Alerted] = []
    for _ in range(_MOST_PAGES):
        page = store.to_see_to(before=before, limit=_PAGE, run_id=run_id)
        for message in page:
            if message.offset <= after:
                return chosen
            one = alerted(message)
            if one.level in levels:
                chosen.append(one)
                if len(chosen) >= limit:
                    return chosen
        if len(page) < _PAGE:
            break
        before = page[-1].offset
    return chosen
