import json
import shutil

import pytest

from federated_pneumonia_detection.data import DataError, inspect_source


def test_a_clean_folder_is_told_in_a_few_lines(classes_folder):
    found = inspect_source(classes_folder(each=4))
    text = "\n".join(found.render())
    assert "train       8 images: 4 normal, 4 pneumonia" in text
    assert "size  32 x 32 pixels" in text
    assert "patients: 24" in text
    assert "no image occurs twice" in text
    assert found.problems == []
    json.dumps(found.as_dict())


def test_everything_odd_is_named(classes_folder, picture):
    folder = classes_folder(each=4)
    train, val, test = (folder / split for split in ("train", "val", "test"))
    some = sorted((train / "NORMAL").iterdir())[0]
    shutil.copy(some, val / "NORMAL" / "copy.png")
    shutil.copy(some, train / "PNEUMONIA" / "other.png")
    (train / "NORMAL" / "person7_virus_1.png").write_bytes(picture(900, size=(50, 40)))
    (test / "NORMAL" / "person7_virus_2.png").write_bytes(picture(901))
    (test / "PNEUMONIA" / "broken.png").write_bytes(picture(902)[:300])
    (folder / "README.txt").write_text("x")
    found = inspect_source(folder)
    text = "\n".join(found.render())
    assert "1 image occurs more than once (2 copies); 1 of them in more than one split, 1 with both labels" in text
    assert "copy.png" in text
    assert found.patients_across_splits == 1
    assert [one["where"] for one in found.broken] == [str(test / "PNEUMONIA" / "broken.png")]
    assert "broken.png: the image is broken" in text
    assert found.passed_over == ["README.txt"]
    assert "size  32-50 x 32-40 pixels" in text
    assert found.problems == ["1 broken files: remove or replace them"]


def test_long_lists_are_cut_and_counted(classes_folder):
    folder = classes_folder(each=4)
    for number in range(30):
        (folder / "train/NORMAL" / f"z{number:02d}.png").write_bytes(b"no image")
    text = "\n".join(inspect_source(folder).render())
    assert "30 files cannot be read:" in text
    assert "... and 20 more" in text


def test_a_missing_class_is_a_problem_and_no_error(classes_folder):
    folder = classes_folder(each=4)
    shutil.rmtree(folder / "test/NORMAL")
    assert inspect_source(folder).problems == ["test has no image of class normal"]


def test_phantoms_say_what_they_are():
    text = "\n".join(inspect_source("phantoms").render())
    assert "phantoms, not X-rays" in text
    assert "1,200 images" in text


def test_a_source_of_which_nothing_can_be_read_is_an_error(classes_folder):
    folder = classes_folder(each=1)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="none of its 6 images can be read"):
        inspect_source(folder)


def test_a_name_that_would_move_the_cursor_is_shown_escaped(classes_folder):
    folder = classes_folder(each=2)
    (folder / "\x1b[2Jx.txt").write_text("x")
    assert all(line.isprintable() for line in inspect_source(folder).render())
