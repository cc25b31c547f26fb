"""Hands batches of journal lines to a server's `POST /api/ingest`, and understands what it answers."""

from __future__ import annotations

import gzip
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from federated_pneumonia_detection.hub.errors import CannotShip
from federated_pneumonia_detection.hub.shipping.outbox import Acked, Answer, Away, Batch, Expected, Refused
from federated_pneumonia_detection.hub.shipping.wish import Wish
from federated_pneumonia_detection.progress.clock import now

__all__ = ["HttpTransport"]

MEDIA_TYPE = "application/x-ndjson"
_PACK_FROM_BYTES = 1024
_COME_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


class HttpTransport:
    """Sends batches to `POST /api/ingest` of one server. Context manager.

    Args:
        url: Where the server is.
        client: Speaks HTTP; closed with it.
        token: What the server knows us by; `None` on one's own machine.
        site: What to call this machine; `None` leaves it to the token, or to the host's name.
    """

    def __init__(self, url: str, client: httpx.Client, *, token: str | None = None, site: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._client = client
        self._site = site
        # Whether it has taken something before: then what is said in its place will pass.
        self._has_worked = False
        self._headers = {"content-type": MEDIA_TYPE}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, batch: Batch) -> Answer:
        """Send it, and wait for the answer.

        Raises:
            CannotShip: The token is refused, or it is no server that takes journals.
        """
        body = b"".join([batch.header, *batch.lines])
        headers = dict(self._headers)
        if len(body) >= _PACK_FROM_BYTES:
            # The fastest level: lines of JSON shrink well by it, and a training may need the processor.
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        asked: dict[str, str | int] = {"writer_state": batch.state, "skipped": batch.skipped, "sent": now()}
        if batch.exit is not None:
            how = {"code": batch.exit.code, "signal": batch.exit.signal, "for_memory": int(batch.exit.for_memory)}
            asked |= {f"exit_{name}": value for name, value in how.items() if value is not None}
        if self._site is not None:
            asked["site"] = self._site
        try:
            answer = self._client.post(f"{self.url}/api/ingest", content=body, headers=headers, params=asked)
        except httpx.TransportError as error:
            return Away(f"no answer from {self.url} ({_reason(error)})")
        return self._understood(answer)

    def _understood(self, answer: httpx.Response) -> Answer:
        try:
            told = answer.json()
        except ValueError:
            told = None
        said: dict[str, Any] = told if isinstance(told, dict) else {}
        words = " ".join(f"{said.get('title') or f'HTTP {answer.status_code}'} {said.get('detail') or ''}".split())
        if answer.is_success and isinstance(said.get("acked"), int):
            self._has_worked = True
            return Acked(said["acked"], _wish(said.get("wish")))
        if answer.status_code in _COME_AGAIN:
            is_busy = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
            return Away(f"{self.url} asks for patience: {words}", _retry_after(answer), is_busy)
        if answer.status_code == 409 and isinstance(said.get("expected"), int):
            return Expected(said["expected"])
        if answer.status_code == 401:
            raise CannotShip(f"{self.url} does not know the token: {words}")
        if answer.status_code == 422 and said.get("n") is None and said.get("line", 1) != 1:
            return Away(f"a batch was damaged on its way to {self.url}: {words}")
        if answer.status_code == 413 or (answer.status_code in (409, 422) and said) or "writer" in said:
            n = said.get("n")
            return Refused(answer.status_code, words, n if isinstance(n, int) else None)
        if self._has_worked:
            # Somebody in between, or another server in its place for a while.
            return Away(f"{self.url} takes no journals just now: {words}")
        if answer.is_redirect:
            raise CannotShip(
                f"{self.url} is somewhere else now: {answer.headers.get('location', 'it does not say where')}"
            )
        raise CannotShip(f"{self.url} takes no journals: {words}")


def _wish(told: object) -> Wish | None:
    """What the server wishes; a wish of a kind unknown here is none."""
    if told is None:
        return None
    try:
        return msgspec.convert(told, Wish)
    except msgspec.ValidationError:
        return None


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
