"""Phantoms: images in the manner of a chest radiograph, generated from a seed. They are no X-rays.

They exist so that everything can be tried where there is no data and no network: lung fields, ribs, clavicles, spine,
heart, diaphragm, vessels and noise; pneumonia is one to four cloudy opacities of varying strength. The weak ones drown
in the vessels, so that a small network has something to learn over several epochs and never reaches 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.data.dataset import SPLITS, Dataset, Images, Labels, Patients, Split

__all__ = ["PHANTOM_COUNTS", "PHANTOM_NOTE", "make_phantoms"]

PHANTOM_COUNTS: dict[Split, int] = {"train": 1200, "val": 200, "test": 300}
PHANTOM_NOTE = "phantoms, not X-rays"

# Everything is drawn in float32; the stubs of NumPy do not follow that through np.abs.
_Floats = NDArray[np.floating[Any]]
_CHUNK = 200  # images drawn at once: some 20 MB at 28 pixels
_TRAITS = 12


def make_phantoms(*, image_size: int = 28, seed: int = 0, counts: dict[Split, int] | None = None) -> Dataset:
    """Generate a data set of phantoms; the same arguments give the same bytes.

    Args:
        image_size: side of the images in pixels.
        seed: everything random follows from it.
        counts: images in each split; each patient has one to three, and lies in one split only.
    """
    counts = PHANTOM_COUNTS if counts is None else counts
    images: dict[Split, Images] = {}
    labels: dict[Split, Labels] = {}
    patients: dict[Split, Patients | None] = {}
    first_patient = 0
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, number])
        who, label = _patients(rng, counts[split])
        images[split] = _radiographs(rng, who, label, image_size)
        labels[split] = label
        patients[split] = who + first_patient
        first_patient += int(who.max(initial=-1)) + 1
    return Dataset("phantoms", images, labels, patients, phantom=True, notes=[PHANTOM_NOTE])


def _patients(rng: np.random.Generator, count: int) -> tuple[Patients, Labels]:
    """Deal `count` images out to patients with one to three images each; three of five patients have pneumonia."""
    each = rng.integers(1, 4, size=count)
    who = np.repeat(np.arange(count), each)[:count].astype(np.int64)
    people = int(who.max(initial=-1)) + 1
    ill = rng.permutation(np.arange(people) % 5 < 3)
    return who, ill[who].astype(np.int64)


def _radiographs(rng: np.random.Generator, who: Patients, labels: Labels, size: int) -> Images:
    out = np.empty((len(who), size, size), np.uint8)
    bodies = _normal(rng, int(who.max(initial=-1)) + 1, _TRAITS)
    for start in range(0, len(who), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = _render(rng, bodies[who[part]], labels[part], size)
    return out


def _render(rng: np.random.Generator, body: _Floats, ill: Labels, size: int) -> Images:
    """Draw images of the bodies given by `body`, shape (N, 12), each number a standard normal deviate."""
    n = len(body)
    # Small images are drawn at twice their size, so that ribs do not turn into stairs.
    fine = size * 2 if size <= 112 else size
    x, y = _grid(rng, n, fine)
    b = body[:, :, None, None] + np.float32(0.25) * _normal(rng, n, _TRAITS, 1, 1)
    lungs, belly = _lungs(x, y, b)
    image = _torso(x, y, b) * 0.60
    image += 0.14 * belly
    image -= 0.36 * lungs
    image += _ribs(x, y, b) * (0.4 + 0.6 * lungs)
    image += 0.10 * _bump(x / (0.15 + 0.012 * b[:, 6])) + 0.03 * _bump(x / 0.04) * np.cos(24 * y)
    heart = 1 - ((x - 0.12 - 0.03 * b[:, 7]) / (0.36 + 0.035 * b[:, 8])) ** 2 - ((y - 0.32) / 0.42) ** 2
    image += 0.20 * _inside(heart, 0.45) * (1 - 0.6 * belly)
    vessels = _cloud(rng, n, fine, 5) * _bump((np.abs(x) - 0.28) / 0.28) * _bump((y - 0.05) / 0.55)
    image += lungs * (0.075 * vessels + 0.035 * _cloud(rng, n, fine, 2.5))
    image += lungs * _opacities(rng, x, y, ill, fine)
    return _expose(rng, image, size)


def _normal(rng: np.random.Generator, *shape: int) -> _Floats:
    return rng.standard_normal(shape, dtype=np.float32)


def _uniform(rng: np.random.Generator, low: float, high: float, n: int) -> _Floats:
    """One number for each image, shaped to stand beside pixels."""
    return rng.uniform(low, high, size=(n, 1, 1)).astype(np.float32)


def _bump(distance: _Floats) -> _Floats:
    """1 at distance 0, falling off like a bell."""
    out: _Floats = np.exp(-(distance**2))
    return out


def _inside(level: _Floats, soft: float) -> _Floats:
    """1 where `level` is above zero, 0 below, with an edge as wide as `soft`."""
    out: _Floats = np.float32(0.5) + np.float32(0.5) * np.tanh(level / np.float32(soft))
    return out


def _grid(rng: np.random.Generator, n: int, fine: int) -> tuple[_Floats, _Floats]:
    """Coordinates from -1 to 1, turned, shifted and zoomed a little for each of `n` images."""
    axis = ((np.arange(fine, dtype=np.float32) + 0.5) / fine * 2 - 1).astype(np.float32)
    angle, zoom, right, down = (_normal(rng, n, 1, 1) * np.float32(s) for s in (0.05, 0.06, 0.05, 0.06))
    u, v = axis[None, None, :] + right, axis[None, :, None] + down
    scale = np.exp(zoom)
    x: _Floats = (np.cos(angle) * u - np.sin(angle) * v) * scale
    y: _Floats = (np.sin(angle) * u + np.cos(angle) * v) * scale
    return x, y


def _torso(x: _Floats, y: _Floats, b: _Floats) -> _Floats:
    """Chest and belly, shoulders that fall off towards the upper corners, and the neck."""
    half = 0.98 + 0.05 * b[:, 0] - 0.10 * np.clip(y, 0, 1)
    trunk = _inside(half - np.abs(x), 0.06)
    shoulders = _inside(y + 0.98 - 0.38 * np.abs(x) + 0.03 * b[:, 1], 0.07)
    neck = 0.8 * _bump(x / 0.26)
    out: _Floats = trunk * np.maximum(shoulders, neck)
    return out


def _lungs(x: _Floats, y: _Floats, b: _Floats) -> tuple[_Floats, _Floats]:
    """Two fields, narrow at the top and wide at the bottom, and the belly below the domes of the diaphragm."""
    lungs, belly = np.zeros_like(x), np.zeros_like(x)
    for side in (-1.0, 1.0):
        depth = np.clip((y + 0.78 + 0.03 * b[:, 4]) / 1.3, 0, 1)  # 0 at the apex, 1 at the base
        inner = 0.13 + 0.02 * b[:, 2] + 0.05 * depth
        outer = 0.42 + 0.42 * depth**0.7 + 0.025 * b[:, 3]
        across = side * x
        dome = 0.54 + 0.05 * b[:, 5] + 0.04 * side + 0.7 * (across - 0.42) ** 2
        there = _inside(np.minimum(across - inner, outer - across), 0.06) * _inside(dome - y, 0.05)
        lungs += there * _inside(y + 0.76 + 0.03 * b[:, 4] - 0.9 * (across - 0.34) ** 2, 0.07)
        belly += _inside(y - dome, 0.06) * (across > 0)
    return lungs, belly


def _ribs(x: _Floats, y: _Floats, b: _Floats) -> _Floats:
    """Bright arcs that fall away from the spine, and the two clavicles."""
    spacing = 0.20 + 0.01 * b[:, 9]
    phase = (y - 0.55 * x**2 + 0.12 * np.abs(x) + 0.05 * b[:, 10]) / spacing
    ribs = 0.075 * np.clip(np.cos(2 * np.pi * phase), 0, None) ** 1.5
    clavicle = _bump((y + 0.66 + 0.16 * np.abs(x) + 0.03 * b[:, 11]) / 0.05) * _inside(np.abs(x) - 0.12, 0.05)
    out: _Floats = ribs + 0.10 * clavicle
    return out


def _cloud(rng: np.random.Generator, n: int, fine: int, grain: float) -> _Floats:
    """Smooth noise of unit variance; `grain` is about the size of its lumps in hundredths of the width."""
    frequency = np.hypot(np.fft.fftfreq(fine)[:, None], np.fft.rfftfreq(fine)[None, :]) * fine
    falloff = np.exp(-((frequency * grain / 28) ** 2)).astype(np.float32)
    smooth = np.fft.irfft2(np.fft.rfft2(_normal(rng, n, fine, fine)) * falloff, s=(fine, fine))
    out: _Floats = (smooth / (smooth.std(axis=(1, 2), keepdims=True) + 1e-6)).astype(np.float32)
    return out


def _opacities(rng: np.random.Generator, x: _Floats, y: _Floats, ill: Labels, fine: int) -> _Floats:
    """Cloudy patches, one to four of varying strength where `ill`, and a faint harmless one in every image."""
    n = len(ill)
    strength = ((rng.beta(1.6, 2.2, size=n) * 0.32 + 0.05) * ill).astype(np.float32)
    total = np.zeros_like(x)
    for chance in (1.0, 0.5, 0.3, 0.2):
        there = ((rng.random(n) < chance) * strength).astype(np.float32)
        total += _patch(rng, x, y, low=0.18, high=0.38) * there[:, None, None]
    total *= 1 + 0.30 * _cloud(rng, n, fine, 5.0)
    return total + _patch(rng, x, y, low=0.08, high=0.25) * _uniform(rng, 0, 0.10, n)


def _patch(rng: np.random.Generator, x: _Floats, y: _Floats, *, low: float, high: float) -> _Floats:
    """One round cloud somewhere in a lung of each image."""
    n = len(x)
    side = np.where(rng.random((n, 1, 1)) < 0.5, np.float32(-1), np.float32(1))
    down = _uniform(rng, -0.5, 0.45, n)
    middle = 0.32 + 0.20 * (down + 0.5)
    right = side * (middle + _uniform(rng, -0.14, 0.14, n))
    return _bump((x - right) / _uniform(rng, low, high, n)) * _bump((y - down) / _uniform(rng, low, high, n))


def _expose(rng: np.random.Generator, image: _Floats, size: int) -> Images:
    """What the machine does to the image: pixels, gamma, contrast, brightness, noise, 8 bits."""
    n, fine = len(image), image.shape[1]
    if fine != size:
        image = image.reshape(n, size, fine // size, size, fine // size).mean(axis=(2, 4), dtype=np.float32)
    gamma, contrast, bright = (_normal(rng, n, 1, 1) * np.float32(s) for s in (0.14, 0.12, 0.04))
    image = np.clip(image, 0, None) ** np.exp(gamma) * np.exp(contrast) + bright + 0.02
    image = image + _uniform(rng, 0.006, 0.03, n) * _normal(rng, *image.shape)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
