"""Row "Data sources": each wrong source is told in one line (what, where, what would be right), and left as it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from federated_pneumonia_detection.data import DataError, inspect_source, load_source
from federated_pneumonia_detection.data import trees as trees_module

Make = Callable[[Path], Path]
Unchanged = Callable[[], None]
RANDOM = np.random.default_rng(3)


def picture(mode: str = "L", size: int = 32, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    pixels = RANDOM.integers(0, 256, (size, size), dtype=np.uint8)
    image = Image.fromarray(pixels.astype(np.uint16) * 200) if mode == "I;16" else Image.fromarray(pixels).convert(mode)
    image.save(out, kind)
    return out.getvalue()


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def dicom(kind: str = "MONOCHROME2", syntax: str = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    record = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    record.Rows = record.Columns = 32
    record.SamplesPerPixel, record.PhotometricInterpretation, record.PatientName = 1, kind, "Doe^Jane"
    record.BitsAllocated, record.BitsStored, record.HighBit, record.PixelRepresentation = 16, 12, 11, 0
    record.PixelData = RANDOM.integers(0, 4096, (32, 32)).astype("<u2").tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(record, name)
        else:
            setattr(record, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, record, enforce_file_format=True)
    # The pixels lie about how they are compressed.
    uid = str(syntax).ljust(len(ExplicitVRLittleEndian), "\0")[: len(str(syntax)) + len(str(syntax)) % 2]
    return out.getvalue() if syntax == ExplicitVRLittleEndian else _with_syntax(out.getvalue(), uid)


def _with_syntax(data: bytes, uid: str) -> bytes:
    record = pydicom.dcmread(io.BytesIO(data))
    record.file_meta.TransferSyntaxUID = uid
    record.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
    record["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    pydicom.dcmwrite(out, record, enforce_file_format=True)
    return out.getvalue()


def folder(**changes: bytes | Callable[[Path], object] | None) -> Make:
    """A folder that could be trained on, with these files put in, made or (`None`) taken out."""

    def make(directory: Path) -> Path:
        root = directory / "xrays"
        for split in ("train", "val", "test"):
            for name in ("NORMAL", "PNEUMONIA"):
                (root / split / name).mkdir(parents=True)
                for number in range(3):
                    (root / split / name / f"{number}.png").write_bytes(picture())
        for name, content in changes.items():
            path = root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
        return root

    return make


def with_image(content: bytes | Callable[[Path], object], name: str = "bad.png") -> Make:
    return folder(**{f"train__NORMAL__{name.replace('.', '_dot_')}": content})


def table(text: str | bytes, name: str = "list.csv") -> Make:
    """A CSV beside nine images."""

    def make(directory: Path) -> Path:
        for number in range(9):
            (directory / f"{number}.png").write_bytes(picture())
        path = directory / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


ROWS = "".join(f"{number}.png,{number % 2}\n" for number in range(8))


def archive(fill: Callable[[zipfile.ZipFile], object]) -> Make:
    def make(directory: Path) -> Path:
        path = directory / "xrays.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as into:
            for name in ("NORMAL", "PNEUMONIA"):
                for number in range(6):
                    into.writestr(f"{name}/{number}.png", picture())
            fill(into)
        return path

    return make


def _encrypted(directory: Path) -> Path:
    path = archive(lambda _: None)(directory)
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = -1
        while (position := data.find(signature, position + 1)) >= 0:
            data[position + at] |= 1
    path.write_bytes(data)
    return path


def _link(into: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("NORMAL/link.png")
    info.external_attr = 0o120777 << 16
    into.writestr(info, "/etc/passwd")


def arrays(**changed: Any) -> Make:
    def make(directory: Path) -> Path:
        whole: dict[str, Any] = {}
        for split in ("train", "val", "test"):
            whole[f"{split}_images"] = RANDOM.integers(0, 256, (8, 28, 28), dtype=np.uint8)
            whole[f"{split}_labels"] = np.arange(8) % 2
        whole |= changed
        path = directory / "xrays.npz"
        np.savez(path, **{name: array for name, array in whole.items() if array is not None})
        return path

    return make


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch RAN",)


def file(name: str, content: bytes) -> Make:
    def make(directory: Path) -> Path:
        (directory / name).write_bytes(content)
        return directory / name

    return make


def piped(name: str) -> Make:
    def make(directory: Path) -> Path:
        os.mkfifo(directory / name)
        return directory / name

    return make


# What is told, where, and what would be right.
WRONG: dict[str, tuple[Make, str, str, str]] = {
    "missing": (lambda d: d / "nowhere", "no such file or folder", "nowhere", "name an npz"),
    "an empty folder": (lambda d: (d / "x").mkdir() or d / "x", "it is empty", "x", "NORMAL and PNEUMONIA"),
    "an empty file": (file("x.npz", b""), "no npz", "x.npz", "MedMNIST"),
    "a file that is no source": (file("x.txt", b"hello"), "no source", "x.txt", "name an npz"),
    "a pipe called npz": (piped("x.npz"), "no regular file", "x.npz", "name an npz"),
    "a pipe called zip": (piped("x.zip"), "no regular file", "x.zip", "name an npz"),
    "a pipe called csv": (piped("x.csv"), "no regular file", "x.csv", "name an npz"),
    "text under .png": (with_image(b"I am text"), "it is no image", "bad.png", "PNG, JPEG"),
    "a truncated PNG": (with_image(picture(size=64)[:900]), "the image is broken", "bad.png", "copy it again"),
    "1 x 1": (with_image(picture(size=1)), "it has 1 x 1 pixels", "bad.png", "at least 8 x 8"),
    "30 000 x 30 000": (with_image(huge_png(30_000, 30_000)), "900,000,000 pixels", "bad.png", "100,000,000"),
    "a pipe under .png": (with_image(os.mkfifo), "no regular file", "bad.png", "remove it"),
    "a link that leads nowhere": (with_image(lambda p: p.symlink_to("x")), "no such file", "bad.png", "that is there"),
    "PostScript": (with_image(b"%!PS-Adobe-3.0\n"), "it is no image", "bad.png", "PNG, JPEG"),
    "one class only": (
        lambda d: [p.unlink() for p in folder()(d).glob("train/PNEUMONIA/*")] and d / "xrays",
        "training has only images of class normal",
        "xrays",
        "at least 2 training images",
    ),
    "a class with one image": (
        folder(train__NORMAL__0_dot_png=None, train__NORMAL__1_dot_png=None),
        "class normal has one training image",
        "xrays",
        "at least 2",
    ),
    "CSV: a missing column": (table("image,finding2\n" + ROWS), "it has no column label", "list.csv", "first line"),
    "CSV: a duplicate row": (table("image,label\n" + ROWS + "0.png,0\n"), "named in line 2", "line 10", "keep one"),
    "CSV: a label of 2": (table("image,label\n" + ROWS + "8.png,2\n"), "the label is '2'", "line 10", "0 or normal"),
    "CSV: an image that is not there": (table("image,label\nx.png,1\n"), "no such image", "line 2", ""),
    "CSV: an image outside": (table("image,label\n../../etc/passwd,1\n"), "no such image", "line 2", ""),
    "CSV: a formula for a name": (table("image,label\n=cmd|' /C calc'!A0,1\n"), "no such image", "line 2", ""),
    "CSV: a formula for a label": (table("image,label\n0.png,=1+1\n"), "the label is '=1+1'", "line 2", "0 or normal"),
    "CSV: NUL": (table(b"image,label\n0.png,1\0\n"), "NUL", "list.csv", "UTF-8"),
    "CSV: no UTF-8": (table(b"image,label\n\xe9.png,1\n"), "byte 12 is not UTF-8", "list.csv", "save it as UTF-8"),
    "CSV: half a UTF-16": (table(b"\xff\xfei\0m"), "byte 4 is not UTF-16", "list.csv", "save it as UTF-8"),
    "CSV: an open quote": (table('image,label\n"0.png,1\n'), "no CSV", "list.csv", "close each quote"),
    "CSV: a row too short": (table("image,label\n0.png\n"), "it has 1 cells", "line 2", "has 2"),
    "CSV: empty": (table(""), "it is empty", "list.csv", "first line"),
    "zip: not one": (file("x.zip", b"PK\x03\x04" + b"\0" * 40), "no zip", "x.zip", "copy or make it again"),
    "zip: slip": (
        archive(lambda z: z.writestr("../../slip.png", b"x")),
        "leads out",
        "../../slip.png",
        "plain relative",
    ),
    "zip: an absolute name": (archive(lambda z: z.writestr("/etc/x.png", b"x")), "leads out", "/etc/x.png", "plain"),
    "zip: a drive": (archive(lambda z: z.writestr("C:/x.png", b"x")), "leads out", "C:/x.png", "plain relative"),
    "zip: a bomb": (
        archive(lambda z: z.writestr("NORMAL/bomb.png", b"\0" * 50_000_000)),
        "unpacks to 50,000,000",
        "NORMAL/bomb.png",
        "taken for a bomb",
    ),
    "zip: encrypted": (_encrypted, "it is encrypted", "NORMAL/0.png", "unpack it"),
    "zip: a link": (archive(_link), "an entry is a link", "NORMAL/link.png", "put the file itself"),
    "npz: pickled arrays": (
        arrays(train_images=np.array([_Runs()] * 8, object)),
        "pickled Python, which is never loaded",
        "train_images",
        "uint8",
    ),
    "npz: a pickle under its name": (file("x.npz", pickle.dumps(_Runs())), "no npz", "x.npz", "MedMNIST"),
    "npz: wrong keys": (arrays(train_images=None), "it has no train_images", "xrays.npz", "MedMNIST"),
    "npz: no labels": (arrays(train_labels=None), "no train_labels", "xrays.npz", "MedMNIST"),
    "npz: wrong shapes": (
        arrays(train_images=np.zeros((8, 28), np.uint8)),
        "shape (8, 28)",
        "train_images",
        "(N, H, H)",
    ),
    "npz: too few labels": (arrays(train_labels=np.array([0, 1])), "shape (2,)", "train_labels", "need (8,)"),
    "npz: float labels": (arrays(train_labels=np.linspace(0, 1, 8)), "labels are float64", "train_labels", "whole"),
    "npz: float images": (arrays(train_images=np.zeros((8, 28, 28))), "images are float64", "train_images", "uint8"),
    "npz: a label of 2": (arrays(train_labels=np.arange(8)), "a label is 2", "train_labels", "0 is normal"),
    "DICOM: no pixels": (with_image(dicom(PixelData=None), "x.dcm"), "without pixels", "x.dcm", "name an image"),
    "DICOM: an unknown syntax": (
        with_image(dicom(syntax=JPEG2000Lossless), "x.dcm"),
        "cannot be unpacked (syntax JPEG 2000",
        "x.dcm",
        "export it uncompressed",
    ),
    "DICOM: many frames": (with_image(dicom(NumberOfFrames=20), "x.dcm"), "of 20 frames", "x.dcm", "the one frame"),
    "DICOM: cut off": (with_image(dicom()[:400], "x.dcm"), "DICOM", "x.dcm", ""),
    "DICOM: rows that are words": (
        with_image(
            dicom().replace(struct.pack("<HH", 0x28, 0x10) + b"US", struct.pack("<HH", 0x28, 0x10) + b"LO"), "x.dcm"
        ),
        "cannot be unpacked",
        "x.dcm",
        "export it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_source_is_told_with_what_where_and_what_is_right(
    tmp_path: Path, unchanged: Unchanged, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, what, where, right = WRONG[name]
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path)
    unchanged()
    with pytest.raises(DataError) as caught:
        load_source(source, image_size=28)
    error = caught.value
    assert what in error.what
    assert where in error.where
    assert right in error.right
    assert str(error).isprintable()
    assert "Doe" not in str(error), "a patient's name stands in an error"
    assert "Jane" not in str(error)


def test_a_zip_of_a_million_entries_is_refused_by_its_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The directory of a real one takes a minute to make; what counts is that nothing is read after it.
    monkeypatch.setattr(trees_module, "MAX_ENTRIES", 1000)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("an entry was read"))
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as into:
        for number in range(1001):
            into.writestr(f"NORMAL/{number}.png", b"")
    with pytest.raises(DataError, match="1,001 entries"):
        load_source(path)


def test_a_zip_in_a_zip_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "nested.zip"
    with zipfile.ZipFile(path, "w") as into:
        into.writestr("inner.zip", archive(lambda _: None)(tmp_path).read_bytes())
    with pytest.raises(DataError, match=r"inner\.zip: it holds a zip.*unpack the inner zip"):
        load_source(path)


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "CMYK", "P", "LA", "1", "RGB"])
def test_a_picture_of_any_depth_and_colour_is_read(tmp_path: Path, mode: str) -> None:
    kind, ending = ("TIFF", "tif") if mode == "CMYK" else ("PNG", "png")
    source = with_image(picture(mode, kind=kind), f"odd.{ending}")(tmp_path)
    assert len(load_source(source, image_size=28).images["train"]) == 7


def test_a_picture_of_values_that_are_no_numbers_is_told(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((32, 32), np.nan, np.float32)).save(out, "TIFF")
    with pytest.raises(DataError, match="no numbers"):
        load_source(with_image(out.getvalue(), "nan.tif")(tmp_path))


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_another_separator_and_encoding_are_understood(tmp_path: Path, separator: str, encoding: str) -> None:
    text = ("image,label\n" + ROWS).replace(",", separator)
    source = table(text.encode(encoding))(tmp_path)
    dataset = load_source(source, image_size=28)
    assert sum(len(images) for images in dataset.images.values()) == 8


def test_a_dark_dicom_is_turned_round_and_one_with_a_name_in_it_is_told(tmp_path: Path) -> None:
    source = with_image(dicom("MONOCHROME1", BurnedInAnnotation="YES"), "x.dcm")(tmp_path)
    found = inspect_source(source)
    assert [Path(name).name for name in found.burnt_in] == ["x.dcm"]
    assert "Doe" not in json.dumps(found.as_dict())
    assert len(load_source(source, image_size=28).images["train"]) == 7


def test_the_same_image_and_the_same_patient_in_two_splits_are_told_by_inspection(tmp_path: Path) -> None:
    twice = picture()
    source = folder(
        train__PNEUMONIA__person7_bacteria_1_dot_png=twice, test__PNEUMONIA__person7_bacteria_2_dot_png=twice
    )(tmp_path)
    told = "\n".join(inspect_source(source).render())
    assert "1 of them in more than one split" in told
    assert "1 patients have images in more than one split" in told


def test_a_file_name_that_is_no_unicode_and_moves_the_cursor_is_shown_escaped(tmp_path: Path) -> None:
    source = folder()(tmp_path)
    bad = os.fsencode(source / "train" / "NORMAL") + b"/\xff\x1b[2J.png"
    with open(bad, "wb") as out:  # noqa: PTH123 - a path cannot hold such a name
        out.write(b"no image")
    told = inspect_source(source).render()
    assert all(line.isprintable() for line in told)
    with pytest.raises(DataError) as caught:
        load_source(source)
    assert str(caught.value).isprintable()
