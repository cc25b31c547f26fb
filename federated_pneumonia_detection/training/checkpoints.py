"""The network worth keeping, as two files anybody can read.

``best.pt`` is a plain ``state_dict`` (``torch.load(path, weights_only=True)`` reads it: tensors and nothing that
runs), ``best.json`` beside it tells which network the weights belong to: the configuration, the epoch, the metrics.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from federated_pneumonia_detection.config import ConfigError, make_config
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.training.errors import BadCheckpoint, TrainingError, one_line
from federated_pneumonia_detection.training.networks import build_network
from federated_pneumonia_detection.training.tensor_files import read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["checkpoint_folder", "describe_checkpoint", "find_checkpoint", "load_checkpoint", "save_best"]

WEIGHTS, DESCRIPTION = "best.pt", "best.json"
_FORMAT = 1
_LONGEST_DESCRIPTION = 1 << 20


def checkpoint_folder(checkpoint_dir: str | Path, run: str) -> Path:
    """Where the checkpoints of a run lie: ``checkpoint_dir/run``, or ``checkpoint_dir`` if that is its folder already.

    Args:
        checkpoint_dir: The folder of all runs, or of this one.
        run: The run's id, as a slug.
    """
    folder = Path(checkpoint_dir)
    return folder if folder.name == run else folder / run


def save_best(
    network: nn.Module,
    config: TrainingConfig,
    folder: Path,
    *,
    epoch: int,
    metrics: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Writes ``best.pt`` and ``best.json``; each is replaced as a whole, never seen half.

    Args:
        network: From ``build_network``.
        config: The configuration it was built from.
        folder: Made where it is missing.
        epoch: The epoch (or round) the weights are of.
        metrics: What was measured then.
        about: More for the description: ``run_id``, ``experiment_name``, ``phantom``, …

    Returns:
        The path of ``best.pt``.

    Raises:
        TrainingError: If the folder cannot be written.
    """
    weights, description = folder / WEIGHTS, folder / DESCRIPTION
    told = {
        "format": _FORMAT,
        "kind": "federated" if "num_rounds" in type(config).model_fields else "centralized",
        "epoch": epoch,
        "metrics": dict(metrics),
        **(about or {}),
        "config": config.model_dump(mode="json"),
    }
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{WEIGHTS}.{os.getpid()}"
        torch.save(state, part)
        part.replace(weights)
        part = folder / f".{DESCRIPTION}.{os.getpid()}"
        part.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(description)
    except (OSError, RuntimeError) as error:
        # torch.save turns a full disk or an unwritable folder into RuntimeError.
        raise TrainingError(f"the checkpoint cannot be written to {folder}: {one_line(error)}") from error
    return weights


def describe_checkpoint(path: str | Path) -> dict[str, Any]:
    """What ``best.json`` tells.

    Args:
        path: ``best.pt``, ``best.json`` or their folder.

    Raises:
        BadCheckpoint: If it is missing or is no description of ours.
    """
    description = _weights_of(path).with_suffix(".json")
    try:
        # A pipe of that name would be waited for.
        told = json.loads(read_small(description, _LONGEST_DESCRIPTION).decode("utf-8"))
    except FileNotFoundError:
        raise BadCheckpoint(description, "not found; it belongs beside best.pt and tells which network it is") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadCheckpoint(description, f"cannot be read ({one_line(error)})") from error
    if not isinstance(told, dict) or not isinstance(told.get("config"), dict):
        raise BadCheckpoint(description, "is no description of a checkpoint; its key 'config' is missing")
    if told.get("format") != _FORMAT:
        raise BadCheckpoint(description, f"is of format {told.get('format')!r}; this version reads {_FORMAT}")
    return told


def load_checkpoint(path: str | Path, *, device: str | torch.device = "cpu") -> tuple[nn.Module, TrainingConfig]:
    """The network of a checkpoint, ready to judge images, and its configuration.

    Nothing in the file is executed: weights are tensors, the network is one that ``build_network`` knows.

    Args:
        path: ``best.pt`` or its folder.
        device: Where the network is put.

    Raises:
        BadCheckpoint: If a file is missing, damaged, or the weights are of another network.
        BadModel: If the network is one that cannot be built here.
    """
    weights = _weights_of(path)
    told = describe_checkpoint(weights)
    try:
        config = make_config(told["config"], "federated" if told.get("kind") == "federated" else "centralized")
    except ConfigError as error:
        raise BadCheckpoint(weights.with_suffix(".json"), str(error)) from error
    state = read_tensors(weights)
    network = build_network(config)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise BadCheckpoint(weights, f"holds the weights of another network than {config.model}") from error
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
        # It would call everything normal: no comparison with NaN is true.
        raise BadCheckpoint(weights, "holds weights that are no numbers (NaN or infinite)")
    return network.to(device).eval(), config


def find_checkpoint(run: str | Path, checkpoint_dir: str | Path) -> Path:
    """The ``best.pt`` of a run, or of a path that names one.

    Args:
        run: A run's id, ``latest`` (the checkpoint written last), or a path to a checkpoint or its folder.
        checkpoint_dir: The folder of all runs.

    Raises:
        BadCheckpoint: If there is none; the runs that have one are named.
    """
    base = Path(checkpoint_dir)
    found = sorted(base.glob(f"*/{WEIGHTS}"), key=lambda p: p.stat().st_mtime)
    if str(run) == "latest":
        if found:
            return found[-1]
        raise BadCheckpoint(base, "no run has left a checkpoint here yet")
    candidates = [base / str(run) / WEIGHTS, Path(run) / WEIGHTS, Path(run)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = ", ".join(p.parent.name for p in found[-5:])
    raise BadCheckpoint(candidates[0], f"not found; runs with a checkpoint: {known}" if known else "not found")


def _weights_of(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        return path / WEIGHTS
    return path.with_suffix(".pt") if path.suffix == ".json" else path
