"""The edge to Apprise: hands one message to one target, and says in words without secrets why it was not taken."""

from __future__ import annotations

import importlib.util
import logging
import re
from urllib.parse import unquote, urlsplit

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.server.errors import ServerError

__all__ = ["NotTaken", "Target", "open_targets"]

_APPRISE = "apprise"
_PARTS = re.compile(r"[/:@?&=,;+#\s]+")
_LEAST_SECRET_LETTERS = 4
_TYPES = {"error": "failure", "warning": "warning", "info": "info"}


class NotTaken(Exception):
    """A target did not take a message; `str()` says why, as far as it is known."""


class Target:
    """Somebody who is told.

    Args:
        name: What the operator calls it.
        address: Where it is: a secret.

    Raises:
        ConfigError: Apprise knows no such address.
    """

    def __init__(self, name: str, address: str) -> None:
        import apprise

        self.name = name
        self.service = urlsplit(address).scheme or "unknown"
        self._address = address
        # What it says of an address goes into no log of ours.
        logging.getLogger(_APPRISE).propagate = False
        self._sender = apprise.Apprise()
        if not self._sender.add(address):
            raise ConfigError(
                f"targets.{name}",
                "Apprise knows no such address",
                "one looks like mailtos://user:password@example.org, or slack://…; Apprise's documentation lists them",
            )

    def send(self, title: str, body: str, level: str) -> None:
        """Tell it; takes as long as the target's service does, some twenty seconds at most.

        Raises:
            NotTaken: It did not take it.
        """
        import apprise

        try:
            result = self._sender.notify(
                title=title, body=body, notify_type=_TYPES.get(level, "info"), body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001 - one of a hundred services' own
            raise NotTaken(self._without_secrets(f"{type(error).__name__}: {error}")) from None
        if not result:
            said = [entry.message for each in result.results for entry in each.logs()]
            raise NotTaken(self._without_secrets(said[-1] if said else "") or f"{self.service} did not take it")

    def _without_secrets(self, words: str) -> str:
        parts = urlsplit(self._address)
        host = parts.hostname or ""
        for each in sorted(set(_PARTS.split(unquote(self._address))) | set(_PARTS.split(self._address)), key=len):
            if len(each) >= _LEAST_SECRET_LETTERS and each.lower() not in (host, parts.scheme):
                words = words.replace(each, "…")
        return " ".join(words.split())[:300]


def open_targets(addresses: dict[str, str]) -> list[Target]:
    """The targets at these addresses.

    Raises:
        ConfigError: Apprise knows no such address.
        ServerError: Apprise is not installed.
    """
    if addresses and importlib.util.find_spec(_APPRISE) is None:
        raise ServerError("to tell anybody it needs Apprise; install federated-pneumonia-detection[notify]")
    return [Target(name, address) for name, address in addresses.items()]
