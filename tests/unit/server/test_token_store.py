"""One contract for where tokens are kept: a file, a table in SQLite, a table in PostgreSQL."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from federated_pneumonia_detection.server.access.token_store import TokenFile, TokenStore, TokenTable, open_tokens
from federated_pneumonia_detection.server.access.tokens import Token, TokenWrong, issue
from federated_pneumonia_detection.server.errors import TokensUnusable


def _token(name: str, now: float = 1.0) -> Token:
    return issue(name, "viewer", now=now)[0]


@pytest.fixture(params=["file", "sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], TokenStore]]:
    """Opens the same place, as another process would."""
    if request.param == "file":
        yield lambda: TokenFile(tmp_path / "deep" / "tokens.json")
        return
    if request.param == "sqlite":
        url = sa.URL.create("sqlite", database=str(tmp_path / "shared.sqlite3"))
    else:
        url = sa.make_url(request.getfixturevalue("postgres_url"))
    made: list[TokenTable] = []

    def open_table() -> TokenStore:
        made.append(TokenTable(url))
        return made[-1]

    yield open_table
    with made[0]._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE access_tokens"))
    for table in made:
        table.close()


def test_what_one_adds_another_reads(opened: Callable[[], TokenStore]) -> None:
    one, other = opened(), opened()
    assert one.read() == ()
    site = issue("north", "site", now=2.0, clients=["a,b", "ü"], expires=9.5)[0]
    one.add(_token("second", now=3.0))
    other.add(site)
    assert [token.name for token in one.read()] in (["north", "second"], ["second", "north"])
    assert site in one.read()
    assert other.changed()


def test_a_name_is_taken_until_it_is_removed(opened: Callable[[], TokenStore]) -> None:
    store = opened()
    store.add(_token("alice"))
    with pytest.raises(TokenWrong, match="revoke alice"):
        store.add(_token("alice"))
    gone = store.remove("alice")
    assert gone is not None
    assert gone.name == "alice"
    assert store.remove("alice") is None
    store.add(_token("alice"))
    assert store.read()[0].id != gone.id


def test_use_is_noted_and_brings_nothing_back(opened: Callable[[], TokenStore]) -> None:
    store = opened()
    kept, gone = _token("kept"), _token("gone")
    store.add(kept)
    store.add(gone)
    store.remove("gone")
    store.used({kept.id: 7.0, gone.id: 8.0})
    assert [(token.name, token.last_used) for token in store.read()] == [("kept", 7.0)]


def test_many_who_add_at_once_lose_nothing(opened: Callable[[], TokenStore]) -> None:
    opened().read()
    failed: list[Exception] = []

    def add(number: int) -> None:
        try:
            opened().add(_token(f"t{number}"))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {token.name for token in opened().read()} == {f"t{number}" for number in range(8)}


def test_the_file_is_its_owners_alone_from_the_first_byte_on(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = TokenFile(tmp_path / "tokens.json")
        store.add(_token("a"))
        store.used({store.read()[0].id: 2.0})
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert {path.name for path in tmp_path.iterdir()} == {"tokens.json", "tokens.lock"}


def test_the_file_says_when_it_changed(tmp_path: Path) -> None:
    store, other = TokenFile(tmp_path / "tokens.json"), TokenFile(tmp_path / "tokens.json")
    assert store.changed()
    store.read()
    assert not store.changed()
    other.add(_token("a"))
    assert store.changed()
    store.read()
    assert not store.changed()
    store.path.unlink()
    assert store.changed()
    assert store.read() == ()


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"format":1}', b"[" * 50_000, b"\xff", b'{"format":1,"tokens":[1]}']
)
def test_a_damaged_file_is_told_and_never_taken_for_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    store.path.write_bytes(damage)
    store.path.chmod(0o600)
    for act in (store.read, lambda: store.add(_token("a")), lambda: store.remove("a")):
        with pytest.raises(TokensUnusable, match="damaged") as wrong:
            act()
        assert "\n" not in str(wrong.value)
    assert store.path.read_bytes() == damage
    assert store.changed()


def test_a_file_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    store = TokenFile(tmp_path / "tokens.json")
    store.add(_token("a"))
    store.path.chmod(0o620)
    with pytest.raises(TokensUnusable, match="chmod 600"):
        store.read()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokensUnusable, match="file"):
        TokenFile(tmp_path / "file" / "tokens.json").add(_token("a"))


def test_a_shared_database_keeps_them_and_sqlite_does_not(tmp_path: Path) -> None:
    for database in (None, f"sqlite:///{tmp_path}/x.sqlite3"):
        store = open_tokens(tmp_path, database)
        assert isinstance(store, TokenFile)
        assert store.path == tmp_path / ".server" / "tokens.json"
    shared = open_tokens(tmp_path, "postgresql+psycopg://me:hunter2@db.example/fpd")
    assert isinstance(shared, TokenTable)
    assert "hunter2" not in str(shared)
    with pytest.raises(TokensUnusable, match="no SQLAlchemy URL"):
        open_tokens(tmp_path, "nonsense")


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    away = TokenTable(sa.make_url("postgresql+psycopg://me:hunter2@127.0.0.1:1/fpd"))
    with pytest.raises(TokensUnusable) as wrong:
        away.read()
    assert "hunter2" not in str(wrong.value)
    assert "\n" not in str(wrong.value)
