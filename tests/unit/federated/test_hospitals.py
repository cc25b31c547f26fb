from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.data import DataError, Dataset
from federated_pneumonia_detection.federated import hospitals
from federated_pneumonia_detection.federated.hospitals import deal_out, local_images, open_hospitals, release


def dataset(train: int = 60, val: int = 18, *, patients: bool = False) -> Dataset:
    counts = {"train": train, "val": val, "test": 6}
    images = {
        split: np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8) + offset
        for offset, (split, count) in enumerate(counts.items())
    }
    labels: Any = {split: (np.arange(count) % 3 > 0).astype(np.int64) for split, count in counts.items()}
    who: Any = {split: np.arange(count) // 2 if patients else None for split, count in counts.items()}
    return Dataset("small", images, labels, who)  # type: ignore[arg-type]


@given(
    num_clients=st.integers(1, 6),
    scheme=st.sampled_from(["iid", "dirichlet"]),
    alpha=st.floats(0.3, 100),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_every_image_goes_to_exactly_one_hospital(num_clients: int, scheme: str, alpha: float, seed: int) -> None:
    data = dataset()
    try:
        shares = deal_out(data, num_clients, scheme=scheme, alpha=alpha, seed=seed)
    except DataError:
        assert scheme == "dirichlet"
        return

    assert sorted(np.concatenate([share.train for share in shares])) == list(range(60))
    assert sorted(np.concatenate([share.val for share in shares])) == list(range(18))
    assert all(len(share.train) for share in shares)


def test_no_patient_is_at_two_hospitals() -> None:
    data = dataset(patients=True)

    shares = deal_out(data, 3, scheme="patient", alpha=1.0, seed=0)

    patients = data.patients["train"]
    assert patients is not None
    held = [set(patients[share.train]) for share in shares]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


def test_a_hospital_with_nothing_to_train_on_is_refused_with_advice() -> None:
    with pytest.raises(DataError, match=r"client_\d+ would get no training image; take fewer clients"):
        deal_out(dataset(4, 60), 12, scheme="iid", alpha=1.0, seed=0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    data = dataset()
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = data.images[split]
        arrays[f"{split}_labels"] = data.labels[split].astype(np.uint8)[:, None]
    path = tmp_path / "small.npz"
    np.savez(path, **arrays)
    return path


CONFIG = FederatedConfig(num_clients=3, image_size=8, drop_duplicates=False)


def test_the_hospitals_of_a_process_read_what_it_has_loaded_already(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_hospitals(source, CONFIG)
    monkeypatch.setattr(hospitals, "load_source", None)

    parts = [
        local_images(opened.source, image_size=8, seed=0, drop_duplicates=False, number=number, of=3, scheme="iid")
        for number in range(3)
    ]
    release()

    counts = opened.description["clients"]
    assert [len(part.train_labels) for part in parts] == [counts[f"client_{n}"]["train"]["n"] for n in range(3)]
    assert sum(len(part.val_images) for part in parts) == 18


def test_another_process_loads_the_same_part(source: Path) -> None:
    opened = open_hospitals(source, CONFIG)
    arguments: dict[str, Any] = {"image_size": 8, "seed": 0, "drop_duplicates": False, "of": 3, "scheme": "iid"}
    here = local_images(opened.source, number=1, **arguments)
    release()

    there = local_images(opened.source, number=1, **arguments)
    release()

    np.testing.assert_array_equal(here.train_images, there.train_images)


def test_a_hospital_with_a_source_of_its_own_holds_all_of_it(source: Path) -> None:
    held = local_images(str(source), image_size=8, seed=0, drop_duplicates=False)
    release()

    assert len(held.train_labels) == 60 and len(held.val_labels) == 18


def test_the_word_phantoms_is_what_other_processes_load_phantoms_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hospitals, "load_source", lambda source, **options: _phantoms())

    assert open_hospitals("phantoms", CONFIG).source == "phantoms"
    release()


def _phantoms() -> Dataset:
    data = dataset()
    return Dataset("phantoms", data.images, data.labels, data.patients, phantom=True)
