"""What a run was asked to be, kept beside its checkpoints, so that it can go on without being told again.

`asked.json` in the run's folder of checkpoints holds kind, experiment, configuration, source and its digest; beside
the journal `.jobs/<run>/checkpoints.json` says where that folder is. Neither holds a secret.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.progress.reading import read_small
from federated_pneumonia_detection.progress.slug import slug

__all__ = ["Asked", "choose_point", "find_asked", "keep_asked", "point_path", "points", "read_asked"]

_ASKED, _WHERE = "asked.json", "checkpoints.json"
_FORMAT = 1
_LONGEST = 1 << 20


class Asked(msgspec.Struct, frozen=True):
    """What a run was asked to be.

    Attributes:
        run_id: the run.
        kind: `centralized` or `federated`.
        experiment_name: what its runs share.
        source: an absolute path, or `phantoms`.
        digest: SHA-256 of images and labels; empty where it is not known.
        config: every key of the configuration.
        federation: the coordinator's directory of a run between machines; empty for any other.
    """

    run_id: str
    kind: Literal["centralized", "federated"]
    experiment_name: str
    source: str
    digest: str = ""
    config: dict[str, Any] = {}
    federation: str = ""
    format: int = _FORMAT

    @property
    def unit(self) -> Literal["epoch", "round"]:
        """What its checkpoints are counted in."""
        return "round" if self.kind == "federated" else "epoch"

    @property
    def total(self) -> int:
        """How many of them the run was to have; 0 where nobody said."""
        total = self.config.get("num_rounds" if self.kind == "federated" else "epochs")
        return total if isinstance(total, int) else 0


def keep_asked(asked: Asked, folder: Path, log_dir: str | os.PathLike[str]) -> None:
    """Write it down in the run's folder of checkpoints, and beside the journal where that is.

    Raises:
        OSError: it cannot be written into the folder. That nobody finds it from the journal stops nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / _ASKED, msgspec.json.format(msgspec.json.encode(asked)))
    job = _job(log_dir, asked.run_id)
    with contextlib.suppress(OSError):
        job.mkdir(parents=True, exist_ok=True)
        _put(job / _WHERE, msgspec.json.encode({"folder": str(folder.absolute())}))


def find_asked(
    run_id: str, log_dir: str | os.PathLike[str], checkpoint_dir: str | os.PathLike[str] | None = None
) -> tuple[Asked, Path]:
    """What a run was asked to be, and its folder of checkpoints.

    Args:
        run_id: the run.
        log_dir: where its journal lies.
        checkpoint_dir: the folder of all runs' checkpoints (or of this run's), where it is known; looked into first.

    Raises:
        CannotGoOn: nothing was kept, or it cannot be read.
    """
    for folder in _folders(run_id, log_dir, checkpoint_dir):
        if (folder / _ASKED).is_file():
            return read_asked(folder), folder
    where = "" if checkpoint_dir is None else f" in {checkpoint_dir}"
    raise CannotGoOn(run_id, f"no checkpoint of it was found{where}; name their folder with --checkpoint-dir")


def read_asked(folder: Path) -> Asked:
    """What the run was asked to be whose checkpoints lie in `folder`.

    Raises:
        CannotGoOn: there is no such word of it, or it cannot be read.
    """
    path = folder / _ASKED
    try:
        asked = msgspec.json.decode(read_small(path, _LONGEST), type=Asked)
    except FileNotFoundError:
        raise CannotGoOn(folder.name, f"{path} is missing, which says what it was asked to be") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CannotGoOn(folder.name, f"{path} cannot be read ({str(error)[:200]})") from error
    if asked.format != _FORMAT:
        raise CannotGoOn(folder.name, f"{path} is of format {asked.format}; this version reads {_FORMAT}")
    return asked


def point_path(folder: Path, unit: str, number: int) -> Path:
    """Where the checkpoint of that epoch or round lies."""
    return folder / f"{unit}-{number}.pt"


def points(folder: Path, unit: str) -> list[int]:
    """The epochs or rounds that there is a checkpoint of, in order."""
    named = re.compile(rf"{unit}-([1-9][0-9]{{0,8}})\.pt")
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(found[1]) for name in names if (found := named.fullmatch(name)))


def choose_point(asked: Asked, folder: Path, wanted: int | None) -> int:
    """The epoch or round to go on from: the one that is wanted, else the newest; 0 is the very start.

    Raises:
        CannotGoOn: there is no checkpoint of it, or it was the last one.
    """
    there, unit = points(folder, asked.unit), asked.unit
    chosen = wanted if wanted is not None else there[-1] if there else 0
    if asked.total and chosen >= asked.total and (wanted is None or chosen in there):
        raise CannotGoOn(
            asked.run_id, f"{unit} {chosen} was its last one; go on from an earlier one, or start a new run"
        )
    if wanted is None or wanted == 0 or wanted in there:
        return chosen
    if not there:
        raise CannotGoOn(asked.run_id, f"there is no checkpoint of {unit} {wanted}, nor of any other; 0 starts over")
    known = f"{unit} {there[0]}" if len(there) == 1 else f"{unit}s {', '.join(map(str, there[:-1]))} and {there[-1]}"
    raise CannotGoOn(
        asked.run_id, f"there is no checkpoint of {unit} {wanted}; there are those of {known}, and 0 starts over"
    )


def _folders(run_id: str, log_dir: str | os.PathLike[str], checkpoint_dir: str | os.PathLike[str] | None) -> list[Path]:
    name = slug(run_id)
    found = []
    if checkpoint_dir is not None:
        base = Path(checkpoint_dir)
        found = [base if base.name == name else base / name, base / name / name]
    with contextlib.suppress(OSError, ValueError, RecursionError, KeyError, TypeError):
        told = msgspec.json.decode(read_small(_job(log_dir, run_id) / _WHERE, _LONGEST))
        found.append(Path(told["folder"]))
    return found


def _job(log_dir: str | os.PathLike[str], run_id: str) -> Path:
    return Path(log_dir) / ".jobs" / slug(run_id)


def _put(path: Path, body: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(body)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
