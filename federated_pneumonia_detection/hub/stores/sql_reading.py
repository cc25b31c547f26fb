"""What is read of a log in a database: one function for each question, given a connection.

Only what lies at or below `top` is read: what another server has committed since is there, and not told yet.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from federated_pneumonia_detection.hub.stores.store import Place, Step, Stored
from federated_pneumonia_detection.hub.stores.tables import (
    IS_TO_SEE_TO,
    STEP,
    STORED,
    messages,
    places,
    step_of,
    steps,
    stored_of,
)

__all__ = ["messages_to_see_to", "newest_messages", "newest_steps", "read_messages", "read_places", "read_steps"]


def read_messages(
    connection: Connection,
    *,
    after: int,
    top: int,
    limit: int,
    run_id: str | None = None,
    client_id: str | None = None,
) -> list[Stored]:
    """Lifecycle messages above `after` up to `top`; see `Store.read`."""
    query = sa.select(*STORED).where(messages.c.offset > after, messages.c.offset <= top)
    if run_id is not None:
        query = query.where(messages.c.run_id == run_id)
    if client_id is not None:
        query = query.where(messages.c.client_id == client_id)
    return [stored_of(row) for row in connection.execute(query.order_by(messages.c.offset).limit(limit))]


def messages_to_see_to(
    connection: Connection, *, before: int, top: int, limit: int, run_id: str | None = None
) -> list[Stored]:
    """What somebody should look at, the newest first; see `Store.to_see_to`."""
    query = sa.select(*STORED).where(IS_TO_SEE_TO, messages.c.offset < before, messages.c.offset <= top)
    if run_id is not None:
        query = query.where(messages.c.run_id == run_id)
    return [stored_of(row) for row in connection.execute(query.order_by(messages.c.offset.desc()).limit(limit))]


def newest_messages(connection: Connection, *, top: int, run_id: str, client_id: str | None = None) -> list[Stored]:
    """The newest message of each type, phase and client; see `Store.newest`."""
    kinds = (messages.c.type, messages.c.phase, messages.c.client_id)
    newest = (
        sa.select(sa.func.max(messages.c.offset))
        .where(messages.c.run_id == run_id, messages.c.offset <= top)
        .group_by(*kinds)
    )
    if client_id is not None:
        newest = newest.where(messages.c.client_id == client_id)
    query = sa.select(*STORED).where(messages.c.offset.in_(newest)).order_by(messages.c.offset)
    return [stored_of(row) for row in connection.execute(query)]


def newest_steps(connection: Connection, *, run_id: str, client_id: str | None = None) -> list[Step]:
    """The newest step of each client and phase; see `Store.newest_steps`."""
    newest = (
        sa.select(steps.c.client_id, steps.c.phase, sa.func.max(steps.c.row).label("row"))
        .where(steps.c.run_id == run_id)
        .group_by(steps.c.client_id, steps.c.phase)
    )
    if client_id is not None:
        newest = newest.where(steps.c.client_id == client_id)
    last = newest.subquery()
    same = sa.and_(steps.c.client_id == last.c.client_id, steps.c.phase == last.c.phase, steps.c.row == last.c.row)
    query = sa.select(*STEP).join(last, same).where(steps.c.run_id == run_id)
    return [step_of(row) for row in connection.execute(query)]


def read_steps(
    connection: Connection, *, run_id: str, client_id: str | None = None, phase: str | None = None, since: int = 0
) -> list[Step]:
    """Steps above a row; see `Store.steps`."""
    query = sa.select(*STEP).where(steps.c.run_id == run_id, steps.c.row > since)
    if client_id is not None:
        query = query.where(steps.c.client_id == client_id)
    if phase is not None:
        query = query.where(steps.c.phase == phase)
    return [step_of(row) for row in connection.execute(query.order_by(steps.c.client_id, steps.c.phase, steps.c.row))]


def read_places(connection: Connection, *, at: str = "") -> list[Place]:
    """How far each journal has been read; see `Store.places`.

    Args:
        connection: To the database.
        at: What stands before the paths of this machine, where several share the table.
    """
    query = sa.select(places)
    if at:
        query = query.where(places.c.path.startswith(at, autoescape=True))
    return [Place(row.path[len(at) :], row.writer, row.inode, row.byte, row.n) for row in connection.execute(query)]
