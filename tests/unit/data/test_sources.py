import functools
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from federated_pneumonia_detection.data import (
    DataError,
    cache_directory,
    find_source,
    inspect_source,
    load_source,
    make_phantoms,
)
from federated_pneumonia_detection.data import publisher as publisher_module


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch, tmp_path):
    """No source in the environment, an empty cache, and a publisher that is not there."""
    monkeypatch.delenv("FPD_DATA", raising=False)
    monkeypatch.setenv("FPD_CACHE", str(tmp_path / "cache"))

    def unreachable(*_, **__):
        raise DataError("no download (no network)", "zenodo.org", "set FPD_DATA")

    monkeypatch.setattr(publisher_module, "download", unreachable)
    few = functools.partial(make_phantoms, counts={"train": 20, "val": 5, "test": 5})
    monkeypatch.setattr("federated_pneumonia_detection.data.sources.make_phantoms", few)


def _zipped(folder):
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


def _table(folder, with_splits=True):
    """A CSV beside a folder of images, with the same images as `folder`."""
    rows = ["image,label,split" if with_splits else "image,label"]
    for path in sorted(folder.rglob("*.png")):
        relative = path.relative_to(folder.parent)
        rows.append(f"{relative},{path.parent.name}" + (f",{path.parts[-3]}" if with_splits else ""))
    table = folder.parent / "list.csv"
    table.write_text("\n".join(rows))
    return table


def test_a_folder_its_zip_and_a_csv_of_it_are_the_same_data(classes_folder):
    folder = classes_folder(each=4)
    loaded = [load_source(source) for source in (folder, _zipped(folder), _table(folder))]
    assert len({dataset.describe()["splits"]["train"]["n"] for dataset in loaded}) == 1
    assert {tuple(np.sort(dataset.images["val"].mean(axis=(1, 2)))) for dataset in loaded[1:]} == {
        tuple(np.sort(loaded[0].images["val"].mean(axis=(1, 2))))
    }
    assert [dataset.name for dataset in loaded] == ["chest_xray", "chest_xray", "list"]
    assert loaded[0].patients["train"] is not None


def test_a_zip_of_an_npz_and_a_zip_of_a_csv_with_its_images_are_read(classes_folder, tmp_path):
    folder = classes_folder(each=4, name="pictures")
    table = _table(folder)
    with zipfile.ZipFile(tmp_path / "csv.zip", "w") as archive:
        archive.write(table, "set/list.csv")
        for path in folder.rglob("*.png"):
            # Without folders of classes, so that the CSV is what tells them.
            archive.write(path, f"set/images/{path.name}")
    text = table.read_text().splitlines()
    flat = [text[0], *(f"{row.split(',')[0].split('/')[-1]},{row.split(',', 1)[1]}" for row in text[1:])]
    with zipfile.ZipFile(tmp_path / "csv.zip", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("set/list.csv", "\n".join(flat))
    assert load_source(tmp_path / "csv.zip").describe()["splits"]["test"]["n"] == 8
    images = np.random.default_rng(0).integers(0, 256, (9, 16, 16), dtype=np.uint8)
    arrays = {
        f"{split}_{what}": value
        for split in ("train", "val", "test")
        for what, value in (("images", images), ("labels", np.arange(9) % 2))
    }
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "npz.zip", "w") as archive:
        archive.write(tmp_path / "pneumoniamnist.npz", "pneumoniamnist.npz")
    assert load_source(tmp_path / "npz.zip", image_size=16).images["train"].tobytes() == images.tobytes()
    assert load_source(tmp_path / "pneumoniamnist.npz").name == "PneumoniaMNIST"


def test_a_folder_without_splits_is_cut_by_patient_and_says_so(classes_folder):
    folder = classes_folder(splits=(), each=20)
    dataset = load_source(folder, seed=3)
    counts = {split: told["n"] for split, told in dataset.describe()["splits"].items()}
    assert counts == {"train": 28, "val": 4, "test": 8}
    homes = [set(dataset.patients[split].tolist()) for split in counts]
    assert sum(len(home) for home in homes) == len(set().union(*homes))
    assert dataset.notes == ["cut into splits by us, seed 3, by patient"]
    assert load_source(folder, seed=3).digest == dataset.digest != load_source(folder, seed=4).digest


def test_a_split_that_is_missing_is_cut_from_training(classes_folder):
    dataset = load_source(classes_folder(splits=("train", "test"), each=20), seed=1)
    assert {split: told["n"] for split, told in dataset.describe()["splits"].items()} == {
        "train": 36,
        "val": 4,
        "test": 40,
    }
    assert dataset.notes == ["val cut from training by us, seed 1"]


