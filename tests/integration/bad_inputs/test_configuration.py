"""Row "Configuration": what a YAML file may be instead of one, told in one line with its place and what is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from federated_pneumonia_detection.config import ConfigError
from federated_pneumonia_detection.config.training import make_config
from federated_pneumonia_detection.config.yaml_reading import read_yaml
from federated_pneumonia_detection.training.devices import choose_device
from federated_pneumonia_detection.training.errors import DeviceUnavailable

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)

# Its bytes, where it is told, what was wrong, what would be right.
WRONG: dict[str, tuple[bytes | str, str, str, str]] = {
    "not YAML": ("a: b: c", "line 1", "mapping values", "key: value"),
    "JSON cut off": ('{"epochs": 3', "line 1", "expected", "key: value"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0", "c.yaml", "byte 0 is not UTF-8", "UTF-8 text"),
    "UTF-16": ("epochs: 3".encode("utf-16"), "c.yaml", "byte 0 is not UTF-8", "UTF-8 text"),
    "NUL": (b"epochs: 3\0", "c.yaml", "special characters", "plain UTF-8"),
    "tabs": ("epochs:\n\t- 3", "line 2", "\\t", "spaces, not tabs"),
    "a list": ("- epochs\n- 3", "c.yaml", "it is a list", "key: value"),
    "a word": ("epochs", "c.yaml", "one piece of text", "key: value"),
    "a number": ("3", "c.yaml", "one value", "key: value"),
    "two documents": ("epochs: 3\n---\nepochs: 4", "line 2", "another document", "key: value"),
    "an unknown key": ("epoch: 3", "epoch", "there is no such key", "did you mean 'epochs'?"),
    "an unknown key without a neighbour": ("zzzzz: 3", "zzzzz", "there is no such key", "epochs"),
    "a key twice": ("epochs: 3\nepochs: 4", "line 2", "'epochs' is there twice", "keep one"),
    "a key that is a number": ("3: 4", "c.yaml", "key 3 is no word", "words"),
    "a key that is a list": ("? [a]\n: 3", "line 1", "unhashable", "key: value"),
    "a number as text": ("epochs: '3'", "epochs", "it is '3'", "a whole number"),
    "a number in words": ("epochs: three", "epochs", "it is 'three'", "a whole number"),
    "half an epoch": ("epochs: 1.5", "epochs", "it is 1.5", "a whole number"),
    "true for a number": ("epochs: true", "epochs", "it is true", "a whole number"),
    "null for a number": ("epochs:", "epochs", "it is null", "a whole number"),
    "a list for a number": ("epochs: [3]", "epochs", "it is a list", "a whole number"),
    "below the range": ("epochs: 0", "epochs", "it is 0", "1 to 100000"),
    "above the range": ("epochs: 1000000000000", "epochs", "it is 1000000000000", "1 to 100000"),
    "5 000 digits": ("epochs: " + "9" * 5000, "c.yaml", "", ""),
    "NaN": ("learning_rate: .nan", "learning_rate", "not a finite number", "a number"),
    "infinite": ("learning_rate: .inf", "learning_rate", "not a finite number", "a number"),
    "1e309": ("learning_rate: 1e309", "learning_rate", "not a finite number", "a number"),
    "a threshold of 2": ("threshold: 2", "threshold", "it is 2", "0 to 1"),
    "a Python object": ("a: !!python/object:os.system x", "line 1", "tag", "no !tags"),
    "a Python call": ("a: !!python/object/apply:os.system ['touch RAN']", "line 1", "tag", "no !tags"),
    "a module": ("a: !!python/module:os", "line 1", "tag", "no !tags"),
    "bytes": ("epochs: !!binary aGk=", "epochs", "", "a whole number"),
    "an anchor bomb": (BOMB, "line 2", "alias", "write the value out"),
    "an alias of itself": ("a: &a [*a]", "line 1", "alias", "write the value out"),
    "a merge key": ("<<: {epochs: 3}", "<<", "there is no such key", "the keys are"),
    "nested 50 000 deep": ("{" * 50_000, "c.yaml", "nested too deeply", "key: value"),
    "nested in lists": ("a: " + "[" * 50_000, "c.yaml", "nested too deeply", "key: value"),
    "two megabytes": ("# " + "x" * 2_000_000, "c.yaml", "larger than 1 MiB", "a few dozen lines"),
    "a model from anywhere": ("model: [os, system]", "model", "it is a list", ""),
    "ANSI in a value": ('model: "\\e[31mred"\nepochs: 0', "epochs", "it is 0", "1 to 100000"),
    "ANSI in a key": ('"\\e[31mred": 3', "\\x1b[31mred", "there is no such key", ""),
    "a lone surrogate": ('model: "\\ud800"\nepochs: 0', "", "", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_is_told_with_its_place_and_what_is_right(
    tmp_path: Path, unchanged: Callable[[], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, where, wrong, right = WRONG[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    unchanged()
    with pytest.raises(ConfigError) as caught:
        make_config(read_yaml(path), "centralized")
    told = str(caught.value)
    assert told.isprintable()
    assert len(told) < 1000
    assert where in told
    assert wrong in told
    assert right in told


# A pipe is one: `--config <(…)`.
PATHS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda path: None, "there is no such file", "`fpd config init` writes one"),
    "a directory": (lambda path: path.mkdir(), "it is a directory", "name the YAML file"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), "there is no such file", ""),
    "a link to itself": (lambda path: path.symlink_to(path.name), "it cannot be read", ""),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_is_no_configuration_is_told(tmp_path: Path, name: str) -> None:
    make, wrong, right = PATHS[name]
    path = tmp_path / "c.yaml"
    make(path)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert "c.yaml" in str(caught.value)
    assert wrong in str(caught.value)
    assert right in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:7", "cuda", "mps", "xpu", "tpu", "cuda:-1", "gpu"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(device: str) -> None:
    import torch

    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(DeviceUnavailable, match="cpu") as caught:
        choose_device(device)
    assert device in str(caught.value)
