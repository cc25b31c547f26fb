"""Flower's grid, guarded: nothing in it waits for ever, a request to stop is heard, and the order is always the same.

Flower waits without end for nodes that never connect, hands out replies in the order they happened to arrive, and
reports a lost node under the server's own number. A strategy that is given a `GuardedGrid` meets none of that,
whichever engine is behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flwr.app import Error, Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from federated_pneumonia_detection.federated.errors import NoClients
from federated_pneumonia_detection.federated.roster import Roster

__all__ = ["GuardedGrid"]

_NO_ANSWER = 5  # Flower's code for a node that is not available
_TELL_EVERY_S = 2.0


class GuardedGrid(Grid):
    """Another grid, with deadlines, a way to stop and a fixed order.

    Args:
        grid: the engine's grid.
        roster: the names of the nodes; messages and replies go by their order.
        check: called while waiting and before anything is sent; raises to stop the run.
        reply_timeout_s: after so many seconds a client that has not answered counts as failed in this round.
        connect_timeout_s: after so many seconds without enough nodes `NoClients` is raised.
        poll_s: seconds between two looks for replies.
        on_answers: called with what was sent and with the nodes that have answered, when more have than before and
            others are waited for; not oftener than every two seconds.
        waited_s: how many seconds `check` has waited so far because somebody paused the run; no deadline counts them.
    """

    def __init__(
        self,
        grid: Grid,
        *,
        roster: Roster,
        check: Callable[[], None],
        reply_timeout_s: float = 12 * 3600.0,
        connect_timeout_s: float = 120.0,
        poll_s: float = 0.02,
        waited_s: Callable[[], float] = lambda: 0.0,
        on_answers: Callable[[list[Message], list[int]], None] | None = None,
    ) -> None:
        self._grid = grid
        self._roster = roster
        self._check = check
        self._reply_timeout_s = reply_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._poll_s = poll_s
        self._waited_s = waited_s
        self._on_answers = on_answers
        # How many sent messages were given up on: their clients may still be busy when the run ends.
        self.given_up = 0

    def set_run(self, run: Run) -> None:
        """Tell the engine's grid which run this is."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The engine's run."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Make a message by the engine's grid."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """The connected nodes, in the order of their names; at least one, or `NoClients` after the deadline."""
        return self.wait_for(1)

    def get_nodes(self) -> Iterable[NodeInfo]:
        """What the engine's grid knows of the nodes."""
        return self._grid.get_nodes()

    def wait_for(self, count: int, *, on_change: Callable[[list[int]], None] | None = None) -> list[int]:
        """Wait until `count` nodes are connected, and return all that are.

        Args:
            count: how many.
            on_change: called with the nodes that are connected, at first and whenever they are others.

        Raises:
            NoClients: they were not there when the deadline came.
        """
        self._check()
        began = self._now()
        told: set[int] | None = None
        while True:
            nodes = list(self._grid.get_node_ids())
            if on_change is not None and set(nodes) != told:
                told = set(nodes)
                on_change(nodes)
            if len(nodes) >= count:
                return self._roster.sort(nodes)
            self._check()
            if self._now() - began > self._connect_timeout_s:
                raise NoClients(len(nodes), count, self._connect_timeout_s)
            time.sleep(self._poll_s)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send by the engine's grid, in the order of the names."""
        self._check()
        return self._grid.push_messages(self._in_order(messages))

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Fetch by the engine's grid what has been answered."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send, wait, and return one reply for each message, in the order of the names.

        A message that was not answered in time, or could not be sent, is answered by an error in its client's place.
        """
        sent = self._in_order(messages)
        self._check()
        waiting = set(self._grid.push_messages(sent))
        limit_s = self._reply_timeout_s if timeout is None else min(timeout, self._reply_timeout_s)
        deadline = self._now() + limit_s
        replies: dict[str, Message] = {}
        told, next_told = 0, time.monotonic() + _TELL_EVERY_S
        while waiting:
            for reply in self._grid.pull_messages(waiting):
                replies[reply.metadata.reply_to_message_id] = reply
            waiting.difference_update(replies)
            self._check()
            if self._now() > deadline:
                break
            if waiting and len(replies) > told and time.monotonic() >= next_told and self._on_answers is not None:
                told, next_told = len(replies), time.monotonic() + _TELL_EVERY_S
                self._on_answers(sent, self._answered(sent, replies))
            if waiting:
                time.sleep(self._poll_s)
        self.given_up += len(waiting)
        return [self._reply(message, replies, waiting, limit_s) for message in sent]

    @staticmethod
    def _answered(sent: list[Message], replies: dict[str, Message]) -> list[int]:
        return [message.metadata.dst_node_id for message in sent if message.metadata.message_id in replies]

    def _now(self) -> float:
        return time.monotonic() - self._waited_s()

    def _in_order(self, messages: Iterable[Message]) -> list[Message]:
        listed = list(messages)
        by_node = {message.metadata.dst_node_id: message for message in listed}
        if len(by_node) != len(listed):  # more than one message to a node: leave the sender's order
            return listed
        return [by_node[node_id] for node_id in self._roster.sort(by_node)]

    def _reply(self, message: Message, replies: dict[str, Message], waiting: set[str], limit_s: float) -> Message:
        message_id = message.metadata.message_id
        if reply := replies.get(message_id):
            # A lost node's error is made by the SuperLink under the server's own number: give it back its node's.
            return Message(reply.error, reply_to=message) if reply.has_error() else reply
        reason = f"no answer within {limit_s:g} s" if message_id in waiting else "the message could not be sent"
        return Message(Error(_NO_ANSWER, reason), reply_to=message)