def test_progress_is_told_image_by_image(classes_folder):
    told = []
    load_source(classes_folder(each=2), on_images=lambda done, of: told.append((done, of)))
    assert told == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize(
    ("spoil", "where", "what"),
    [
        pytest.param(
            lambda f: shutil.rmtree(f / "train" / "NORMAL"),
            "chest_xray",
            "only images of class pneumonia",
            id="one class",
        ),
        pytest.param(
            lambda f: [p.unlink() for p in sorted((f / "train/NORMAL").iterdir())[1:]],
            "chest_xray",
            "class normal has one training image",
            id="a class with one image",
        ),
        pytest.param(
            lambda f: (f / "val/NORMAL/x.png").write_bytes(b"text"), "x.png", "no image (1 of 25", id="no image"
        ),
        pytest.param(lambda f: shutil.rmtree(f / "train"), "chest_xray", "train has no images", id="no training"),
        pytest.param(lambda f: shutil.rmtree(f) or f.mkdir(), "chest_xray", "it is empty", id="an empty folder"),
    ],
)
def test_a_folder_that_cannot_be_trained_on_is_told(classes_folder, spoil, where, what):
    folder = classes_folder(each=4)
    spoil(folder)
    with pytest.raises(DataError) as caught:
        load_source(folder)
    assert where in caught.value.where
    assert what in caught.value.what
    assert caught.value.right


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("absent.npz", "no such file or folder"),
        ("notes.txt", "'.txt' is no source"),
        ("nothing", "'nothing' is no source"),
        ("\0", "no such file"),
        ("x" * 5000, "cannot be a path"),
        ("~nobody-of-that-name/x", "cannot be a path"),
    ],
)
def test_a_name_that_is_no_source_is_told(tmp_path, monkeypatch, source, what):
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "nothing"):
        Path(name).write_text("x")
    with pytest.raises(DataError) as caught:
        find_source(source)
    assert what in caught.value.what
    assert "the word phantoms" in caught.value.right
    assert str(caught.value).isprintable()


def test_fpd_data_comes_first_and_an_error_says_that_it_named_the_source(classes_folder, monkeypatch):
    folder = classes_folder()
    monkeypatch.setenv("FPD_DATA", str(folder))
    assert find_source(None).path == folder
    assert find_source("phantoms").phantom
    monkeypatch.setenv("FPD_DATA", "/nowhere.npz")
    with pytest.raises(DataError, match="named by FPD_DATA"):
        load_source(None)


def test_then_the_cache_then_the_publisher_then_phantoms(monkeypatch, tmp_path):
    said = []
    dataset = load_source(None, say=said.append)
    assert dataset.phantom
    assert dataset.notes[-1] == "PneumoniaMNIST could not be downloaded: no download (no network)"
    assert "phantoms, not X-rays" in said[-1]
    assert find_source(None).kind == "publisher"

    cache_directory().mkdir()
    images = np.random.default_rng(0).integers(0, 256, (9, 16, 16), dtype=np.uint8)
    arrays = {f"{split}_images": images for split in ("train", "val", "test")}
    arrays |= {f"{split}_labels": np.arange(9) % 2 for split in ("train", "val", "test")}
    np.savez(cache_directory() / "pneumoniamnist.npz", **arrays)
    assert find_source(None).asked_by == "cache"
    assert not load_source(None).phantom

    (cache_directory() / "pneumoniamnist.npz").write_bytes(b"damaged")
    assert load_source(None).phantom


def test_without_leave_to_download_nobody_named_means_phantoms():
    assert find_source(None, allow_download=False).kind == "phantoms"
    assert load_source(None, allow_download=False).notes == ["phantoms, not X-rays"]


def test_the_cache_lies_where_fpd_cache_says_else_where_xdg_says(monkeypatch, tmp_path):
    assert cache_directory() == tmp_path / "cache"
    monkeypatch.delenv("FPD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "federated-pneumonia-detection"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_directory() == Path("~/.cache/federated-pneumonia-detection").expanduser()


def test_an_error_can_be_told_without_the_file_it_is_about(classes_folder):
    folder = classes_folder()
    (folder / "train/PNEUMONIA/person7_virus_1.png").write_bytes(b"text")
    with pytest.raises(DataError) as caught:
        load_source(folder)
    assert "person7" in str(caught.value)
    assert "person7" not in caught.value.public


def test_what_training_reads_of_a_folder_is_what_inspection_counts(classes_folder):
    folder = classes_folder(each=5)
    told = load_source(folder).describe()["splits"]
    assert inspect_source(folder).counts == {
        split: {"normal": told[split]["normal"], "pneumonia": told[split]["pneumonia"]} for split in told
    }


@pytest.mark.parametrize(
    ("entries", "what", "right"),
    [
        ({}, "it is empty", "NORMAL and PNEUMONIA"),
        ({"inner.zip": b"PK"}, "it holds a zip and no images of a class", "unpack the inner zip"),
        ({"a.csv": b"x", "b.csv": b"x"}, "it holds 2 sources", "name the one to use"),
        ({"README.md": b"x"}, "none of its 1 files is an image of a class", "NORMAL and PNEUMONIA"),
        ({"broken.npz": b"x"}, "it is no npz", "MedMNIST"),
    ],
    ids=["empty", "nested", "two tables", "no images", "a broken npz"],
)
def test_a_zip_and_a_folder_that_hold_no_source_are_told(tmp_path, entries, what, right):
    folder = tmp_path / "folder"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
            (folder / name).write_bytes(content)
    for source in (tmp_path / "source.zip", folder):
        with pytest.raises(DataError) as caught:
            load_source(source)
        assert what in caught.value.what
        assert right in caught.value.right
        assert caught.value.where.startswith(str(source))


def test_the_same_image_and_the_same_patient_in_two_splits_are_told_and_no_obstacle(classes_folder):
    folder = classes_folder(each=4)
    first = sorted((folder / "train/NORMAL").iterdir())[0]
    shutil.copy(first, folder / "test/NORMAL" / first.name)
    found = inspect_source(folder)
    assert (found.across_splits, found.patients_across_splits, found.problems) == (1, 1, [])
    assert load_source(folder).without_duplicates().describe()["splits"]["train"]["n"] == 7
