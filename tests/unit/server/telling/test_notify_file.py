from __future__ import annotations

from pathlib import Path

import pytest

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.server.telling.notify_file import EXAMPLE, read_notify


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "notify.yaml"
    path.write_text(text)
    return path


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        read_notify(written(tmp_path, text))
    return "\n".join(str(problem) for problem in error.value.problems)


def test_the_example_is_a_file_that_works_with_all_of_it_switched_on(tmp_path: Path) -> None:
    (tmp_path / "slack.secret").write_text("slack://a/b/c\n")
    plain = read_notify(written(tmp_path, EXAMPLE))
    # What the comments show is YAML, too.
    shown = EXAMPLE.replace("\n  # ", "\n  ").replace("\n# quiet", "\nquiet").replace("\n#   ", "\n  ")
    whole = read_notify(written(tmp_path, shown.replace("\n# page", "\npage")))

    assert list(plain.targets) == ["mail"] and [rule.when for rule in plain.rules] == ["failed", "stalled", "finished"]
    assert whole.targets["chat"] == "slack://a/b/c"
    assert [(rule.when, rule.runs, rule.to) for rule in whole.rules][3:] == [
        ("val_auroc > 0.95", "*", ()),
        ("val_loss < 0.1", "baseline*", ("mail",)),
    ]
    assert whole.quiet is not None and whole.quiet.lets_failures_through and str(whole.quiet.zone) == "Europe/Berlin"
    assert whole.page == "https://training.example.org"


def test_without_rules_the_three_that_everybody_wants_hold(tmp_path: Path) -> None:
    told = read_notify(written(tmp_path, "targets: {a: {url: 'json://localhost'}}"))
    assert [rule.when for rule in told.rules] == ["failed", "stalled", "finished"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [val_auroc]", "val_auroc > 0.95"),
        ("rules: [{when: failed, to: [nobody]}]", "no target is called 'nobody'"),
        ("targets: {a: {}}", "it takes one of url and url_file"),
        ("targets: {a: {url_file: missing}}", "cannot be read"),
        ("quiet: {from: 25:00, until: 07:00}", "quiet.from"),
        ("quiet: {from: 22:00, until: 07:00, zone: Europe/Atlantis}", "no zone is called 'Europe/Atlantis'"),
        ("target: {}", "there is no such key"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place_and_what_would_be_right(
    tmp_path: Path, text: str, words: str
) -> None:
    told = refused(tmp_path, text)
    assert words in told
    assert "notify.yaml" in told


def test_an_address_stands_in_no_error(tmp_path: Path) -> None:
    told = refused(tmp_path, "targets: {a: [mailto://me:secret@example.org], b: {url: 'x://secret', uri: secret}}")
    assert "targets.a" in told
    assert "secret" not in told
