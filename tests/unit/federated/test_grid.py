from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flwr.app import Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity

from federated_pneumonia_detection.federated import grid as grid_module
from federated_pneumonia_detection.federated.errors import NoClients, RunCancelled
from federated_pneumonia_detection.federated.grid import GuardedGrid
from federated_pneumonia_detection.federated.local_engine import LocalGrid
from federated_pneumonia_detection.federated.roster import Roster

NODES = (1000, 1001, 1002)


@pytest.fixture
def open_grid(node_configs: list[dict[str, object]]) -> Iterator[Callable[..., GuardedGrid]]:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    opened: list[LocalGrid] = []

    def make(
        answer: Callable[[int], None] = lambda partition: None,
        *,
        check: Callable[[], None] = lambda: None,
        roster: Roster | None = None,
        kind: type[LocalGrid] = LocalGrid,
        **more: Any,
    ) -> GuardedGrid:
        app = ClientApp()

        @app.query()
        def query(message: Message, context: Context) -> Message:
            partition = int(context.node_config["partition-id"])
            answer(partition)
            return Message(RecordDict({"m": MetricRecord({"partition": partition})}), reply_to=message)

        opened.append(kind(app, node_configs, run_id=1))
        return GuardedGrid(opened[-1], roster=roster or Roster(), check=check, poll_s=0.001, **more)

    yield make
    for grid in opened:
        grid.close()


def ask(nodes: Iterable[int] = NODES) -> list[Message]:
    return [Message(RecordDict(), dst_node_id=node, message_type="query") for node in nodes]


def partition_of(reply: Message) -> int:
    return int(reply.content["m"]["partition"])


def test_replies_come_in_the_order_of_the_names_whatever_was_asked_first(
    open_grid: Callable[..., GuardedGrid],
) -> None:
    grid = open_grid(roster=Roster({1000: "client_2", 1001: "client_0", 1002: "client_1"}))

    replies = list(grid.send_and_receive(ask((1000, 1002, 1001))))

    assert [partition_of(reply) for reply in replies] == [1, 2, 0]


def test_a_client_that_raises_is_answered_for_by_an_error_of_its_own_node(
    open_grid: Callable[..., GuardedGrid],
) -> None:
    def fail(partition: int) -> None:
        if partition == 1:
            raise ValueError("gone")

    replies = list(open_grid(fail).send_and_receive(ask()))

    assert [reply.has_error() for reply in replies] == [False, True, False]
    assert replies[1].metadata.src_node_id == 1001
    assert "gone" in str(replies[1].error.reason)


def test_a_client_that_does_not_answer_in_time_is_an_error_and_the_others_count(
    open_grid: Callable[..., GuardedGrid],
) -> None:
    let_go = threading.Event()
    grid = open_grid(lambda partition: let_go.wait() and None if partition == 2 else None, reply_timeout_s=0.2)

    replies = list(grid.send_and_receive(ask(), timeout=60))
    let_go.set()

    assert [reply.has_error() for reply in replies] == [False, False, True]
    assert replies[2].error.reason == "no answer within 0.2 s"
    assert grid.given_up == 1


def test_who_has_answered_is_told_while_others_are_waited_for(
    open_grid: Callable[..., GuardedGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid_module, "_TELL_EVERY_S", 0.01)
    released = threading.Event()
    told: list[tuple[int, list[int]]] = []

    def wait(partition: int) -> None:
        if partition == 2:
            released.wait(10)

    def hear(sent: list[Message], nodes: list[int]) -> None:
        told.append((len(sent), nodes))
        if len(nodes) == 2:
            released.set()

    list(open_grid(wait, on_answers=hear).send_and_receive(ask()))

    assert told[-1] == (3, [1000, 1001])
    assert all(len(nodes) < 3 for _, nodes in told), "the last answer ends the wait, and is told by what follows"


def test_a_request_to_stop_is_heard_while_waiting(open_grid: Callable[..., GuardedGrid]) -> None:
    let_go = threading.Event()
    calls = iter(range(1000))

    def check() -> None:
        if next(calls) > 5:
            raise RunCancelled("enough", "Anna")

    grid = open_grid(lambda partition: let_go.wait() and None, check=check)

    with pytest.raises(RunCancelled, match="Anna: enough"):
        grid.send_and_receive(ask())
    let_go.set()


class _LonelyGrid(LocalGrid):
    def get_node_ids(self) -> Iterable[int]:
        return [1000]


def test_waiting_for_clients_that_never_connect_ends(open_grid: Callable[..., GuardedGrid]) -> None:
    """Flower itself waits for ever, with one log line a second."""
    grid = open_grid(kind=_LonelyGrid, connect_timeout_s=0.05)

    with pytest.raises(NoClients, match=r"1 of 3 clients connected within 0\.05 s"):
        grid.wait_for(3)


class _SuperLinkLikeGrid(LocalGrid):
    """Answers for node 1001 as Flower's SuperLink does for a node it has lost: under the server's own number."""

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = list(super().pull_messages(message_ids))
        for index, reply in enumerate(replies):
            if reply.metadata.src_node_id == 1001:
                lost = Message(
                    Error(5, "Node Unavailable"), reply_to=Message(RecordDict(), dst_node_id=1, message_type="query")
                )
                lost.metadata.__dict__["_reply_to_message_id"] = reply.metadata.reply_to_message_id
                replies[index] = lost
        return replies


def test_a_lost_node_is_known_although_the_server_answered_for_it(open_grid: Callable[..., GuardedGrid]) -> None:
    replies = list(open_grid(kind=_SuperLinkLikeGrid).send_and_receive(ask()))

    lost = [reply for reply in replies if reply.has_error()]
    assert [reply.metadata.src_node_id for reply in lost] == [1001]
