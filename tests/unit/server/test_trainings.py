from pathlib import Path

from federated_pneumonia_detection.server.trainings import is_allowed


def test_a_root_and_what_lies_under_it_is_allowed_and_a_link_is_where_it_leads(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (tmp_path / "root-too").mkdir()
    (root / "out").symlink_to(tmp_path / "root-too")
    (tmp_path / "in").symlink_to(root / "inside")
    assert is_allowed(root, [root])
    assert is_allowed(root / "inside" / "x.npz", [root])
    assert is_allowed(tmp_path / "in", [root])
    for other in (tmp_path, tmp_path / "root-too", root / "out", root / ".." / "root-too", root / "out" / "x"):
        assert not is_allowed(other, [root])
    assert is_allowed(root / "inside" / "a.npz", [root / "inside" / "a.npz"])
