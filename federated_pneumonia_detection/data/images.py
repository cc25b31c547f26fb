"""One picture, of whatever kind, to one grey square: bytes go in, `uint8` of shape (H, H) comes out.

As in MedMNIST: the middle square of the picture, brought to size by a bicubic filter. What is deeper than 8 bits is
stretched from its least to its greatest value. What a file says it is does not count, only what its bytes are.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from federated_pneumonia_detection.data.dataset import Images
from federated_pneumonia_detection.data.errors import DataError

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "Decoded",
    "decode_image",
    "quiet",
    "read_image",
    "resize_images",
]

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".dcm", ".dicom"}
)
MAX_PIXELS = 100_000_000
MIN_SIDE = 8
MAX_FILE_BYTES = 256 << 20

# What is stretched at a time: a picture of the largest size is never held as floating point.
_STRETCHED_AT_ONCE = 1 << 20

# Decoders that read nothing but pixels; Pillow knows others that start programs or follow references (EPS, PDF).
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


_quiet_lock = threading.Lock()
_quiet_threads = 0
_quieting: warnings.catch_warnings[None] | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Let decoders warn of odd metadata without anybody hearing it; the pixels are what counts.

    Images are decoded on several threads, and `warnings.catch_warnings` is for one: whoever leaves last would put back
    what another has set, and the whole process would hear no warning any more. Here the first sets and the last resets.
    """
    global _quiet_threads, _quieting
    with _quiet_lock:
        _quiet_threads += 1
        if _quieting is None:
            _quieting = warnings.catch_warnings()
            _quieting.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_threads -= 1
            if not _quiet_threads and _quieting is not None:
                _quieting.__exit__(None, None, None)
                _quieting = None


@dataclass(frozen=True)
class Decoded:
    """A picture as a grey square, and what it was before: its size in pixels, and whether text is said to be in it."""

    pixels: Images
    width: int
    height: int
    burnt_in: bool = False


def read_image(path: str | Path, image_size: int) -> Images:
    """Read the picture at `path`.

    Raises:
        DataError: it is not there, is no picture of a kind that is read, or is broken, too small or too large.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise DataError("there is no such file", str(path), "name an image") from None
    except IsADirectoryError:
        raise DataError("it is a folder", str(path), "name an image") from None
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror})", str(path), "name a readable image") from None
    return decode_image(content, image_size, where=str(path)).pixels


def decode_image(content: bytes, image_size: int, *, where: str) -> Decoded:
    """Turn the bytes of a PNG, JPEG, BMP, GIF, TIFF, WebP, PGM or DICOM file into a grey square.

    Raises:
        DataError: as `read_image` does.
    """
    if len(content) > MAX_FILE_BYTES:
        raise DataError("it is larger than 256 MiB", where, "an X-ray has a few MiB")
    if not content:
        raise DataError("the file is empty", where, "remove it or copy it again")
    if content[128:132] == b"DICM":
        # pydicom costs 0.2 s to import, and most sources have no DICOM in them.
        from federated_pneumonia_detection.data.dicom import read_dicom

        frame, burnt_in = read_dicom(content, where=where)
        check_size(frame.shape[1], frame.shape[0], where)
        try:
            grey = Image.fromarray(stretch(frame))
        except ValueError as error:
            raise DataError(f"the image is broken ({error})", where, "export it again") from None
        return Decoded(_square(grey, image_size), frame.shape[1], frame.shape[0], burnt_in)
    return _picture(content, image_size, where)


def check_size(width: int, height: int, where: str) -> None:
    """Refuse what is too small to show anything, or so large that unpacking it would fill the memory."""
    if min(width, height) < MIN_SIDE:
        raise DataError(f"it has {width} x {height} pixels", where, f"an X-ray has at least {MIN_SIDE} x {MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise DataError(f"it has {width} x {height} pixels", where, f"at most {MAX_PIXELS:,} pixels are read")


def stretch(values: NDArray[np.generic]) -> Images:
    """Bring `values` of any number type to 0..255, the least to 0 and the greatest to 255; constant ones to 0.

    Raises:
        ValueError: some are NaN or infinite.
    """
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("it has values that are no numbers")
    out = np.zeros(values.shape, np.uint8)
    if high > low:
        flat, stretched = values.reshape(-1), out.reshape(-1)
        for start in range(0, flat.size, _STRETCHED_AT_ONCE):
            part = flat[start : start + _STRETCHED_AT_ONCE].astype(np.float64)
            stretched[start : start + part.size] = np.round((part - low) * (255 / (high - low)))
    return out


def resize_images(images: Images, image_size: int) -> Images:
    """Bring a stack of square images, shape (N, H, H), to shape (N, image_size, image_size)."""
    if images.shape[1] == image_size:
        return images
    out = np.empty((len(images), image_size, image_size), np.uint8)
    for index, image in enumerate(images):
        out[index] = _square(Image.fromarray(image), image_size)
    return out


def _picture(content: bytes, image_size: int, where: str) -> Decoded:
    try:
        with quiet(), Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            width, height = picture.size
            check_size(width, height, where)
            if (frames := getattr(picture, "n_frames", 1)) > 1:
                raise DataError(f"it holds {frames} pictures", where, "save each as a file of its own")
            picture.draft("L", (image_size * 4, image_size * 4))  # lets a JPEG decoder do the rough shrinking
            picture.load()
            grey = _grey(ImageOps.exif_transpose(picture))
        return Decoded(_square(grey, image_size), width, height)
    except UnidentifiedImageError:
        raise DataError("it is no image", where, "PNG, JPEG, BMP, GIF, TIFF, WebP, PGM and DICOM are read") from None
    except Image.DecompressionBombError as error:
        # Pillow's own bound, which lies above ours, and is looked at before we learn the size.
        pixels = next(
            (f" ({int(word):,} pixels)" for word in str(error).replace("(", " ").split() if word.isdigit()), ""
        )
        raise DataError(f"it is far too large{pixels}", where, f"at most {MAX_PIXELS:,} pixels are read") from None
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder raises whatever damaged bytes make it run into
        raise DataError(f"the image is broken ({_short(error)})", where, "remove it or copy it again") from None


def _grey(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(stretch(np.asarray(picture)))
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        black = Image.new("RGBA", layers.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, layers).convert("L")
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    return picture.convert("L")


def _square(grey: Image.Image, image_size: int) -> Images:
    if grey.size != (image_size, image_size):
        side = min(grey.size)
        left, top = (grey.width - side) / 2, (grey.height - side) / 2
        box = (left, top, left + side, top + side)
        grey = grey.resize((image_size, image_size), Image.Resampling.BICUBIC, box=box)
    return np.array(grey, np.uint8)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
