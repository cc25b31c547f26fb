import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.listings import (
    Entry,
    label_of,
    list_folder,
    patient_numbers,
    patient_of,
    split_of,
)


class Names:
    """A tree of which only the names count."""

    where = "tree"

    def __init__(self, *names):
        self._names = list(names)

    def names(self):
        return self._names

    def read(self, name):
        raise AssertionError(f"{name} was read while listing")

    def place(self, name):
        return f"tree/{name}"


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("train/PNEUMONIA/person123_bacteria_456.jpeg", "person123"),
        ("person1_virus_6.jpeg", "person1"),
        ("IM-0115-0001.jpeg", "im-0115"),
        ("NORMAL2-IM-0394-0001.jpeg", "normal2-im-0394"),
        ("IM-0033-0001-0002.jpeg", "im-0033"),
        ("scan.png", None),
        ("person_1.png", None),
    ],
)
def test_kermanys_names_tell_the_patient(name, patient):
    assert patient_of(name) == patient


def test_folders_of_splits_and_classes_are_understood_however_deep_and_in_any_case():
    listing = list_folder(
        Names(
            "chest_xray/Train/normal/a.PNG",
            "chest_xray/validation/PNEUMONIA/deep/b.jpeg",
            "chest_xray/test/1/c.dcm",
            "chest_xray/README.txt",
            "chest_xray/train/NORMAL/notes.txt",
        )
    )
    assert [(e.label, e.split) for e in listing.entries] == [(0, "train"), (1, "val"), (1, "test")]
    assert listing.passed_over == ["chest_xray/README.txt", "chest_xray/train/NORMAL/notes.txt"]


def test_the_copy_within_itself_that_kaggle_packs_is_passed_over():
    inner = ("train/NORMAL/a.png", "test/PNEUMONIA/b.png")
    listing = list_folder(Names(*(f"{base}/{name}" for base in ("xray", "xray/xray") for name in inner)))
    assert [entry.name for entry in listing.entries] == [f"xray/{name}" for name in inner]
    assert len(listing.passed_over) == 2


def test_a_folder_without_splits_is_listed_without_splits():
    assert {e.split for e in list_folder(Names("NORMAL/a.png", "PNEUMONIA/b.png")).entries} == {None}


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ([], "it is empty"),
        (["a.png", "b.png"], "none of its 2 files is an image of a class"),
        (["cats/a.png"], "none of its 1 files"),
        (["train/NORMAL/a.png", "PNEUMONIA/b.png"], "1 images lie in no folder of a split"),
    ],
)
def test_folders_that_say_no_class_or_only_half_the_splits_are_refused(names, what):
    with pytest.raises(DataError) as caught:
        list_folder(Names(*names))
    assert what in caught.value.what
    assert "NORMAL and PNEUMONIA" in caught.value.right


def test_words_for_labels_and_splits():
    assert [label_of(word) for word in ("NORMAL", " normal ", "0", "Pneumonia", "1", "positive")] == [0, 0, 0, 1, 1, 1]
    assert [label_of(word) for word in ("2", "", "=1", "covid")] == [None] * 4
    assert [split_of(word) for word in ("TRAIN", "valid", "Validation", "testing", "fold1")] == [
        "train",
        "val",
        "val",
        "test",
        None,
    ]


def test_an_image_whose_patient_is_unknown_among_others_is_a_patient_of_its_own():
    patients = ["p1", None, "p1", None]
    numbers = patient_numbers([Entry(f"{i}.png", 0, None, who) for i, who in enumerate(patients)])
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3
    assert patient_numbers([Entry("a", 0, None, None)]) is None
