"""The embedded engine: Flower's messages carried by a thread of the training process. No Ray, no sockets, no files.

One `Context` for each client is kept from round to round, as everywhere in Flower. Messages are taken one at a time,
in the order they were sent, so that what a client draws from torch's one global generator is the same each time.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict
from flwr.app.user_config import UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

__all__ = ["LocalGrid", "run_local"]

_APP_RAISED = 2  # Flower's code for a ClientApp that raised
_SERVER = 1  # Flower's number for the server's node
_FIRST_NODE = 1000
_LINGER_S = 30.0


class LocalGrid(Grid):
    """A grid whose nodes are contexts in this process, served one after the other by a thread.

    Args:
        app: the client app, run for every node.
        node_configs: what each node's operator has set; their number is the number of nodes.
        run_id: Flower's number of the run.
        run_config: what the app is configured with, the same on every node.
    """

    def __init__(
        self,
        app: ClientApp,
        node_configs: Sequence[Mapping[str, object]],
        run_id: int,
        run_config: Mapping[str, object] | None = None,
    ) -> None:
        self._app = app
        self._run = Run.create_empty(run_id=run_id)
        self._contexts = {
            node_id: Context(run_id, node_id, UserConfig(**config), RecordDict(), UserConfig(**run_config or {}))
            for node_id, config in enumerate(node_configs, start=_FIRST_NODE)
        }
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._replies: dict[str, Message] = {}
        # A daemon: a client that never returns must not keep the process from ending.
        self._worker = threading.Thread(target=self._serve, name="fpd-local-clients", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """Let the client at work finish (half a minute at most), and take no more messages."""
        with suppress(queue.Empty):
            while True:
                self._inbox.get_nowait()
        self._inbox.put(None)
        self._worker.join(_LINGER_S)

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Make a message from the server to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """All nodes."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Queue messages for their nodes."""
        ids = []
        for message in messages:
            _give_id(message)
            ids.append(message.metadata.message_id)
            self._inbox.put(message)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies that are there; each is handed out once."""
        return [reply for message_id in list(message_ids) if (reply := self._replies.pop(message_id, None))]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Not offered: `GuardedGrid` waits, with a deadline and a way to stop."""
        raise NotImplementedError("wrap this grid in GuardedGrid")

    def _serve(self) -> None:
        while (message := self._inbox.get()) is not None:
            reply = self._answer(message)
            _give_id(reply)
            self._replies[message.metadata.message_id] = reply

    def _answer(self, message: Message) -> Message:
        try:
            return self._app(message, self._contexts[message.metadata.dst_node_id])
        # A client app is anybody's code: whatever it raises is this client's failure, not the run's.
        except Exception as error:  # noqa: BLE001
            return Message(Error(_APP_RAISED, f"{type(error).__name__}: {error}"), reply_to=message)


def _give_id(message: Message) -> None:
    # Flower's own grids set the number the same way: there is no public one.
    message.metadata.__dict__["_message_id"] = uuid4().hex


def run_local(
    server_app: ServerApp,
    client_app: ClientApp,
    node_configs: Sequence[Mapping[str, object]],
    run_config: Mapping[str, object] | None = None,
) -> None:
    """Run both apps to their end in this process, each node configured by its operator, the app by `run_config`.

    Raises:
        Exception: whatever the server app raises.
    """
    identity = (TaskIdentity._run_id, TaskIdentity._task_id, TaskIdentity._node_id)
    run_id = random.SystemRandom().getrandbits(63)
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = run_id, 1, _SERVER
    grid = LocalGrid(client_app, node_configs, run_id, run_config)
    try:
        server_app(grid, Context(run_id, _SERVER, UserConfig(), RecordDict(), UserConfig(**run_config or {})))
    finally:
        grid.close()
        TaskIdentity._run_id, TaskIdentity._task_id, TaskIdentity._node_id = identity
