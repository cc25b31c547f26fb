"""The tables of a log, and how a row of them is the value that crosses the `Store` interface."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from federated_pneumonia_detection.hub.stores.store import TO_SEE_TO, Step, Stored

__all__ = [
    "FORMAT",
    "IS_TO_SEE_TO",
    "STEP",
    "STORED",
    "messages",
    "meta",
    "places",
    "schema",
    "step_of",
    "steps",
    "stored_of",
    "to_see_to",
]

FORMAT = 1
"""Of these tables. A database of a newer format is refused, not guessed at; an older one is opened for ever."""

# `client_id` of what no client said is `NOBODY`: a primary key takes no NULL.
schema = sa.MetaData()
meta = sa.Table(
    "meta",
    schema,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("log_id", sa.String(32), nullable=False),
    sa.Column("top", sa.BigInteger, nullable=False),
    sa.Column("floor", sa.BigInteger, nullable=False),
)
messages = sa.Table(
    "messages",
    schema,
    sa.Column("offset", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("writer", "n"),
    sa.Index("messages_of_a_run", "run_id", "offset"),
)
steps = sa.Table(
    "steps",
    schema,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("phase", sa.Text, primary_key=True),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("writer", "n"),
)
places = sa.Table(
    "places",
    schema,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("writer", sa.Text, nullable=False),
    sa.Column("inode", sa.BigInteger, nullable=False),
    sa.Column("byte", sa.BigInteger, nullable=False),
    sa.Column("n", sa.BigInteger, nullable=False),
)

# Written out, not bound: a database uses an index of a part only where it sees the same words.
IS_TO_SEE_TO = sa.text(f"type IN ({', '.join(repr(name) for name in TO_SEE_TO)})")
"""Whether a message is of the types `TO_SEE_TO`."""
to_see_to = sa.Index("messages_to_see_to", messages.c.offset, sqlite_where=IS_TO_SEE_TO, postgresql_where=IS_TO_SEE_TO)
"""Of so few messages that it costs next to nothing; a database of an earlier version gets it when it is opened."""

STORED = tuple(messages.c[name] for name in Stored._fields)
"""The columns of a `Stored`, in its order."""
STEP = tuple(steps.c[name] for name in Step._fields)
"""The columns of a `Step`, in its order."""


def stored_of(row: Any) -> Stored:
    """The message in a row of `STORED`."""
    message = Stored(*row)
    return message if message.client_id else message._replace(client_id=None)


def step_of(row: Any) -> Step:
    """The step in a row of `STEP`."""
    step = Step(*row)
    return step if step.client_id else step._replace(client_id=None)
