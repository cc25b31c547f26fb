import os
import stat
import zipfile

import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.trees import FolderTree, ZipTree


def test_a_folder_and_a_zip_of_it_have_the_same_names_and_bytes(tmp_path):
    root = tmp_path / "root"
    files = {"b/x.png": b"1", "a.png": b"2", ".DS_Store": b"-", "__MACOSX/b/._x.png": b"-", "b/.hidden": b"-"}
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
            archive.writestr(name, content)
    folder = FolderTree(root)
    with ZipTree(tmp_path / "z.zip") as zipped:
        assert folder.names() == zipped.names() == ["a.png", "b/x.png"]
        assert [folder.read(name) for name in folder.names()] == [zipped.read(name) for name in zipped.names()]
        assert zipped.place("a.png") == f"{tmp_path / 'z.zip'}!a.png"


def _zip(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


def _link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _encrypted(path):
    content = bytearray(_zip(path, ("a.png", b"x")).read_bytes())
    # Bit 0 of the flags, in the entry's own header and in the directory at the end.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "where", "what", "right"),
    [
        pytest.param(lambda p: _zip(p, ("../up.png", b"x")), "../up.png", "leads out", "relative names", id="slip"),
        pytest.param(
            lambda p: _zip(p, ("a/../../up.png", b"x")), "a/../../up", "leads out", "relative", id="deep slip"
        ),
        pytest.param(lambda p: _zip(p, ("/etc/x.png", b"x")), "/etc/x.png", "leads out", "relative", id="absolute"),
        pytest.param(lambda p: _zip(p, ("C:/x.png", b"x")), "C:/x.png", "leads out", "relative", id="drive"),
        pytest.param(lambda p: _zip(p, ("a\\..\\x.png", b"x")), "x.png", "leads out", "relative", id="backslashes"),
        pytest.param(lambda p: _zip(p, (_link("a.png"), b"/etc/passwd")), "a.png", "is a link", "itself", id="link"),
        pytest.param(_encrypted, "a.png", "encrypted", "unpack it", id="encrypted"),
        pytest.param(lambda p: _zip(p, ("a.png", b"\0" * 5_000_000)), "a.png", "5,000,000", "bomb", id="bomb"),
    ],
)
def test_a_zip_that_means_harm_is_refused_before_anything_is_read(tmp_path, make, where, what, right):
    path = make(tmp_path / "z.zip")
    with pytest.raises(DataError) as caught:
        ZipTree(path)
    error = caught.value
    assert where in error.where
    assert what in error.what
    assert right in error.right
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_zip_is_told(tmp_path, content):
    path = tmp_path / "z.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="it is no zip, or a broken one"):
        ZipTree(path)


def test_more_entries_than_anybody_has_images_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("federated_pneumonia_detection.data.trees.MAX_ENTRIES", 5)
    path = _zip(tmp_path / "z.zip", *((f"{number}.png", b"x") for number in range(6)))
    with pytest.raises(DataError, match="it has 6 entries; at most 5 are read"):
        ZipTree(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.png").write_bytes(b"x")
    with pytest.raises(DataError, match="more than 5 files"):
        FolderTree(folder).names()


def test_a_zip_that_unpacks_to_more_than_a_disk_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("federated_pneumonia_detection.data.trees.MAX_ZIP_BYTES", 10)
    with pytest.raises(DataError, match="it unpacks to 11 bytes"):
        ZipTree(_zip(tmp_path / "z.zip", ("a.png", b"x" * 11)))


def test_a_damaged_entry_is_told_by_its_name(tmp_path):
    path = _zip(tmp_path / "z.zip", ("a.png", os.urandom(500)), ("b.png", b"fine"))
    content = bytearray(path.read_bytes())
    content[60:90] = b"\0" * 30
    path.write_bytes(content)
    with ZipTree(path) as tree:
        assert tree.read("b.png") == b"fine"
        with pytest.raises(DataError, match="cannot be unpacked") as caught:
            tree.read("a.png")
    assert caught.value.where.endswith("z.zip!a.png")


def test_links_to_folders_are_not_followed_and_pipes_not_waited_for(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.png").write_bytes(b"x")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.png")
    tree = FolderTree(root)
    assert [name for name in tree.names() if name.startswith("loop/")] == []
    with pytest.raises(DataError, match="no regular file"):
        tree.read("pipe.png")
    with pytest.raises(DataError, match="no such file"):
        tree.read("absent.png")


def test_a_file_larger_than_any_xray_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("federated_pneumonia_detection.data.trees.MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"x" * 11)
    with pytest.raises(DataError, match="larger than 256 MiB"):
        FolderTree(tmp_path).read("a.png")
    with ZipTree(_zip(tmp_path / "z.zip", ("a.png", b"x" * 11))) as tree, pytest.raises(DataError, match="256 MiB"):
        tree.read("a.png")
