import hashlib

import pytest

from federated_pneumonia_detection.server.access.tokens import (
    LOCAL,
    Caller,
    Role,
    Tokens,
    TokenWrong,
    digest_of,
    issue,
    redact,
    seconds_of,
)


def test_a_token_is_256_random_bits_and_what_is_kept_is_not_it() -> None:
    made = [issue("a", "viewer", now=1.0) for _ in range(50)]
    secrets = {secret for _, secret in made}
    assert len(secrets) == 50
    for token, secret in made:
        assert len(secret) == len("fpd_") + 43  # 32 bytes in base64url
        assert secret not in repr(token)
        assert token.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert len({token.id for token, _ in made}) == 50


def test_it_is_found_by_its_text_until_it_expires() -> None:
    token, secret = issue("a", "operator", now=100.0, expires=200.0)
    tokens = Tokens([token])
    assert tokens.find(secret, 199.9) is token
    assert tokens.find(secret, 200.0) is None
    assert tokens.find(secret[:-1], 150.0) is None
    assert tokens.find(secret + "\ud800", 150.0) is None
    assert tokens.find(token.digest, 150.0) is None
    assert tokens.holds(token.id, 150.0)
    assert not tokens.holds(token.id, 200.0)
    assert not tokens.holds("other", 150.0)


def test_a_site_writes_its_own_clients_and_by_default_its_own_name() -> None:
    named = issue("n", "site", now=0.0, site="north", clients=["ward-1", " ward-2 ", "ward-1"])[0]
    assert (named.site, named.clients) == ("north", ("ward-1", "ward-2"))
    plain = issue("south", "site", now=0.0)[0]
    assert (plain.site, plain.clients) == ("south", ("south",))
    caller = plain.caller
    assert caller.may_write_client("south")
    assert not caller.may_write_client("north")


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", {"viewer"}), ("operator", {"viewer", "operator", "site"}), ("site", {"site"})],
)
def test_what_each_role_may(role: Role, may: set[str]) -> None:
    caller = Caller("x", role)
    roles: tuple[Role, ...] = ("viewer", "operator", "site")
    assert {each for each in roles if caller.may(each)} == may
    assert LOCAL.may("operator")


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "-x", "x" * 65, "ü", "a\n", "a\x1b[0m"])
def test_a_name_that_cannot_be_is_told_with_what_would_be_right(name: str) -> None:
    with pytest.raises(TokenWrong, match="1 to 64 letters") as wrong:
        issue(name, "viewer", now=0.0)
    assert "\n" not in str(wrong.value)
    assert "\x1b" not in str(wrong.value)


@pytest.mark.parametrize("clients", [[""], ["a", ""], ["x" * 201], ["a\nb"]])
def test_clients_that_cannot_be_are_refused(clients: list[str]) -> None:
    with pytest.raises(TokenWrong, match="printable"):
        issue("north", "site", now=0.0, clients=clients)


def test_only_a_site_has_a_site() -> None:
    with pytest.raises(TokenWrong, match="--role site"):
        issue("a", "viewer", now=0.0, site="north")
    with pytest.raises(TokenWrong, match="--role site"):
        issue("a", "operator", now=0.0, clients=["north"])


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), (" 2w ", 1_209_600)])
def test_how_long_a_duration_is(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1y", "1.5h", "999999d", "٣d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(TokenWrong, match="30d"):
        seconds_of(text)


def test_every_token_is_taken_out_of_a_text_and_nothing_else_is() -> None:
    one, two = issue("a", "viewer", now=0.0)[1], issue("b", "viewer", now=0.0)[1]
    text = f'GET /x?token={one} "{two}" fpd_short fpd runs {digest_of(one)}'
    assert redact(text) == (f'GET /x?token=fpd_[redacted] "fpd_[redacted]" fpd_short fpd runs {digest_of(one)}')
