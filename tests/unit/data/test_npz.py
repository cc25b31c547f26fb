import io
import zipfile

import numpy as np
import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.npz import read_npz

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 12), dtype=np.uint8)
LABELS = np.array([[0], [1], [0], [1], [0], [1]], np.uint8)


def _npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _whole(**changes):
    arrays = {f"{s}_{w}": v for s in ("train", "val", "test") for w, v in (("images", IMAGES), ("labels", LABELS))}
    return _npz(**{name: array for name, array in {**arrays, **changes}.items() if array is not None})


def test_medmnists_layout_is_read_whatever_integer_type_its_labels_have():
    images, labels = read_npz(_whole(val_labels=LABELS[:, 0].astype(np.int32)), where="x.npz")
    assert list(images) == ["train", "val", "test"]
    assert np.array_equal(images["train"], IMAGES)
    assert labels["val"].tolist() == [0, 1, 0, 1, 0, 1]
    assert labels["val"].dtype == np.int64


def test_colour_images_become_grey():
    images, _ = read_npz(_whole(test_images=np.stack([IMAGES] * 3, axis=-1)), where="x.npz")
    assert np.abs(images["test"].astype(int) - IMAGES).max() <= 1


def test_splits_that_are_missing_are_left_out():
    images, _ = read_npz(_npz(train_images=IMAGES, train_labels=LABELS), where="x.npz")
    assert list(images) == ["train"]


def _pickled():
    out = io.BytesIO()
    np.savez(out, train_images=np.array([{"a": 1}] * 6, dtype=object), train_labels=LABELS)
    return out.getvalue()


def _header_that_lies():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 28, 28)}
        )
        archive.writestr("train_images.npy", header.getvalue() + b"\0" * 100)
        archive.writestr("train_labels.npy", b"junk")
    return out.getvalue()


def _member(content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("train_images.npy", content)
        archive.writestr("train_labels.npy", content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "where", "what", "right"),
    [
        pytest.param(lambda: b"", "x.npz", "no npz", "MedMNIST", id="empty"),
        pytest.param(lambda: b"hello", "x.npz", "no npz", "MedMNIST", id="text"),
        pytest.param(lambda: _whole()[:-30], "x.npz", "no npz, or a broken one", "MedMNIST", id="truncated"),
        pytest.param(_pickled, "train_images.npy", "pickled Python, which is never loaded", "uint8", id="pickled"),
        pytest.param(lambda: _npz(a=IMAGES, b=LABELS), "x.npz", "no train_images (it has a, b)", "layout", id="keys"),
        pytest.param(lambda: _whole(val_labels=None), "x.npz", "val_images and no val_labels", "layout", id="half"),
        pytest.param(
            lambda: _whole(train_images=IMAGES / 255), "train_images", "images are float64", "uint8", id="floats"
        ),
        pytest.param(lambda: _whole(train_images=IMAGES[0]), "train_images", "(12, 12)", "(N, H, H)", id="one image"),
        pytest.param(
            lambda: _whole(train_images=IMAGES[:, :5]), "train_images", "(6, 5, 12)", "(N, H, H)", id="oblong"
        ),
        pytest.param(lambda: _whole(val_images=IMAGES[:, :4, :4]), "val_images", "(6, 4, 4)", "at least 8", id="small"),
        pytest.param(
            lambda: _whole(val_labels=LABELS * 1.0), "val_labels", "labels are float64", "whole", id="float labels"
        ),
        pytest.param(lambda: _whole(val_labels=LABELS[:4]), "val_labels", "shape (4,)", "(6,)", id="too few labels"),
        pytest.param(
            lambda: _whole(val_labels=LABELS * 2), "val_labels", "a label is 2", "1 is pneumonia", id="label 2"
        ),
        pytest.param(lambda: _whole(val_labels=np.full((6, 14), 1)), "val_labels", "(6, 14)", "(6,)", id="14 labels"),
        pytest.param(_header_that_lies, "train_images.npy", "header does not fit its size", "again", id="lies"),
        pytest.param(
            lambda: _member(b"\x93NUMPY\x01\x00junk"), "train_images.npy", "no NumPy array", "savez", id="junk"
        ),
    ],
)
def test_what_is_wrong_with_an_npz_is_told_with_its_array(content, where, what, right):
    with pytest.raises(DataError) as caught:
        read_npz(content(), where="x.npz")
    error = caught.value
    assert where in error.where
    assert what in error.what
    assert right in error.right
    assert "\n" not in str(error)


def test_sizes_that_would_fill_the_memory_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("federated_pneumonia_detection.data.npz.MAX_NPZ_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to"):
        read_npz(_whole(), where="x.npz")
