"""Row "Checkpoints": a file that is no checkpoint of ours is told in one line, is left alone, and runs nothing."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.training.checkpoints import load_checkpoint, save_best
from federated_pneumonia_detection.training.errors import BadCheckpoint, BadModel, TrainingError
from federated_pneumonia_detection.training.networks import build_network

CONFIG = TrainingConfig(image_size=12, model_args={"channels": [2, 2, 2]}, device="cpu", threads=1)
Spoil = Callable[[Path], object]


class Runs:
    """Unpickled, it would make a file."""

    def __reduce__(self) -> Any:
        return os.system, ("touch RAN",)


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Spoil:
    return lambda path: torch.save(change(torch.load(path, weights_only=True)), path)


def every(change: Callable[[torch.Tensor], Any]) -> Spoil:
    return weights(lambda state: {name: change(tensor) for name, tensor in state.items()})


def description(**changes: Any) -> Spoil:
    def spoil(path: Path) -> None:
        told = json.loads(path.with_suffix(".json").read_text())
        told["config"].update(changes.pop("config", {}))
        path.with_suffix(".json").write_text(json.dumps({**told, **changes}))

    return spoil


def beside(content: bytes) -> Spoil:
    return lambda path: path.with_suffix(".json").write_bytes(content)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _pipe(path: Path) -> None:
    path.with_suffix(".json").unlink()
    os.mkfifo(path.with_suffix(".json"))


def _pickle_in_a_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("best/data.pkl", pickle.dumps({"head.weight": Runs()}))
        archive.writestr("best/version", "3\n")


WRONG: dict[str, tuple[Spoil, str]] = {
    "a pickle that runs code": (lambda path: path.write_bytes(pickle.dumps(Runs())), "best.pt"),
    "a checkpoint with code in it": (lambda path: torch.save({"head": Runs()}, path), "holds more than tensors"),
    "code in a zip": (_pickle_in_a_zip, "holds more than tensors"),
    "a whole module": (lambda path: torch.save(torch.nn.Linear(1, 1), path), "holds more than tensors"),
    "truncated": (_cut, "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "text": (lambda path: path.write_text("hello"), "best.pt"),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), "not found"),
    "gone": (lambda path: path.unlink(), "not found"),
    "another architecture": (lambda path: torch.save(torch.nn.Linear(2, 2).state_dict(), path), "another network"),
    "no weights at all": (weights(lambda _: None), "another network"),
    "a list": (weights(lambda _: [1]), "another network"),
    "keys that are numbers": (weights(lambda _: {1: torch.zeros(1)}), "another network"),
    "values that are no tensors": (every(lambda _: 3), "another network"),
    "complex weights": (every(lambda t: t.to(torch.complex64)), "another network"),
    "weights without memory": (every(lambda t: t.to("meta")), "another network"),
    "NaN": (every(lambda t: t * float("nan") if t.is_floating_point() else t), "no numbers"),
    "infinite": (every(lambda t: t + float("inf") if t.is_floating_point() else t), "no numbers"),
    "another version": (description(format=2), "is of format 2; this version reads 1"),
    "no version": (description(format=None), "is of format None"),
    "another width": (description(config={"model_args": {"channels": [4, 4, 4]}}), "another network"),
    "a width that is none": (description(config={"model_args": {"channels": [-1, 2, 2]}}), "three whole numbers"),
    "an unknown model": (description(config={"model": "small_resnt"}), "did you mean 'small_resnet'?"),
    "a model from anywhere": (description(config={"model": "os.system"}), "not in a known package"),
    "an unknown key": (description(config={"epoch": 3}), "did you mean 'epochs'?"),
    "a value out of range": (description(config={"image_size": 4096}), "8 to 1024"),
    "a description that is no JSON": (beside(b"{"), "cannot be read"),
    "a description that is a list": (beside(b"[]"), "no description"),
    "a description nested 50 000 deep": (beside(b'{"config":' + b"[" * 50_000), "cannot be read"),
    "a description that is no UTF-8": (beside(b"\xff"), "cannot be read"),
    "a description that is a pipe": (_pipe, "no regular file"),
    "no description": (lambda path: path.with_suffix(".json").unlink(), "not found"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_checkpoint_is_one_line_and_runs_nothing(
    tmp_path: Path, unchanged: Callable[[], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save_best(build_network(CONFIG), CONFIG, tmp_path / "run", epoch=1, metrics={})
    spoil, told = WRONG[name]
    spoil(path)
    unchanged()
    with pytest.raises((BadCheckpoint, BadModel)) as caught:
        load_checkpoint(path)
    assert isinstance(caught.value, TrainingError)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "RAN").exists()
