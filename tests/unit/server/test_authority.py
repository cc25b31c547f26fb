import asyncio
from collections.abc import Mapping

import pytest

from federated_pneumonia_detection.server.access.admission import needed_role
from federated_pneumonia_detection.server.access.authority import GOOD_FOR_S, Authority, AuthorityAway
from federated_pneumonia_detection.server.access.tokens import LOCAL, Token, issue
from federated_pneumonia_detection.server.errors import TokensUnusable


class Kept:
    """A store in memory that can be away."""

    def __init__(self, *tokens: Token) -> None:
        self.tokens = list(tokens)
        self.away = False
        self.noted: dict[str, float] = {}
        self.reads = 0

    def read(self) -> tuple[Token, ...]:
        self.reads += 1
        return tuple(self.tokens)

    def changed(self) -> bool:
        if self.away:
            raise TokensUnusable("the database is away")
        return True

    def add(self, token: Token) -> None:
        self.tokens.append(token)

    def remove(self, name: str) -> Token | None:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def used(self, at: Mapping[str, float]) -> None:
        if self.away:
            raise TokensUnusable("the database is away")
        self.noted.update(at)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _authority(kept: Kept, clock: Clock) -> Authority:
    authority = Authority(kept, wall=clock, steady=clock)
    authority.read()
    return authority


def test_without_a_store_everybody_is_an_operator() -> None:
    authority = Authority()
    assert not authority.demands_tokens
    assert authority.holder_of("anything") is LOCAL


async def test_an_unknown_token_is_looked_for_once_more(clock: Clock) -> None:
    kept = Kept()
    authority = _authority(kept, clock)
    token, secret = issue("new", "viewer", now=clock.now)
    kept.add(token)
    assert authority.holder_of(secret) is None
    assert await authority.find(secret, look_again=False) is None
    assert await authority.find(secret) == token.caller
    reads = kept.reads
    assert await authority.find(secret) == token.caller
    assert kept.reads == reads


def test_what_was_read_holds_for_a_while_where_the_store_is_away_and_then_nothing_does(clock: Clock) -> None:
    token, secret = issue("a", "viewer", now=clock.now)
    kept = Kept(token)
    authority = _authority(kept, clock)
    kept.away = True
    clock.now += GOOD_FOR_S
    authority.read()
    assert authority.holder_of(secret) == token.caller
    clock.now += 1
    with pytest.raises(AuthorityAway):
        authority.holder_of(secret)
    kept.away = False
    authority.read()
    assert authority.holder_of(secret) == token.caller


async def test_what_is_open_is_closed_when_its_token_ends_and_nothing_else_is(clock: Clock) -> None:
    brief, _ = issue("brief", "viewer", now=clock.now, expires=clock.now + 5)
    gone, _ = issue("gone", "viewer", now=clock.now)
    stays, _ = issue("stays", "viewer", now=clock.now)
    kept = Kept(brief, gone, stays)
    authority = _authority(kept, clock)
    closed: list[str] = []
    opened = [authority.open_under(token.caller, lambda name=token.name: closed.append(name)) for token in kept.tokens]  # type: ignore[misc]
    for each in opened:
        each.__enter__()
    authority.close_what_ended()
    assert closed == []
    kept.tokens.remove(gone)
    authority.read()
    authority.close_what_ended()
    assert closed == ["gone"]
    opened[1].__exit__(None, None, None)
    clock.now += 5
    authority.close_what_ended()
    assert closed == ["gone", "brief"]


def test_use_is_noted_once_a_minute_and_not_lost_while_the_store_is_away(clock: Clock) -> None:
    token, secret = issue("a", "viewer", now=clock.now)
    kept = Kept(token)
    authority = _authority(kept, clock)
    authority.note_use()
    assert kept.noted == {}
    authority.holder_of(secret)
    kept.away = True
    authority.note_use()
    kept.away = False
    authority.note_use()
    assert kept.noted == {token.id: 1000.0}
    clock.now += 30
    authority.holder_of(secret)
    authority.note_use()
    assert kept.noted == {token.id: 1000.0}
    clock.now += 31
    authority.read()
    authority.holder_of(secret)
    authority.note_use()
    assert kept.noted == {token.id: 1061.0}


def test_how_long_a_session_lasts(clock: Clock) -> None:
    brief, _ = issue("brief", "viewer", now=clock.now, expires=clock.now + 5)
    lasting, _ = issue("lasting", "viewer", now=clock.now)
    authority = _authority(Kept(brief, lasting), clock)
    assert authority.seconds_left(brief.caller) == 5
    assert authority.seconds_left(lasting.caller) is None


async def test_watching_reads_again_and_stops_when_it_is_cancelled(clock: Clock) -> None:
    kept = Kept()
    authority = _authority(kept, clock)
    watching = asyncio.create_task(authority.watch())
    while kept.reads < 2:
        await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/", None), ("GET", "/runs/x", None), ("GET", "/assets/a.js", None), ("HEAD", "/new", None),
        ("GET", "/healthz", None), ("GET", "/readyz", None), ("POST", "/api/session", None),
        ("DELETE", "/api/session", None), ("GET", "/api/session", "any"), ("POST", "/api/ingest", "site"),
        ("GET", "/api/ingest", "site"), ("GET", "/api/runs", "viewer"), ("GET", "/ws/training-progress", "viewer"),
        ("GET", "/metrics", "viewer"), ("GET", "/docs", "viewer"), ("GET", "/openapi.json", "viewer"),
        ("OPTIONS", "/api/runs", "viewer"), ("GET", "//api/runs", "viewer"), ("GET", "/api/not/yet/made", "viewer"),
        ("POST", "/api/not/yet/made", "operator"), ("PATCH", "/api/runs/x", "operator"),
        ("DELETE", "/api/runs/x", "operator"), ("PUT", "/somewhere", "operator"), ("TRACE", "/", "operator"),
        ("GET", "", None),
    ],
)  # fmt: skip
def test_what_each_path_needs(method: str, path: str, role: str | None) -> None:
    assert needed_role(method, path) == role
