import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.data import DataError, partition

SCHEMES = ("iid", "dirichlet", "patient")


@settings(deadline=None)  # a busy machine is no failure
@given(
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=60),
    clients=st.integers(1, 12),
    scheme=st.sampled_from(SCHEMES),
    alpha=st.sampled_from([1e-300, 1e-3, 0.1, 0.5, 1.0, 100.0]),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_every_image_goes_to_one_client_and_every_client_has_one_or_it_is_said_to_be_impossible(
    labels, clients, scheme, alpha, seed, data
):
    labels = np.array(labels, np.int64)
    who = np.array(data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels))), np.int64)
    units = len(np.unique(who)) if scheme == "patient" else len(labels)
    if units < clients:
        with pytest.raises(DataError, match="cannot be dealt out"):
            partition(labels, clients, scheme=scheme, alpha=alpha, seed=seed, patients=who)
        return
    parts = partition(labels, clients, scheme=scheme, alpha=alpha, seed=seed, patients=who)
    assert len(parts) == clients
    assert all(len(part) for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    if scheme == "patient":
        homes = [set(who[part].tolist()) for part in parts]
        assert sum(len(home) for home in homes) == len(set().union(*homes))
    if scheme == "iid":
        sizes = [len(part) for part in parts]
        ill = [int(labels[part].sum()) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert max(ill) - min(ill) <= 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_seed_decides_all(scheme):
    labels = np.arange(200) % 2
    who = np.arange(200) // 2

    def deal(seed):
        return [part.tolist() for part in partition(labels, 3, scheme=scheme, seed=seed, patients=who)]

    assert deal(1) == deal(1)
    assert deal(1) != deal(2)


def test_a_small_alpha_makes_clients_differ_more_than_a_large_one():
    labels = np.arange(3000) % 2

    def spread(alpha):
        shares = []
        for seed in range(10):
            parts = partition(labels, 5, scheme="dirichlet", alpha=alpha, seed=seed)
            shares.append(np.std([labels[part].mean() for part in parts]))
        return float(np.mean(shares))

    assert spread(0.1) > 2 * spread(10.0)


def test_by_patient_clients_get_about_equally_many_images():
    who = np.repeat(np.arange(100), np.arange(100) % 5 + 1)
    parts = partition(np.zeros(len(who), np.int64), 4, scheme="patient", patients=who)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 5


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"num_clients": 0}, "0 clients"),
        ({"num_clients": -3}, "-3 clients"),
        ({"num_clients": 11}, "10 images cannot be dealt out to 11 clients"),
        ({"num_clients": 3, "scheme": "patient"}, "the patients are not known"),
        ({"num_clients": 3, "scheme": "random"}, "no partition 'random'"),
    ],
)
def test_what_cannot_be_dealt_out_is_told(arguments, what):
    with pytest.raises(DataError) as caught:
        partition(np.arange(10) % 2, arguments.pop("num_clients"), **arguments)
    assert what in caught.value.what
