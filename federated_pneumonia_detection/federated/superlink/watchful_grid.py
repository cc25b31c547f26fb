"""Flower's grid over a SuperLink, which notices that a node has forgotten what it was sent.

A SuperNode that was started again connects under its old number, so the SuperLink misses nothing; but the message that
it was at work on is lost, and its reply would be waited for until the round's deadline. A SuperNode handles one message
at a time: one that has time for a question is at work on nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flwr.app import Error, Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run

__all__ = ["IDLE", "WatchfulGrid"]

IDLE = "query.idle"
"""The kind of message that asks nothing but an answer."""

_FORGOTTEN = 5  # Flower's code for a node that is not available
_ASK_AFTER_S = 45.0
_ASK_EVERY_S = 30.0
# A busy node shall not find the question when it is done: that would cost it a process.
_ASKED_FOR_S = 10.0


@dataclass
class _Sent:
    message: Message
    ask_at: float
    question: str | None = None
    idle: int = 0


@dataclass
class WatchfulGrid(Grid):
    """Another grid, whose forgotten messages are answered by an error.

    Attributes:
        grid: the SuperLink's.
        clock: the present, in seconds.
    """

    grid: Grid
    clock: Callable[[], float] = time.monotonic
    _sent: dict[str, _Sent] = field(default_factory=dict)

    def set_run(self, run: Run) -> None:
        """Tell the grid which run this is."""
        self.grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run."""
        return self.grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Make a message by the grid."""
        return self.grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """The connected nodes."""
        return self.grid.get_node_ids()

    def get_nodes(self) -> Iterable[NodeInfo]:
        """What the grid knows of the nodes."""
        return self.grid.get_nodes()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send, and remember what was sent."""
        listed = list(messages)
        ids = list(self.grid.push_messages(listed))
        now = self.clock()
        for message_id, message in zip(ids, listed, strict=True):
            if message_id:
                self._sent[message_id] = _Sent(message, now + _ASK_AFTER_S)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies that are there, and an error for each message that its node has forgotten."""
        wanted = set(message_ids)
        questions = {sent.question: sent for id_ in wanted if (sent := self._sent.get(id_)) and sent.question}
        replies = []
        for reply in self.grid.pull_messages(wanted | questions.keys()):
            if (asked := questions.get(reply.metadata.reply_to_message_id)) is not None:
                asked.question = None
                asked.idle = 0 if reply.has_error() else asked.idle + 1
                continue
            self._sent.pop(reply.metadata.reply_to_message_id, None)
            replies.append(reply)
        waiting = [id_ for id_ in wanted if id_ in self._sent]
        return [*replies, *self._forgotten(waiting)]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Not offered: `GuardedGrid` waits, with a deadline and a way to stop."""
        raise NotImplementedError("wrap this grid in GuardedGrid")

    def _forgotten(self, waiting: list[str]) -> Iterable[Message]:
        now = self.clock()
        for message_id in waiting:
            sent = self._sent[message_id]
            # Once may be chance: the node had just come back, and took the question before the work.
            if sent.idle > 1:
                del self._sent[message_id]
                words = "its SuperNode was started again in the middle of the round; what it had trained is lost"
                yield Message(Error(_FORGOTTEN, words), reply_to=sent.message)
            elif now >= sent.ask_at:
                if sent.question is not None:  # nobody had time for the last one
                    sent.idle = 0
                sent.ask_at = now + _ASK_EVERY_S
                node = sent.message.metadata.dst_node_id
                question = Message(RecordDict(), dst_node_id=node, message_type=IDLE, ttl=_ASKED_FOR_S)
                (asked,) = self.grid.push_messages([question])
                sent.question = asked or None
