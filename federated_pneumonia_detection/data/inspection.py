"""What is in a source, and what a reader should know before training on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from federated_pneumonia_detection.data.cache import cache_directory
from federated_pneumonia_detection.data.dataset import CLASSES, SPLITS, Split, image_keys
from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.phantoms import PHANTOM_NOTE, make_phantoms
from federated_pneumonia_detection.data.publisher import OnProgress, download
from federated_pneumonia_detection.data.reading import OnImages, Reading, read_path
from federated_pneumonia_detection.data.sources import find_source, source_name

__all__ = ["Inspection", "inspect_source"]

_SHOWN = 10


@dataclass(frozen=True)
class Inspection:
    """What was found, as plain values.

    Attributes:
        name: what a reader calls the source.
        kind: npz, folder, csv, zip or phantoms.
        path: where it is; empty for phantoms.
        phantom: whether the images are generated.
        counts: images of each class in each split.
        sizes: least and greatest width and height in pixels.
        patients: how many patients there are; `None` where nobody says.
        duplicates: groups of equal images, each a list of names; the split stands before each name.
        across_splits: how many of these groups reach over more than one split.
        conflicts: how many of these groups have both labels.
        patients_across_splits: how many patients have images in more than one split.
        broken: for each file that cannot be read, its name and what is wrong.
        burnt_in: images that say that text, perhaps a name, is drawn into them.
        passed_over: files that are no images of a class.
        notes: how splits came about that the source does not have.
        problems: what makes training impossible.
    """

    name: str
    kind: str
    path: str
    phantom: bool
    counts: dict[str, dict[str, int]]
    sizes: dict[str, tuple[int, int]]
    patients: int | None
    duplicates: list[list[str]]
    across_splits: int
    conflicts: int
    patients_across_splits: int
    broken: list[dict[str, str]]
    burnt_in: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)

    def render(self) -> list[str]:
        """The same as lines for a reader, longest lists cut."""
        lines = [f"{self.name} ({self.kind}){f'  {self.path}' if self.path else ''}"]
        if self.phantom:
            lines.append(f"  {PHANTOM_NOTE}")
        for split, counts in self.counts.items():
            classes = ", ".join(f"{counts[name]:,} {name}" for name in CLASSES)
            lines.append(f"  {split:<5} {sum(counts.values()):>7,} images: {classes}")
        if self.sizes:
            (least_w, most_w), (least_h, most_h) = self.sizes["width"], self.sizes["height"]
            lines.append(f"  size  {_span(least_w, most_w)} x {_span(least_h, most_h)} pixels")
        lines.append(f"  patients: {'not known' if self.patients is None else f'{self.patients:,}'}")
        lines += self._duplicate_lines()
        if self.patients_across_splits:
            lines.append(f"  {self.patients_across_splits} patients have images in more than one split")
        if self.broken:
            lines.append(f"  {len(self.broken)} files cannot be read:")
            lines += _listed([f"{one['where']}: {one['what']}" for one in self.broken])
        if self.burnt_in:
            lines.append(f"  {len(self.burnt_in)} images say that text, perhaps a name, is drawn into them:")
            lines += _listed(self.burnt_in)
        if self.passed_over:
            lines.append(f"  {len(self.passed_over)} files passed over (no images of a class):")
            lines += _listed(self.passed_over)
        lines += [f"  note: {note}" for note in self.notes]
        return lines + [f"  PROBLEM: {problem}" for problem in self.problems]

    def _duplicate_lines(self) -> list[str]:
        if not self.duplicates:
            return ["  no image occurs twice"]
        extra = sum(len(group) - 1 for group in self.duplicates)
        noun = "image occurs" if len(self.duplicates) == 1 else "images occur"
        lines = [
            f"  {len(self.duplicates)} {noun} more than once ({extra} copies); "
            f"{self.across_splits} of them in more than one split, {self.conflicts} with both labels:"
        ]
        return lines + _listed([" = ".join(group[:4]) + (" = ..." * (len(group) > 4)) for group in self.duplicates])


def inspect_source(
    source: str | Path | None,
    *,
    seed: int = 0,
    on_images: OnImages | None = None,
    on_download: OnProgress | None = None,
) -> Inspection:
    """Read all of `source` and tell what is in it; broken files are listed, not raised.

    Raises:
        DataError: the source as a whole cannot be read, or it is to be downloaded and cannot be.
    """
    found = find_source(source)
    if found.kind == "phantoms":
        return _inspect_phantoms(seed)
    path = found.path if found.path is not None else download(cache_directory(), on_progress=on_download)
    # 28 pixels tell two images apart; finding equal ones needs no more.
    reading = read_path(path, image_size=28, seed=seed, on_images=on_images)
    kind = "npz" if found.kind == "publisher" else found.kind
    return _of_reading(reading, name=source_name(path), kind=kind, path=str(path), phantom=False)


def _inspect_phantoms(seed: int) -> Inspection:
    phantoms = make_phantoms(seed=seed)
    count = {split: len(phantoms.labels[split]) for split in SPLITS}
    who = [patients for split in SPLITS if (patients := phantoms.patients[split]) is not None]
    reading = Reading(
        np.concatenate([phantoms.images[split] for split in SPLITS]),
        np.concatenate([phantoms.labels[split] for split in SPLITS]),
        [split for split in SPLITS for _ in range(count[split])],
        np.concatenate(who),
        [f"{split}[{index}]" for split in SPLITS for index in range(count[split])],
        [(28, 28)] * sum(count.values()),
    )
    return _of_reading(reading, name="phantoms", kind="phantoms", path="", phantom=True)


def _of_reading(reading: Reading, *, name: str, kind: str, path: str, phantom: bool) -> Inspection:
    groups = _equal_images(reading)
    splits, labels = reading.splits, reading.labels
    tally = Counter(zip(splits, labels.tolist(), strict=True))
    counts: dict[str, dict[str, int]] = {
        split: {name: tally[split, label] for label, name in enumerate(CLASSES)} for split in SPLITS
    }
    width, height = [w for w, _ in reading.sizes], [h for _, h in reading.sizes]
    return Inspection(
        name=name,
        kind=kind,
        path=path,
        phantom=phantom,
        counts=counts,
        sizes={"width": (min(width), max(width)), "height": (min(height), max(height))},
        patients=None if reading.patients is None else len(np.unique(reading.patients)),
        duplicates=[[_named(reading, index) for index in group] for group in groups],
        across_splits=sum(len({splits[index] for index in group}) > 1 for group in groups),
        conflicts=sum(len({int(labels[index]) for index in group}) > 1 for group in groups),
        patients_across_splits=_patients_across(reading),
        broken=[{"where": error.where, "what": error.what} for error in reading.broken],
        burnt_in=list(reading.burnt_in),
        passed_over=list(reading.passed_over),
        notes=list(reading.notes),
        problems=_problems(counts, reading.broken),
    )


def _equal_images(reading: Reading) -> list[list[int]]:
    by_key: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(image_keys(reading.images)):
        by_key[key].append(index)
    return [group for group in by_key.values() if len(group) > 1]


def _named(reading: Reading, index: int) -> str:
    name, split = reading.names[index], reading.splits[index]
    return name if name.startswith(f"{split}[") else f"{split}: {name}"


def _patients_across(reading: Reading) -> int:
    if reading.patients is None:
        return 0
    pairs: set[tuple[int, Split]] = set(zip(reading.patients.tolist(), reading.splits, strict=True))
    return sum(count > 1 for count in Counter(patient for patient, _ in pairs).values())


def _problems(counts: dict[str, dict[str, int]], broken: list[DataError]) -> list[str]:
    problems = [f"{len(broken)} broken files: remove or replace them"] if broken else []
    for split, by_class in counts.items():
        for name in CLASSES:
            if not by_class[name]:
                problems.append(f"{split} has no image of class {name}")
            elif split == "train" and by_class[name] < 2:
                problems.append(f"train has one image of class {name}; at least 2 are needed")
    return problems


def _span(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"


def _listed(items: list[str]) -> list[str]:
    lines = [f"    {item if item.isprintable() else ascii(item)[1:-1]}" for item in items[:_SHOWN]]
    return lines + ([f"    ... and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else [])
