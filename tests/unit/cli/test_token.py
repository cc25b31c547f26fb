"""`fpd token`, and how the talking commands come by a token."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from federated_pneumonia_detection.cli.commands import app
from federated_pneumonia_detection.cli.credentials import token_for
from federated_pneumonia_detection.server.access.token_store import open_tokens
from federated_pneumonia_detection.server.access.tokens import digest_of


def _fpd(log_dir: Path, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["token", *words, "--log-dir", str(log_dir)])
    return result.exit_code, result.stdout, result.stderr


def test_a_token_is_printed_alone_and_kept_as_its_digest(tmp_path: Path) -> None:
    code, out, err = _fpd(tmp_path, "create", "alice", "--role", "operator", "--expires", "30d")
    assert code == 0
    secret = out.strip()
    assert out == f"{secret}\n"
    assert secret not in err
    assert "alice (operator), good until" in err
    (kept,) = open_tokens(tmp_path, None).read()
    assert kept.digest == digest_of(secret)
    assert kept.expires is not None
    assert kept.expires - kept.created == 30 * 86_400
    assert secret not in (tmp_path / ".server" / "tokens.json").read_text()


def test_a_site_has_its_clients(tmp_path: Path) -> None:
    assert _fpd(tmp_path, "create", "n", "--role", "site", "--site", "north", "--clients", "a,b")[0] == 0
    (kept,) = open_tokens(tmp_path, None).read()
    assert (kept.site, kept.clients) == ("north", ("a", "b"))
    assert "north: a, b" in _fpd(tmp_path, "list")[1]


def test_tokens_are_listed_and_revoked(tmp_path: Path) -> None:
    assert "No tokens yet" in _fpd(tmp_path, "list")[1]
    secret = _fpd(tmp_path, "create", "alice", "--role", "viewer")[1].strip()
    listed = _fpd(tmp_path, "list")[1]
    assert "alice\tviewer" in listed
    assert "never" in listed
    assert secret not in listed
    assert digest_of(secret) not in listed
    code, out, _ = _fpd(tmp_path, "revoke", "alice")
    assert (code, out) == (0, "Token alice (viewer) is revoked.\n")
    assert open_tokens(tmp_path, None).read() == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "a b", "--role", "viewer"], "1 to 64 letters"),
        (["create", "a", "--role", "king"], "viewer"),
        (["create", "a", "--role", "viewer", "--site", "x"], "--role site"),
        (["create", "a", "--role", "viewer", "--expires", "soon"], "30d"),
        (["create", "a"], "--role"),
        (["revoke", "nobody"], "fpd token list"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_made(tmp_path: Path, words: list[str], says: str) -> None:
    code, out, err = _fpd(tmp_path, *words)
    assert code == 2
    assert says in " ".join(err.replace("│", " ").split())
    assert not out
    assert not (tmp_path / ".server" / "tokens.json").exists()


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("fpd_from-a-file\n")
    monkeypatch.delenv("FPD_TOKEN", raising=False)
    assert token_for("https://hub.example", None) is None
    assert token_for("https://hub.example", file) == "fpd_from-a-file"
    monkeypatch.setenv("FPD_TOKEN", "fpd_from-the-environment")
    assert token_for("https://hub.example", None) == "fpd_from-the-environment"
    assert token_for("https://hub.example", file) == "fpd_from-a-file"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost:8000"])
def test_a_token_goes_unencrypted_only_to_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FPD_TOKEN", "fpd_x")
    assert token_for(url, None) == "fpd_x"
    for other in ("http://hub.example:8000", "http://10.0.0.1", "http://localhost.evil.example"):
        with pytest.raises(typer.BadParameter, match="unencrypted"):
            token_for(other, None)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\nlines", b"\xff\xfe", "fpd_ü".encode()])
def test_a_file_without_a_token_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(typer.BadParameter) as wrong:
        token_for("https://hub.example", file)
    assert str(file) in str(wrong.value)
