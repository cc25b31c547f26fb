"""Read an npz in MedMNIST's layout: `train_images`, `train_labels`, and the same for `val` and `test`.

Nothing is unpickled, and no array is made before its header has been compared with what the file really holds.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.data.dataset import SPLITS, Images, Labels, Split
from federated_pneumonia_detection.data.errors import DataError

__all__ = ["MAX_NPZ_BYTES", "read_npz"]

MAX_NPZ_BYTES = 4 << 30
# What a header can make NumPy's reader run into: it is parsed as Python's literals.
_BAD_HEADER = (ValueError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError, tokenize.TokenError)
_LAYOUT = "MedMNIST's layout has train_images, train_labels, and the same for val and test"


def read_npz(source: Path | bytes, *, where: str) -> tuple[dict[Split, Images], dict[Split, Labels]]:
    """Return images (uint8, (N, H, W)) and labels (int64, (N,)) of each split that the npz has.

    Args:
        source: the file, or its bytes.
        where: how errors call it.

    Raises:
        DataError: it is no npz, an array is pickled, missing, of a wrong type or shape, or a label is not 0 or 1.
    """
    images: dict[Split, Images] = {}
    labels: dict[Split, Labels] = {}
    try:
        with zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            _refuse_bomb(archive, where)
            if "train_images" not in members:
                raise DataError(f"it has no train_images (it has {_few(members)})", where, _LAYOUT)
            for split in SPLITS:
                if f"{split}_images" not in members:
                    continue
                if f"{split}_labels" not in members:
                    raise DataError(f"it has {split}_images and no {split}_labels", where, _LAYOUT)
                found = [_array(archive, members[f"{split}_{what}"], where) for what in ("images", "labels")]
                images[split] = _as_images(found[0], f"{where}, {split}_images")
                labels[split] = _as_labels(found[1], len(images[split]), f"{where}, {split}_labels")
    except DataError:
        raise
    except zipfile.BadZipFile:
        raise DataError("it is no npz, or a broken one", where, _LAYOUT) from None
    except Exception as error:  # noqa: BLE001 - zipfile raises whatever damaged bytes make it run into
        raise DataError(f"it cannot be read ({_short(error)})", where, "copy or download it again") from None
    return images, labels


def _refuse_bomb(archive: zipfile.ZipFile, where: str) -> None:
    size = sum(info.file_size for info in archive.infolist())
    if size > MAX_NPZ_BYTES:
        raise DataError(f"it unpacks to {size:,} bytes", where, f"at most {MAX_NPZ_BYTES:,} are read")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> NDArray[np.generic]:
    place = f"{where}, {member.filename}"
    with archive.open(member) as file:
        shape, dtype, header = _header(file, place)  # type: ignore[arg-type]  # a ZipExtFile reads as a BinaryIO does
        if dtype.hasobject:
            raise DataError("its array is pickled Python, which is never loaded", place, "save plain uint8 arrays")
        if header + dtype.itemsize * int(np.prod(shape, dtype=object)) != member.file_size:
            raise DataError("its header does not fit its size", place, "copy or download it again")
    try:
        with archive.open(member) as file:
            array: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
    except _BAD_HEADER as error:
        raise DataError(f"it is no NumPy array ({_short(error)})", place, "save it by numpy.savez") from None
    return array


def _header(file: BinaryIO, place: str) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except _BAD_HEADER as error:
        raise DataError(f"it is no NumPy array ({_short(error)})", place, "save it by numpy.savez") from None
    return shape, dtype, file.tell()


def _as_images(array: NDArray[np.generic], place: str) -> Images:
    if array.dtype != np.uint8:
        raise DataError(f"its images are {array.dtype}", place, "they must be uint8, 0 to 255")
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 4 and array.shape[3] == 3:
        array = np.round(array @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[1] < 8:
        raise DataError(f"its images have the shape {array.shape}", place, "it must be (N, H, H), H at least 8")
    return array.astype(np.uint8, copy=False)


def _as_labels(array: NDArray[np.generic], images: int, place: str) -> Labels:
    if array.dtype.kind not in "iub":
        raise DataError(f"its labels are {array.dtype}", place, "they must be whole numbers, 0 normal, 1 pneumonia")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (images,):
        raise DataError(f"its labels have the shape {array.shape}", place, f"{images} images need ({images},)")
    labels = array.astype(np.int64)
    if (wrong := sorted(set(labels.tolist()) - {0, 1})) != []:
        raise DataError(f"a label is {wrong[0]}", place, "0 is normal, 1 is pneumonia")
    return labels


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _few(names: dict[str, zipfile.ZipInfo]) -> str:
    listed = ", ".join(ascii(name)[1:-1] for name in list(names)[:8])
    return f"{listed or 'nothing'}{', ...' if len(names) > 8 else ''}"
