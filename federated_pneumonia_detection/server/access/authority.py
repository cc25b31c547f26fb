"""Who is calling: the tokens as this server knows them now, what is open under each, and when each was last used.

Tokens are read again each second, and at once when somebody shows one that is not known. What was revoked or has
expired is then refused, and whatever is open under it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from starlette.concurrency import run_in_threadpool

from federated_pneumonia_detection.server.access.token_store import TokenStore
from federated_pneumonia_detection.server.access.tokens import LOCAL, Caller, Tokens
from federated_pneumonia_detection.server.errors import TokensUnusable

__all__ = ["Authority", "AuthorityAway"]

log = logging.getLogger(__name__)

READ_EVERY_S = 1.0
GOOD_FOR_S = 60.0
"""How long tokens that were read hold where they cannot be read again: a restart of the database, not more."""
NOTED_EVERY_S = 60.0


class AuthorityAway(Exception):
    """Whether a token holds cannot be told at the moment."""


class Authority:
    """Knows who may call.

    Args:
        store: where tokens are; `None` where none are demanded, and everybody is an operator.
        wall: seconds since 1970, for expiry.
        steady: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        store: TokenStore | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._wall = wall
        self._steady = steady
        self._tokens = Tokens()
        self._read_at = float("-inf")
        self._away = False
        self._lock = threading.Lock()
        # By token: when it was last used and nobody has noted so yet, and what was noted last.
        self._used: dict[str, float] = {}
        self._noted: dict[str, float] = {}
        self._open: dict[str, set[Callable[[], None]]] = {}

    @property
    def demands_tokens(self) -> bool:
        """Whether a caller needs one."""
        return self.store is not None

    def read(self) -> None:
        """Read the tokens again, if they may have changed. Blocks; may be called on any thread."""
        store = self.store
        if store is None:
            return
        with self._lock:
            try:
                # Somebody else may have read the store before us (whether there is a token at all), and taken note.
                if self._read_at == float("-inf") or store.changed():
                    self._tokens = Tokens(store.read())
            except TokensUnusable as error:
                if not self._away:
                    log.warning("tokens cannot be read: %s", error)
                self._away = True
                return
            if self._away:
                log.warning("tokens can be read again")
            self._away = False
            self._read_at = self._steady()

    def holder_of(self, secret: str) -> Caller | None:
        """Who presents `secret`; `None` where it is no token that holds.

        Raises:
            AuthorityAway: the tokens have not been readable for too long to know.
        """
        if self.store is None:
            return LOCAL
        if self._steady() - self._read_at > GOOD_FOR_S:
            raise AuthorityAway
        now = self._wall()
        token = self._tokens.find(secret, now)
        if token is None:
            return None
        self._used[token.id] = now
        return token.caller

    async def find(self, secret: str, *, look_again: bool = True) -> Caller | None:
        """As `holder_of`, and an unknown token is looked for once more: it may have been made a moment ago."""
        caller = self.holder_of(secret)
        if caller is None and look_again:
            await run_in_threadpool(self.read)
            caller = self.holder_of(secret)
        return caller

    def seconds_left(self, caller: Caller) -> float | None:
        """How long the token of `caller` holds; `None` for as long as nobody revokes it."""
        for token in self._tokens.all:
            if token.id == caller.token_id and token.expires is not None:
                return max(0.0, token.expires - self._wall())
        return None

    @contextmanager
    def open_under(self, caller: Caller, close: Callable[[], None]) -> Iterator[None]:
        """While the `with` block runs, something is open under the caller's token: `close` is called if it ends."""
        if not caller.token_id:
            yield
            return
        held = self._open.setdefault(caller.token_id, set())
        held.add(close)
        try:
            yield
        finally:
            held.discard(close)
            if not held:
                self._open.pop(caller.token_id, None)

    def close_what_ended(self) -> None:
        """Close whatever is open under tokens that hold no more. On the loop."""
        now = self._wall()
        ended = [token_id for token_id in self._open if not self._tokens.holds(token_id, now)]
        for token_id in ended:
            closers = list(self._open.get(token_id, ()))
            log.info("token ended", extra={"token_id": token_id, "closed": len(closers)})
            for close in closers:
                close()

    def note_use(self) -> None:
        """Note in the store when tokens were last used: to the minute. Blocks."""
        store = self.store
        if store is None:
            return
        due = {
            token_id: at
            for token_id, at in list(self._used.items())
            if at - self._noted.get(token_id, 0) >= NOTED_EVERY_S
        }
        if not due:
            return
        with self._lock, suppress(TokensUnusable):  # `read` says so; the next time may do
            store.used(due)
            self._noted |= due
            for token_id in due:
                self._used.pop(token_id, None)

    def close(self) -> None:
        """Note what is to be noted, and let the store go. Blocks."""
        self.note_use()
        if self.store is not None:
            self.store.close()

    async def watch(self) -> None:
        """Read tokens again and again, until cancelled."""
        while True:
            await run_in_threadpool(self.read)
            self.close_what_ended()
            await run_in_threadpool(self.note_use)
            await asyncio.sleep(READ_EVERY_S)
