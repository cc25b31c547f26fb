from pathlib import Path

import pytest

from federated_pneumonia_detection.data import cache_directory
from federated_pneumonia_detection.server.settings import ServerSettings, default_data_roots


def test_images_may_come_from_here_from_our_cache_and_from_what_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FPD_DATA", "/data/xrays.npz")
    assert default_data_roots() == (tmp_path, cache_directory(), Path("/data/xrays.npz"))
    for not_a_path in ("phantoms", ""):
        monkeypatch.setenv("FPD_DATA", not_a_path)
        assert default_data_roots() == (tmp_path, cache_directory())


def test_checkpoints_lie_beside_the_log_directory_unless_it_is_said() -> None:
    assert ServerSettings(log_dir=Path("logs/progress")).checkpoints == Path("logs/checkpoints")
    assert ServerSettings(checkpoint_dir=Path("models")).checkpoints == Path("models")
