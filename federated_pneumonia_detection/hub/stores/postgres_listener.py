"""Hears of what other servers have committed: PostgreSQL's `NOTIFY` as a hint, a look each second as the truth."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping

import psycopg
import sqlalchemy as sa

from federated_pneumonia_detection.hub.errors import HubError

__all__ = ["CHANNEL", "PostgresListener"]

logger = logging.getLogger(__name__)

CHANNEL = "fpd_log"
_LOOK_EVERY_S = 1.0
_CLOSES_WITHIN_S = 10.0


class PostgresListener:
    """A thread that calls `on_news` when another server may have committed, and each second in any case.

    Args:
        url: The database.
        arguments: What else its connection is told.
        on_news: May take as long as it needs; what comes meanwhile makes one more call.
        own: What our own notifications say: they are no news.
    """

    def __init__(self, url: sa.URL, arguments: Mapping[str, str], on_news: Callable[[], None], *, own: str) -> None:
        plain = url.set(drivername="postgresql").difference_update_query([*url.query])
        self._conninfo = plain.render_as_string(hide_password=False)
        self._arguments = dict(arguments)
        self._on_news = on_news
        self._own = own
        self._closing = threading.Event()
        # Written to when it is time to stop: the thread waits for the database and for this.
        self._woken, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="log listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the thread. Twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.send(b"\0")
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=_CLOSES_WITHIN_S)
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                # The arguments are libpq's, none of which psycopg types by name.
                with psycopg.connect(self._conninfo, autocommit=True, **self._arguments) as connection:  # type: ignore[arg-type]
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._follow(connection)
            except psycopg.Error as error:
                # A restart, a network that is away: the look each second goes on, and so does the trying.
                logger.debug("no notifications for now: %s", error)
                self._tell()
                self._closing.wait(_LOOK_EVERY_S)

    def _follow(self, connection: psycopg.Connection) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            self._tell()
            looked = time.monotonic()
            while not self._closing.is_set():
                selector.select(max(0.0, looked + _LOOK_EVERY_S - time.monotonic()))
                heard = [note for note in connection.notifies(timeout=0) if note.payload != self._own]
                if heard or time.monotonic() - looked >= _LOOK_EVERY_S:
                    self._tell()
                    looked = time.monotonic()

    def _tell(self) -> None:
        if self._closing.is_set():
            return
        try:
            self._on_news()
        except HubError as error:  # the database is away: asked again in a second
            logger.debug("the log cannot be read for now: %s", error)
        except Exception:
            # Without this thread nobody here hears of other servers any more: say what happened, and go on.
            logger.exception("following the log failed; it goes on")
