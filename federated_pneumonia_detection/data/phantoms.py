"""Phantoms: images in the manner of a chest radiograph, generated from a seed. They are no X-rays.

They exist so that everything can be tried where there is no data and no network: two lung fields, ribs, clavicles,
spine, heart, diaphragm, vessels and noise; pneumonia is one to four cloudy opacities of varying strength. The weak
ones drown in the vessels, so that a small network has something to learn over several epochs and does not reach 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.data.dataset import SPLITS, Dataset, Images, Labels, Patients, Split

__all__ = ["PHANTOM_COUNTS", "PHANTOM_NOTE", "make_phantoms"]

PHANTOM_COUNTS: dict[Split, int] = {"train": 1200, "val": 200, "test": 300}
PHANTOM_NOTE = "phantoms, not X-rays"

_Floats = NDArray[np.float32]
_CHUNK = 200


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
    """Deal `count` images out to patients with one to three images each; about 60 % of patients have pneumonia."""
    each = rng.integers(1, 4, size=count)
    who = np.repeat(np.arange(count), each)[:count].astype(np.int64)
    ill = rng.permutation(np.arange(count) % 5 < 3)
    return who, ill[who].astype(np.int64)


def _radiographs(rng: np.random.Generator, who: Patients, labels: Labels, size: int) -> Images:
    out = np.empty((len(who), size, size), np.uint8)
    bodies = rng.normal(size=(int(who.max(initial=-1)) + 1, 12)).astype(np.float32)
    for start in range(0, len(who), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = _render(rng, bodies[who[part]], labels[part], size)
    return out


def _render(rng: np.random.Generator, body: _Floats, ill: Labels, size: int) -> Images:
    """Draw images of the bodies given by `body`, shape (N, 12), each number a standard normal deviate."""
    n = len(body)
    fine = size * 2 if size <= 112 else size
    x, y = _grid(rng, n, fine)
    b = body[:, :, None, None] + 0.3 * rng.normal(size=(n, 12, 1, 1)).astype(np.float32)
    image = 0.62 * _inside(1 - (x / (0.93 + 0.04 * b[:, 0])) ** 4 - ((y - 0.25) / 1.35) ** 4, 0.10)
    lungs = _lungs(x, y, b)
    image = image - 0.42 * lungs
    image += _ribs(x, y, b) * (0.35 + 0.65 * lungs)
    image += 0.26 * np.exp(-((x / (0.13 + 0.012 * b[:, 6])) ** 2))
    heart = 1 - ((x - 0.17 - 0.04 * b[:, 7]) / (0.34 + 0.04 * b[:, 8])) ** 2 - ((y - 0.33) / 0.33) ** 2
    image += 0.30 * _inside(heart, 0.30)
    vessels = _cloud(rng, n, fine, 4) * np.exp(-((np.abs(x) - 0.3) ** 2) / 0.10 - (y - 0.05) ** 2 / 0.45)
    image += lungs * (0.055 * vessels + 0.035 * _cloud(rng, n, fine, 2.2))
    image += lungs * _opacities(rng, x, y, ill, fine)
    return _expose(rng, image.astype(np.float32), size)


def _grid(rng: np.random.Generator, n: int, fine: int) -> tuple[_Floats, _Floats]:
    """Coordinates from -1 to 1, turned, shifted and zoomed a little for each of `n` images."""
    axis = ((np.arange(fine, dtype=np.float32) + 0.5) / fine * 2 - 1).astype(np.float32)
    angle, zoom, dx, dy = (
        rng.normal(size=(4, n, 1, 1)) * np.array([0.05, 0.05, 0.05, 0.06])[:, None, None, None]
    ).astype(np.float32)
    u, v = axis[None, None, :] + dx, axis[None, :, None] + dy
    scale = np.exp(zoom)
    x: _Floats = (np.cos(angle) * u - np.sin(angle) * v) * scale
    y: _Floats = (np.sin(angle) * u + np.cos(angle) * v) * scale
    return x, y


def _inside(level: _Floats, soft: float) -> _Floats:
    """1 where `level` is above zero, 0 below, with an edge as wide as `soft`."""
    out: _Floats = 0.5 + 0.5 * np.tanh(level / soft)
    return out


def _lungs(x: _Floats, y: _Floats, b: _Floats) -> _Floats:
    """Two fields that narrow towards the top, cut off by the domes of the diaphragm."""
    fields = []
    for side in (-1.0, 1.0):
        width = (0.31 + 0.02 * b[:, 1]) * (1 - 0.22 * np.clip(-y, 0, 1))
        across = (x - side * (0.47 + 0.015 * b[:, 2])) / width
        dome = 0.62 + 0.05 * b[:, 3] - 0.04 * side + 0.25 * across**2
        tall = (y + 0.08 + 0.03 * b[:, 4]) / (0.78 + 0.03 * b[:, 5])
        fields.append(_inside(1 - np.abs(across) ** 2.5 - np.abs(tall) ** 4, 0.25) * _inside(dome - y, 0.08))
    out: _Floats = fields[0] + fields[1]
    return out


def _ribs(x: _Floats, y: _Floats, b: _Floats) -> _Floats:
    """Bright arcs that fall away from the spine, and the two clavicles."""
    spacing = 0.225 + 0.012 * b[:, 9]
    phase = (y - 0.42 * x**2 + 0.25 * np.abs(x) + 0.05 * b[:, 10]) / spacing
    ribs = 0.075 * np.clip(np.cos(2 * np.pi * phase), 0, None) ** 1.5
    clavicle = np.exp(-(((y + 0.74 - 0.18 * np.abs(x) + 0.03 * b[:, 11]) / 0.045) ** 2)) * (np.abs(x) > 0.1)
    out: _Floats = ribs + 0.12 * clavicle
    return out


def _cloud(rng: np.random.Generator, n: int, fine: int, scale: float) -> _Floats:
    """Smooth noise of unit variance; `scale` is about the size of its grains in hundredths of the width."""
    frequency = np.hypot(np.fft.fftfreq(fine)[:, None], np.fft.rfftfreq(fine)[None, :]) * fine
    falloff = np.exp(-((frequency * scale / 28) ** 2)).astype(np.float32)
    white = rng.normal(size=(n, fine, fine)).astype(np.float32)
    smooth = np.fft.irfft2(np.fft.rfft2(white) * falloff, s=(fine, fine))
    out: _Floats = (smooth / (smooth.std(axis=(1, 2), keepdims=True) + 1e-6)).astype(np.float32)
    return out


def _opacities(rng: np.random.Generator, x: _Floats, y: _Floats, ill: Labels, fine: int) -> _Floats:
    """Cloudy patches: of varying strength where `ill`, and faint harmless ones everywhere."""
    n = len(ill)
    total = np.zeros_like(x)
    strength = (rng.beta(1.3, 2.0, size=n) * 0.36 + 0.05).astype(np.float32) * ill
    for number in range(4):
        there = (rng.random(n) < (1.0, 0.5, 0.3, 0.2)[number]) * strength
        total += _patch(rng, x, y, low=0.12, high=0.30) * there[:, None, None]
    harmless = _patch(rng, x, y, low=0.08, high=0.25) * rng.uniform(0, 0.10, size=(n, 1, 1)).astype(np.float32)
    texture = 1 + 0.35 * _cloud(rng, n, fine, 3.0)
    out: _Floats = total * texture + harmless
    return out


def _patch(rng: np.random.Generator, x: _Floats, y: _Floats, *, low: float, high: float) -> _Floats:
    n = len(x)
    side = rng.choice(np.array([-1.0, 1.0], np.float32), size=(n, 1, 1))
    cx = side * rng.uniform(0.28, 0.66, size=(n, 1, 1)).astype(np.float32)
    cy = rng.uniform(-0.55, 0.5, size=(n, 1, 1)).astype(np.float32)
    rx, ry = rng.uniform(low, high, size=(2, n, 1, 1)).astype(np.float32)
    out: _Floats = np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)
    return out


def _expose(rng: np.random.Generator, image: _Floats, size: int) -> Images:
    """What the machine does to the image: pixels, gamma, contrast, brightness, noise, 8 bits."""
    n, fine = len(image), image.shape[1]
    if fine != size:
        image = image.reshape(n, size, fine // size, size, fine // size).mean(axis=(2, 4), dtype=np.float32)
    gamma, contrast, bright = (
        rng.normal(size=(3, n, 1, 1)) * np.array([0.12, 0.12, 0.04])[:, None, None, None]
    ).astype(np.float32)
    image = np.clip(image, 0, None) ** np.exp(gamma) * np.exp(contrast) + 0.05 + bright
    sigma = rng.uniform(0.012, 0.05, size=(n, 1, 1)).astype(np.float32)
    image = image + sigma * rng.normal(size=image.shape).astype(np.float32)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
