import pytest

from federated_pneumonia_detection.cli.doctor import findings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FPD_DATA", raising=False)
    monkeypatch.setenv("FPD_CACHE", str(tmp_path / "cache"))


def _found(log_dir, port):
    return {finding.what: finding for finding in findings(log_dir, f"http://127.0.0.1:{port}")}


def test_a_sound_installation_has_nothing_bad(tmp_path, free_port):
    found = _found(tmp_path / "logs", free_port)
    assert not [what for what, finding in found.items() if finding.state == "bad"]
    assert any("no server" in what for what in found)
    assert not (tmp_path / "logs").exists()


def test_each_bad_thing_has_a_cure(tmp_path, free_port, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FPD_DATA", str(tmp_path / "absent.npz"))
    bad = [finding for finding in _found(tmp_path / "file" / "logs", free_port).values() if finding.state == "bad"]
    assert len(bad) == 2
    assert all(finding.cure for finding in bad)


def test_missing_packages_are_named_with_the_extra_that_brings_them(tmp_path, free_port, monkeypatch):
    monkeypatch.setattr(
        "federated_pneumonia_detection.cli.doctor.PARTS", {"federated": ("flwr_that_is_not_there", "ray_neither")}
    )
    (finding,) = [one for one in _found(tmp_path, free_port).values() if "not installed" in one.what]
    assert "flwr_that_is_not_there, ray_neither" in finding.what
    assert finding.cure == "install federated-pneumonia-detection[federated]"
