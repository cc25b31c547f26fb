"""What `fpd ship` refuses before it sends anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from federated_pneumonia_detection.cli.ship import ship


@pytest.mark.parametrize(
    ("to", "more", "words"),
    [
        ("hub.example", {}, "no address of a server"),
        ("ftp://hub.example", {}, "no address of a server"),
        ("http://[::1", {}, "no address of a server"),
        ("http://hub.example:99999", {}, "no address of a server"),
        ("http://user:pw@hub.example", {}, "no address of a server"),
        ("https://hub.example/?token=x", {}, "no address of a server"),
        ("http://hub.example", {"token_file": "token"}, "may not travel unencrypted"),
        ("https://hub.example", {"token_file": "empty"}, "no token in it"),
        ("https://hub.example", {"token_file": "two"}, "no token"),
        ("https://hub.example", {"ca": "empty"}, "no certificate in it"),
        ("https://hub.example", {"log_dir": "nowhere"}, "no such directory"),
        ("https://hub.example", {"log_dir": "token"}, "no such directory"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, more: dict[str, Any], words: str
) -> None:
    monkeypatch.delenv("FPD_TOKEN", raising=False)
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("one\ntwo\n")
    asked = {"log_dir": ".", **more}
    paths = {name: tmp_path / str(value) for name, value in asked.items()}
    with pytest.raises(typer.BadParameter, match=words) as told:
        ship(to=to, **paths)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
