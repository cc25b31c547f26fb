"""What a site withholds, as its messages tell it: each thing once, with the newest reason, whatever the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from federated_pneumonia_detection.hub.fields import integer
from federated_pneumonia_detection.hub.state import Withheld

__all__ = ["Withholding"]

_MOST, _LONGEST = 50, 200


class Withholding:
    """What is withheld while messages are folded."""

    def __init__(self, told: Iterable[Withheld]) -> None:
        self._told = {one.what: one for one in told}

    def take(self, message: Mapping[str, Any]) -> None:
        """Go on by a message that tells of something that was withheld."""
        told = message.get("withheld")
        if not isinstance(told, dict):
            return
        at = integer(message.get("round")) or integer(message.get("epoch")) or 0
        for what, why in told.items():
            if not isinstance(why, str):
                continue
            # One name of each thing, and the first fifty by name: so that no order changes what is kept.
            new = Withheld(what[:_LONGEST], why[:_LONGEST], at)
            known = self._told.get(new.what)
            if known is None or (known.at, known.why) < (new.at, new.why):
                self._told[new.what] = new
        for what in sorted(self._told)[_MOST:]:
            del self._told[what]

    def told(self) -> tuple[Withheld, ...]:
        """What it comes to so far, by name."""
        return tuple(one for _, one in sorted(self._told.items()))
