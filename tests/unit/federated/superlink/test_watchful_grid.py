"""A node that was started again has forgotten what it was sent; one that is busy, or away, has not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from federated_pneumonia_detection.federated.superlink.watchful_grid import IDLE, WatchfulGrid


class SuperLink:
    """What a SuperLink does for one node; `idle` is whether that node has time for a question."""

    def __init__(self) -> None:
        self.now = 0.0
        self.idle = False
        self.questions: list[Message] = []
        self.replies: dict[str, Message] = {}
        self.grid = WatchfulGrid(self, lambda: self.now)  # type: ignore[arg-type]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = f"m{len(self.replies) + len(self.questions)}-{self.now}"
            ids.append(message.metadata.message_id)
            if message.metadata.message_type == IDLE:
                self.questions.append(message)
                if self.idle:
                    self.replies[message.metadata.message_id] = Message(RecordDict(), reply_to=message)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return [reply for id_ in list(message_ids) if (reply := self.replies.pop(id_, None))]

    def wait(self, ids: list[str], seconds: int) -> list[Message]:
        found: list[Message] = []
        for _ in range(seconds):
            self.now += 1
            found += self.grid.pull_messages(ids)
        return found


@pytest.fixture
def superlink(monkeypatch: pytest.MonkeyPatch) -> SuperLink:
    for name in ("run_id", "task_id", "node_id"):
        monkeypatch.setattr(TaskIdentity, f"_{name}", 1)
    return SuperLink()


@pytest.fixture
def sent(superlink: SuperLink) -> list[str]:
    message = Message(RecordDict(), dst_node_id=7, message_type="train")
    return list(superlink.grid.push_messages([message]))


def test_a_busy_node_is_waited_for(superlink: SuperLink, sent: list[str]) -> None:
    assert superlink.wait(sent, 3600) == []
    assert 100 < len(superlink.questions) < 130
    assert all(question.metadata.ttl == 10 for question in superlink.questions)


def test_a_quick_round_asks_nothing(superlink: SuperLink, sent: list[str]) -> None:
    assert superlink.wait(sent, 40) == []
    assert superlink.questions == []


def test_a_node_with_nothing_to_do_has_forgotten(superlink: SuperLink, sent: list[str]) -> None:
    superlink.wait(sent, 30)
    superlink.idle = True
    (reply,) = superlink.wait(sent, 120)
    assert "its SuperNode was started again" in reply.error.reason
    assert reply.metadata.reply_to_message_id == sent[0]
    assert superlink.wait(sent, 300) == [], "said once"


def test_one_answer_may_be_chance(superlink: SuperLink, sent: list[str]) -> None:
    superlink.idle = True
    superlink.wait(sent, 50)
    superlink.idle = False
    assert superlink.wait(sent, 600) == []


def test_a_question_that_ran_out_is_no_answer(superlink: SuperLink, sent: list[str]) -> None:
    for _ in range(5):
        superlink.wait(sent, 46)
        question = superlink.questions[-1]
        superlink.replies[question.metadata.message_id] = Message(Error(1, "expired"), reply_to=question)
        assert superlink.wait(sent, 5) == []


def test_it_is_a_grid() -> None:
    assert issubclass(WatchfulGrid, Grid)
