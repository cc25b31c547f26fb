"""Tiny sources that the tests of `data` build on: folders of made-up grey images in Kermany's layout."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Picture = Callable[..., bytes]
Folder = Callable[..., Path]


@pytest.fixture
def picture() -> Picture:
    """The bytes of a grey image that no other seed gives."""

    def make(seed: int = 0, *, size: tuple[int, int] = (32, 32), kind: str = "PNG", mode: str = "L") -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0]), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(out, kind)
        return out.getvalue()

    return make


@pytest.fixture
def classes_folder(tmp_path: Path, picture: Picture) -> Folder:
    """A folder of classes; without `splits` the classes lie at its top."""

    def make(splits: tuple[str, ...] = ("train", "val", "test"), each: int = 4, name: str = "chest_xray") -> Path:
        root = tmp_path / name
        seed = 0
        for split in splits or ("",):
            for label in ("NORMAL", "PNEUMONIA"):
                folder = root / split / label
                folder.mkdir(parents=True)
                for number in range(each):
                    seed += 1
                    stem = f"IM-{seed:04d}-0001" if label == "NORMAL" else f"person{seed}_bacteria_{number}"
                    (folder / f"{stem}.png").write_bytes(picture(seed))
        return root

    return make
