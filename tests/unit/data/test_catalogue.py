"""A source to look at has the splits and places that a training has."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated_pneumonia_detection.data import SPLITS, DataError, load_source, make_phantoms, open_catalogue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty images in folders of classes, in no splits, no two alike."""
    chance = np.random.default_rng(0)
    for name in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "xrays" / name).mkdir(parents=True)
        for index in range(15):
            Image.fromarray(chance.integers(0, 255, (32, 40), np.uint8)).save(
                tmp_path / "xrays" / name / f"{index}.png"
            )
    return tmp_path / "xrays"


def _zipped(folder: Path) -> Path:
    path = folder.parent / "xrays.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    return path


def _listed(folder: Path) -> Path:
    path = folder.parent / "list.csv"
    rows = [f"xrays/{file.parent.name}/{file.name},{file.parent.name}" for file in sorted(folder.rglob("*.png"))]
    path.write_text("image,label\n" + "\n".join(rows) + "\n")
    return path


def _packed(folder: Path) -> Path:
    data = make_phantoms(counts={"train": 12, "val": 6, "test": 6})
    arrays = {f"{split}_{what}": getattr(data, what)[split] for split in SPLITS for what in ("images", "labels")}
    np.savez(folder.parent / "small.npz", **arrays)
    return folder.parent / "small.npz"


@pytest.mark.parametrize("make", [lambda folder: folder, _zipped, _listed, _packed])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_image_at_a_place_is_the_one_a_training_has_there(folder: Path, make, seed: int) -> None:
    source = make(folder)
    trained, seen = load_source(source, image_size=28, seed=seed), open_catalogue(source, image_size=28, seed=seed)

    for split in SPLITS:
        assert seen.labels[split].tolist() == trained.labels[split].tolist()
        for place in range(len(trained.labels[split])):
            assert (seen.read(split, place, 28) == trained.images[split][place]).all()
    assert (seen.name, seen.phantom, seen.notes) == (trained.name, trained.phantom, trained.notes)


def test_phantoms_say_so_and_have_the_digest_of_the_size_and_seed() -> None:
    seen = open_catalogue("phantoms", image_size=32, seed=3)

    assert seen.phantom
    assert seen.digest == make_phantoms(image_size=32, seed=3).digest
    assert seen.read("test", 0, 64).shape == (64, 64)


def test_only_images_in_files_of_their_own_name_files(folder: Path) -> None:
    assert open_catalogue(folder).files["test"][0].is_file()
    assert open_catalogue(_zipped(folder)).files == {}


def test_no_pixel_is_read_before_it_is_asked_for(folder: Path) -> None:
    for file in folder.rglob("*.png"):
        file.write_bytes(b"no image")

    seen = open_catalogue(folder)
    assert sum(sum(counts.values()) for counts in seen.counts().values()) == 30
    with pytest.raises(DataError, match="no image"):
        seen.read("train", 0, 28)
