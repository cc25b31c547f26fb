"""Deal images out to clients: evenly, unevenly by class, or by patient. Pure functions of their arguments."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from federated_pneumonia_detection.data.dataset import Labels, Patients
from federated_pneumonia_detection.data.errors import DataError

__all__ = ["Indices", "Scheme", "partition"]

Scheme: TypeAlias = Literal["iid", "dirichlet", "patient"]
Indices: TypeAlias = NDArray[np.int64]

_WHERE = "the training images"


def partition(
    labels: Labels,
    num_clients: int,
    *,
    scheme: Scheme = "iid",
    alpha: float = 0.5,
    seed: int = 0,
    patients: Patients | None = None,
) -> list[Indices]:
    """Return the indices of each client's images, in rising order; every image goes to one client.

    Args:
        labels: 0 or 1 for each image, shape (N,).
        num_clients: how many clients there are.
        scheme: `iid` deals each class evenly; `dirichlet` draws each class's shares from Dirichlet(alpha), after
            Hsu, Qi and Brown, "Measuring the effects of non-identical data distribution" (2019); `patient` gives all
            images of a patient to one client, and the clients about equally many images.
        alpha: for `dirichlet`, the smaller, the more the clients differ.
        seed: the same arguments give the same parts.
        patients: for `patient`, a number for each image.

    Raises:
        DataError: a client would get no image, or `patient` is asked for and nobody knows the patients.
    """
    if num_clients < 1:
        raise DataError(f"{num_clients} clients are asked for", "num_clients", "at least 1 takes part")
    if len(labels) < num_clients:
        raise DataError(
            f"{len(labels)} images cannot be dealt out to {num_clients} clients", _WHERE, "every client needs one"
        )
    rng = np.random.default_rng(seed)
    if scheme == "iid":
        owner = _evenly(labels, num_clients, rng)
    elif scheme == "dirichlet":
        owner = _by_dirichlet(labels, num_clients, alpha, rng)
    elif scheme == "patient":
        owner = _by_patient(patients, num_clients, rng)
    else:
        raise DataError(f"there is no partition {scheme!r}", "partition", "it is iid, dirichlet or patient")
    return [np.flatnonzero(owner == client) for client in range(num_clients)]


def _evenly(labels: Labels, num_clients: int, rng: np.random.Generator) -> Indices:
    owner = np.empty(len(labels), np.int64)
    dealt = 0  # each class goes on where the last one ended, so that sizes differ by one image at most
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        owner[members] = (dealt + np.arange(len(members))) % num_clients
        dealt += len(members)
    return owner


def _by_dirichlet(labels: Labels, num_clients: int, alpha: float, rng: np.random.Generator) -> Indices:
    owner = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        shares = _shares(rng, num_clients, alpha)
        cuts = np.round(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        owner[members] = np.searchsorted(cuts, np.arange(len(members)), side="right")
    return _leave_nobody_empty(owner, num_clients, rng)


def _shares(rng: np.random.Generator, num_clients: int, alpha: float) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = rng.dirichlet(np.full(num_clients, alpha))
    if np.isfinite(shares).all():
        return shares
    # For a tiny alpha every draw underflows to 0/0; its limit is that one client gets everything.
    one: NDArray[np.float64] = np.eye(num_clients)[rng.integers(num_clients)]
    return one


def _leave_nobody_empty(owner: Indices, num_clients: int, rng: np.random.Generator) -> Indices:
    """Move single images from the client that has most to those that got none."""
    sizes = np.bincount(owner, minlength=num_clients)
    for client in np.flatnonzero(sizes == 0):
        donor = int(sizes.argmax())
        owner[rng.choice(np.flatnonzero(owner == donor))] = client
        sizes[donor] -= 1
        sizes[client] += 1
    return owner


def _by_patient(patients: Patients | None, num_clients: int, rng: np.random.Generator) -> Indices:
    if patients is None:
        raise DataError(
            "the patients are not known, so partition patient cannot be used",
            _WHERE,
            "use iid or dirichlet, or a source that names patients",
        )
    names, place, counts = np.unique(patients, return_inverse=True, return_counts=True)
    if len(names) < num_clients:
        raise DataError(
            f"{len(names)} patients cannot be dealt out to {num_clients} clients", _WHERE, "every client needs one"
        )
    sizes = np.zeros(num_clients, np.int64)
    home = np.empty(len(names), np.int64)
    # Largest first, each to the client that has least; equals in a random order.
    for patient in np.lexsort((rng.permutation(len(names)), -counts)):
        client = int(sizes.argmin())
        home[patient] = client
        sizes[client] += counts[patient]
    owner: Indices = home[place]
    return owner
