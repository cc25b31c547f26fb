"""Who is behind a node: Flower's random node numbers, and the names people read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["Roster", "clear_reason", "client_name", "node_name", "told_error"]

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_RAY_NOISE = re.compile(r"\(pid=\d+[^)]*\)|actor_id=[0-9a-f]+|ray::\S+")
_WRAPPER = re.compile(r"^<class '[^']+'>:<'|'>$")
# How Ray says that an actor's process has gone.
_DEATH = ("died unexpectedly", "ActorDiedError", "ActorUnavailableError", "actor is temporarily unavailable")
_LIMIT = 300


def client_name(partition: int | str) -> str:
    """The name of the client that holds that partition, as `client_0`."""
    return f"client_{partition}"


def node_name(node_config: Mapping[str, object], node_id: int) -> str:
    """What a node's operator calls it (`client-id`); else the name of its partition, or of its node number."""
    named = node_config.get("client-id")
    return str(named) if named else client_name(str(node_config.get("partition-id", node_id)))


class Roster:
    """Names by node, in the order of the names' numbers. Nodes not heard of are named by their node number."""

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self._names = dict(names or {})

    def __len__(self) -> int:
        return len(self._names)

    def learn(self, node_id: int, name: str) -> None:
        """Remember that `node_id` is `name`."""
        self._names[node_id] = name

    def name(self, node_id: int) -> str:
        """The name of `node_id`."""
        return self._names.get(node_id) or client_name(node_id)

    def sort(self, node_ids: Iterable[int]) -> list[int]:
        """`node_ids` in the order of their names, so that no random number decides what comes first."""
        return sorted(node_ids, key=lambda node_id: (_number(self.name(node_id)), node_id))

    def fill(self, node_ids: Iterable[int], expected: int) -> None:
        """Give the names nobody answered to to the nodes nobody answered for, so that a dead client has one too."""
        unnamed = sorted(set(node_ids) - self._names.keys())
        taken = set(self._names.values())
        free = [name for name in map(client_name, range(expected)) if name not in taken]
        self._names.update(zip(unnamed, free, strict=False))


def _number(name: str) -> tuple[int, str]:
    tail = name.rpartition("_")[2]
    return (int(tail), name) if tail.isdigit() else (1 << 62, name)


_MEMORY = ("MemoryError", "OutOfMemoryError", "can't allocate memory", "CUDA out of memory", "Cannot allocate memory")


def told_error(error: BaseException) -> str:
    """What an exception says, in one line: its name and its first line, and whether it is for want of memory."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"out of memory ({text})" if any(sign in text for sign in _MEMORY) else text


def clear_reason(reason: str | None) -> str:
    """One short line for people out of what Flower and Ray give as a reason: no colours, actor numbers or paths."""
    text = _ANSI.sub("", reason or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [cleaned for line in lines if (cleaned := _WRAPPER.sub("", _RAY_NOISE.sub("", line)).strip(" '>,"))]
    if not lines:
        return "it stopped without saying why"
    if any(sign in line for line in lines for sign in _DEATH):
        return "its process died (killed, or out of memory)"
    line = lines[-1]
    if "Exception ClientAppException occurred. Message:" in line:
        line = line.partition("Message:")[2].strip()
    return line if len(line) <= _LIMIT else line[: _LIMIT - 1] + "…"
