"""What can stop a server from serving.

ServerError
├── TokensUnusable: where tokens are kept cannot be read or written
└── it cannot start: the message is one line that says what was wrong and what would be right
"""

from __future__ import annotations

__all__ = ["ServerError", "TokensUnusable"]


class ServerError(RuntimeError):
    """The server cannot start. `str()` is one clear line for the terminal; no traceback belongs beside it."""


class TokensUnusable(ServerError):
    """Tokens cannot be read or written; `str()` says where and why."""
