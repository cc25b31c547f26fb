from __future__ import annotations

from federated_pneumonia_detection.federated.errors import AllClientsFailed, RunCancelled


def test_one_client_that_failed_alone_is_named_with_its_reason() -> None:
    error = AllClientsFailed(2, {"client_0": "no memory"})

    assert str(error) == "all clients failed in round 2: client_0: no memory"


def test_of_many_the_first_is_named_and_the_detail_names_all() -> None:
    error = AllClientsFailed(1, {"client_0": "no memory", "client_1": "no disk"})

    assert str(error) == "all clients failed in round 1: client_0: no memory (and 1 more)"
    assert error.detail == "client_0: no memory\nclient_1: no disk"


def test_a_round_in_which_nobody_was_asked_is_told_too() -> None:
    assert str(AllClientsFailed(1, {})) == "all clients failed in round 1: nobody: no client was asked"


def test_a_request_to_stop_without_words_is_told_in_words() -> None:
    assert str(RunCancelled(None, None)) == "cancelled by somebody: no reason was given"
