"""Lengths of time and sizes, as people write them."""

from __future__ import annotations

import pytest
import typer

from federated_pneumonia_detection.cli.quantities import bytes_of, policy_of, seconds_of, shown_bytes
from federated_pneumonia_detection.hub.retention import Policy


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90min", 5400), ("12h", 43_200), ("30d", 2_592_000), ("4 W", 2_419_200), ("1.5d", 129_600)],
)
def test_a_length_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500", 500), ("5GB", 5 * 10**9), ("5g", 5 * 10**9), ("2TiB", 2 * 1024**4), ("1.5 kB", 1500)],
)
def test_a_size(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "d", "-1d", "30", "30 days", "1e9d", "٣d", "1d2h", "nan"])
def test_what_is_no_length_of_time_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="30d"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["", "GB", "-5GB", "5 gigabytes", "5d", "infGB", "9" * 20])
def test_what_is_no_size_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="5GB"):
        bytes_of(text)


def test_two_options_make_a_policy_and_a_wrong_one_a_usage_error() -> None:
    assert policy_of("1d", None) == Policy(older_than_s=86_400.0)
    assert policy_of(None, "1kB") == Policy(keep_bytes=1000)
    with pytest.raises(typer.BadParameter, match="no size"):
        policy_of("1d", "much")


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2 * 10**9, "2.0 GB")])
def test_a_size_is_shown_in_few_digits(size: int, shown: str) -> None:
    assert shown_bytes(size) == shown
