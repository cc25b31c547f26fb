"""The pixels of a DICOM file, bright where the X-ray was held up, and nothing else of it: no name, no date."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import MAX_PIXELS, quiet

__all__ = ["read_dicom"]


def read_dicom(content: bytes, *, where: str) -> tuple[NDArray[np.generic], bool]:
    """Return the one frame of a grey DICOM image, shape (H, W): rescaled, windowed, MONOCHROME1 turned round.

    The second value is whether the file says that text, perhaps a name, is drawn into its pixels.

    Raises:
        DataError: it is no DICOM, has no pixels, more than one frame, too many pixels, colours of an unknown kind,
            or is compressed by a syntax that cannot be unpacked here.
    """
    with quiet():  # pydicom warns of each value that bends the standard
        try:
            return _read(content, where)
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001 - elements are read when they are asked for, and may hold anything
            raise DataError(f"it is no DICOM that can be read ({_short(error)})", where, "export it again") from None


def _read(content: bytes, where: str) -> tuple[NDArray[np.generic], bool]:
    record = pydicom.dcmread(io.BytesIO(content))
    if "PixelData" not in record:
        raise DataError("it is a DICOM without pixels", where, "name an image, not a report or a structure")
    rows, columns = int(record.get("Rows") or 0), int(record.get("Columns") or 0)
    frames = int(record.get("NumberOfFrames") or 1)
    if frames != 1:
        raise DataError(f"it is a DICOM of {frames} frames", where, "export the one frame to look at")
    if rows * columns > MAX_PIXELS:
        raise DataError(f"it has {columns} x {rows} pixels", where, f"at most {MAX_PIXELS:,} pixels are read")
    burnt_in = str(record.get("BurnedInAnnotation", "")).strip().upper() == "YES"
    return _frame(record, where), burnt_in


def _frame(record: pydicom.Dataset, where: str) -> NDArray[np.generic]:
    kind = str(record.get("PhotometricInterpretation", ""))
    try:
        pixels: NDArray[np.generic] = record.pixel_array
        if kind in {"MONOCHROME1", "MONOCHROME2"}:
            pixels = np.asarray(apply_voi_lut(apply_modality_lut(pixels, record), record))
    except (AttributeError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError) as error:
        # pydicom raises each of these, by what is missing: a decoder, an element, bytes.
        name = getattr(record.file_meta.get("TransferSyntaxUID"), "name", "unknown")
        raise DataError(
            f"its pixels cannot be unpacked (syntax {name}: {_short(error)})", where, "export it uncompressed"
        ) from None
    if kind == "MONOCHROME1":
        pixels = pixels.max() - pixels.astype(np.float64)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        pixels = pixels @ np.array([0.299, 0.587, 0.114])
    if pixels.ndim != 2:
        raise DataError(f"its pixels have the shape {pixels.shape}", where, "a grey image has rows and columns")
    return pixels


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
