"""What of a journal leaves a site: line by line, as bytes; nothing a training chose freely is in them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shipments import WHEN, end_line, first_line, header, line

from federated_pneumonia_detection.hub.errors import ReleaseWrong
from federated_pneumonia_detection.hub.shipping.policy import EXAMPLE, Policy, policy_of
from federated_pneumonia_detection.hub.shipping.release import Release, Released, header_of, why_it_stays
from federated_pneumonia_detection.hub.shipping.shipment import parse
from federated_pneumonia_detection.progress.framing import Line, decode_line, encode_line
from federated_pneumonia_detection.progress.messages import MESSAGE_TYPES

NOW_S = 1_770_000_000.0
POLICY = Policy(clients=("ward",), runs=("run",), metrics=("train_loss", "val_*", "num_samples"), least_n=20)


def passed(*lines: bytes, policy: Policy = POLICY) -> list[Released]:
    release = Release(policy, "ward")
    found = [release.take(decoded, NOW_S) for raw in lines if isinstance(decoded := decode_line(raw), Line)]
    return [one for one in found if one is not None]


def said(*lines: bytes, policy: Policy = POLICY) -> list[dict[str, Any]]:
    """The messages that leave, without their numbers and checksums."""
    return [msgspec.json.decode(decode_line(one.line).body) for one in passed(*lines, policy=policy)]  # type: ignore[union-attr]


def round_end(n: int = 1, *, fit: Any = None, evaluated: Any = None) -> bytes:
    return line(n, "round_end", round=1, fit_metrics=fit or {}, eval_metrics=evaluated or {})


def test_a_metric_on_the_list_leaves_rounded_and_one_over_few_images_is_withheld_and_says_why() -> None:
    (told,) = said(
        round_end(
            fit={"train_loss": 0.123456789, "num_samples": 900.0, "secret_mueller": 1.0},
            evaluated={"val_auroc": 0.98765, "num_samples": 7},
        )
    )
    assert told["fit_metrics"] == {"num_samples": 900, "train_loss": 0.123}
    assert told["eval_metrics"] == {}
    assert told["withheld"] == {
        "num_samples": "n 7 < 20",
        "other metrics": "1 not on the list",
        "val_auroc": "n 7 < 20",
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Mueller", "no number"),
        (True, "no number"),
        ([0.1, 0.2], "no number"),
        ({"a": 1}, "no number"),
        (1.5, "out of range"),
        (-0.1, "out of range"),
        (2**60, "out of range"),
    ],
)
def test_what_is_no_value_of_that_metric_is_withheld(value: Any, why: str) -> None:
    (told,) = said(round_end(evaluated={"val_auroc": value, "num_samples": 100}))
    assert told["eval_metrics"] == {"num_samples": 100}
    assert told["withheld"] == {"val_auroc": why}


def test_nobody_says_over_how_many_so_it_stays() -> None:
    (told,) = said(round_end(evaluated={"val_auroc": 0.9}))
    assert (told["eval_metrics"], told["withheld"]) == ({}, {"val_auroc": "n unknown, least 20"})
    (free,) = said(round_end(evaluated={"val_auroc": 0.9}), policy=msgspec.structs.replace(POLICY, least_n=None))
    assert free["eval_metrics"] == {"val_auroc": 0.9}


def test_a_pattern_never_stands_for_a_name_that_a_training_makes_up() -> None:
    (told,) = said(round_end(evaluated={"val_mueller_anna": 0.5, "val_loss": 0.5, "num_samples": 50}))
    assert told["eval_metrics"] == {"num_samples": 50, "val_loss": 0.5}
    assert "mueller" not in str(told)


def test_digits_hide_nothing() -> None:
    policy = Policy(clients=("ward",), runs=("run",), metrics=("train_loss",), significant_digits=2)
    for value, told in ((0.123456, 0.12), (-0.0, 0.0), (1e-300, 0.0), (1234.5, 1200.0), (-0.00049, -0.00049)):
        (message,) = said(round_end(fit={"train_loss": value}), policy=policy)
        assert str(message["fit_metrics"]["train_loss"]) == str(told)
    (message,) = said(line(1, "round_start", round=2**52, total_rounds=3, bytes_up=123_456_789))
    assert (message["round"], message["bytes_up"]) == (None, 123_000_000)


def test_the_order_of_names_says_nothing() -> None:
    one = passed(round_end(evaluated={"val_loss": 1.0, "val_auroc": 0.5, "num_samples": 99}))
    other = passed(round_end(evaluated={"num_samples": 99, "val_auroc": 0.5, "val_loss": 1.0}))
    assert one[0].line == other[0].line


def test_no_text_leaves_and_of_an_error_its_class_alone() -> None:
    told = said(
        line(1, "training_error", error="torch.OutOfMemoryError: Mueller Anna", detail="Mueller"),
        line(2, "training_error", error="Mueller Anna has HIV"),
        line(3, "alert", level="warning", title="Mueller", text="Anna", metric="val_mueller", phase="mueller"),
        line(4, "alert", level="mueller", title="Mueller", text="Anna", metric="val_loss", phase="val"),
        line(5, "training_cancelled", reason="Mueller", by="Anna"),
        line(6, "run_start", experiment_name="Mueller", mode="federated", config={"a": "Anna"}, data={"phantom": True}),
        line(7, "mueller_anna", data={"HIV": 1}),
        line(8, "test_curves", fpr=[0.1], tpr=[0.2], threshold=[0.3]),
        line(9, "epoch_end", epoch=1, total_epochs=2, phase="mueller", metrics={}),
        line(10, "epoch_start", epoch="Mueller", total_epochs=2, mueller=1),
    )
    assert not any(word in str(told).lower() for word in ("mueller", "anna", "hiv"))
    assert [message["type"] for message in told] == [
        "training_error",
        "training_error",
        "alert",
        "alert",
        "training_cancelled",
        "run_start",
        "withheld",
        "withheld",
        "withheld",
        "epoch_start",
    ]
    assert told[0]["error"] == "OutOfMemoryError at the site; its text stays there"
    assert told[1]["error"] == "an error at the site; its text stays there"
    assert told[5]["data"] == {"phantom": True}
    assert told[6]["withheld"] == {"events of its own": "free text"}
    assert told[7]["withheld"] == {"test_curves": "a list"}


def test_what_stays_says_in_which_attempt_and_round_it_would_have_stood() -> None:
    (told,) = said(line(1, "mueller", attempt=2, round=3))
    assert (told["attempt"], told["round"]) == (2, 3)
    (wild,) = said(line(1, "mueller", attempt="Mueller", round=2**40))
    assert not {"attempt", "round"} & set(wild)


def test_a_message_of_somebody_elses_stays() -> None:
    told = said(line(1, "round_start", client_id="mueller", round=1, total_rounds=1), line(2, "round_start", round=1))
    assert told[0]["withheld"] == {"messages": "they speak for somebody else"}
    assert told[0]["client_id"] == "ward"


def test_one_step_in_so_many_leaves_and_the_others_keep_their_numbers() -> None:
    steps = [line(n, "step", epoch=1, step=n, total_steps=9, phase="train", metrics={}) for n in range(1, 7)]
    released = passed(*steps, policy=msgspec.structs.replace(POLICY, steps=3))
    told = [decode_line(one.line) for one in released]
    assert [one.n for one in told if isinstance(one, Line)] == [1, 2, 3, 4, 5, 6]
    assert [one.type for one in told if isinstance(one, Line)] == [
        "withheld",
        "journal_withheld",
        "step",
        "journal_withheld",
        "journal_withheld",
        "step",
    ]


def test_a_jump_of_the_numbers_ends_what_leaves() -> None:
    release = Release(POLICY, "ward")
    taken = [release.take(one, NOW_S) for raw in (line(1), line(2**40)) if isinstance(one := decode_line(raw), Line)]
    assert taken[0] is not None
    assert taken[1] is None
    assert release.stopped == "its numbers jump from 1 to 1099511627776"


def test_times_are_told_to_the_resolution_and_lie_between_a_year_ago_and_now() -> None:
    policy = msgspec.structs.replace(POLICY, time_resolution_s=60)
    told = said(
        line(1, "round_start", round=1, total_rounds=1),
        line(2, "round_start", round=1, total_rounds=1, timestamp="9999-01-01T00:00:00.123456+00:00"),
        line(3, "round_start", round=1, total_rounds=1, timestamp="1970-01-01T00:00:01+00:00"),
        line(4, "round_start", round=1, total_rounds=1, timestamp="mueller"),
        policy=policy,
    )
    assert [message["timestamp"] for message in told] == [
        WHEN,
        "2026-02-02T02:40:00+00:00",
        "2024-12-29T02:40:00+00:00",
        "2026-02-02T02:40:00+00:00",
    ]


def test_the_first_line_is_made_anew_and_a_journal_of_another_run_or_client_stays() -> None:
    own = header(writer="mueller", experiment_name="Mueller", host="pc-mueller", mode="mueller", hears=["mueller"])
    assert b"mueller" not in msgspec.json.encode(header_of(own, POLICY)).lower()
    assert why_it_stays(own, POLICY) is None
    for other in (header(run_id="mueller"), header(client_id="mueller"), header(client_id=None)):
        assert why_it_stays(other, POLICY) is not None
    assert why_it_stays(header(client_id=None), msgspec.structs.replace(POLICY, whole_runs=True)) is None


@pytest.mark.parametrize(
    ("pattern", "takes", "refuses"),
    [
        ("flwr-*", ["flwr-123456789"], ["flwr-", "flwr-mueller", "flwr-abcdef", "xflwr-1"]),
        ("lung-*", ["lung-20260131-120000-1a2b"], ["lung-20260131-120000-mueller", "lung-١٢"]),
        ("trial.7", ["trial.7"], ["trialx7", "trial.7\n"]),
    ],
)
def test_a_runs_pattern_stands_for_numbers_alone(pattern: str, takes: list[str], refuses: list[str]) -> None:
    policy = msgspec.structs.replace(POLICY, runs=(pattern,))
    assert all(policy.takes_run(name) for name in takes)
    assert not any(policy.takes_run(name) for name in refuses)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["round", "epoch", "step", "metrics", "fit_metrics", "error", "phase", "level", "withheld", "x"])


@given(
    types=st.lists(st.sampled_from([*MESSAGE_TYPES, "journal_died", "mueller"]) | st.text(max_size=5), max_size=6),
    fields=st.dictionaries(keys, anything),
)
def test_whatever_is_written_the_server_takes_what_leaves_and_every_number_is_there(
    types: list[str], fields: dict[str, Any]
) -> None:
    lines = []
    for n, type_ in enumerate(types, 1):
        body = {"type": type_, "timestamp": WHEN, "client_id": "ward", **fields}
        lines.append(encode_line(msgspec.json.encode(body), n))
    released = passed(*lines, end_line(len(lines) + 1))
    shipment = parse(b"".join([first_line(), *(one.line for one in released)]))
    assert [one.n for one in shipment.lines] == list(range(1, len(lines) + 2))
    assert parse(b"".join([first_line(), *(one.line for one in released)])) == shipment


def test_the_example_is_a_policy_and_a_misspelt_key_is_named() -> None:
    import yaml

    assert policy_of(yaml.safe_load(EXAMPLE), "example").least_n == 20
    good = {"clients": ["a"], "runs": ["r"], "metrics": []}
    for more, words in (
        ({"metrcs": []}, "did you mean metrics"),
        ({"steps": "many"}, "steps"),
        ({"decimals": 9}, "0 to 6"),
        ({"decimals": 3, "significant_digits": 3}, "give one of them"),
        ({"clients": []}, "name the client ids"),
        ({"clients": ["*"]}, "no name"),
        ({"runs": ["a*b"]}, "at the end"),
        ({"metrics": "all"}, "metrics"),
    ):
        with pytest.raises(ReleaseWrong, match=words):
            policy_of({**good, **more}, "here")
    with pytest.raises(ReleaseWrong, match="runs: it is missing"):
        policy_of({"clients": ["a"], "metrics": []}, "here")
    with pytest.raises(ReleaseWrong, match="no keys"):
        policy_of(["a"], "here")
