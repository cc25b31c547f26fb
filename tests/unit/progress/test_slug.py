from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_pneumonia_detection.progress.slug import new_run_id, plain_slug, slug


@given(st.text())
def test_a_slug_is_one_plain_part_of_a_file_name(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", slug(text))


@given(st.text(), st.text())
def test_different_names_have_different_slugs(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


def test_a_clean_name_is_its_own_slug() -> None:
    assert slug("centralized-20261124-120000-ab12") == "centralized-20261124-120000-ab12"


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "CON", "com1", "a.b", "a~2", "", "x" * 300, "肺炎", "a\0b", "-x"]
)
def test_a_name_that_means_something_to_a_file_system_is_changed(name: str) -> None:
    assert slug(name) != name
    assert not set("./\\~\0") & set(slug(name))


def test_a_run_is_named_by_experiment_time_and_chance() -> None:
    assert re.fullmatch(r"chest-x-rays-\d{8}-\d{6}-[0-9a-f]{4}", new_run_id("chest x-rays!"))
    assert plain_slug("肺炎") == "experiment"
