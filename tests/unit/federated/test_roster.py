from __future__ import annotations

import pytest

from federated_pneumonia_detection.federated.roster import Roster, clear_reason


def test_nodes_stand_in_the_order_of_their_names_whatever_their_numbers() -> None:
    roster = Roster({77: "client_10", 5: "client_9", 900: "client_0"})

    assert roster.sort([5, 77, 900]) == [900, 5, 77]


def test_a_node_nobody_answered_for_gets_the_name_nobody_answered_to() -> None:
    roster = Roster({77: "client_0", 5: "client_2"})

    roster.fill([5, 77, 900], expected=3)

    assert roster.name(900) == "client_1"


def test_an_unknown_node_is_called_by_its_number() -> None:
    assert Roster().name(42) == "client_42"


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("ValueError: the images are gone", "ValueError: the images are gone"),
        (None, "it stopped without saying why"),
        ("", "it stopped without saying why"),
        ("\x1b[31mRuntimeError: no memory\x1b[0m", "RuntimeError: no memory"),
        (
            "<class 'flwr.clientapp.client_app.ClientAppException'>:<'\x1b[36mray::ClientAppActor.run()\x1b[39m "
            "(pid=4711, ip=172.17.0.2, actor_id=0123abcd, repr=<flwr…>)\nTraceback (most recent call last):\n"
            '  File "/home/somebody/app.py", line 3, in train\nValueError: the images are gone\'>',
            "ValueError: the images are gone",
        ),
        (
            "<class 'ray.exceptions.ActorDiedError'>:<'The actor died unexpectedly before finishing this task.\n"
            "\tclass_name: ClientAppActor\n\tactor_id: 0123\n The actor is dead because its worker process died.'>",
            "its process died (killed, or out of memory)",
        ),
    ],
)
def test_a_reason_becomes_one_line_for_people(reason: str | None, line: str) -> None:
    assert clear_reason(reason) == line


def test_a_long_reason_is_cut() -> None:
    assert len(clear_reason("x" * 5000)) == 300
