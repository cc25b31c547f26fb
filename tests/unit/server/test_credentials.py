import pytest
from starlette.datastructures import Headers

from federated_pneumonia_detection.server.access.credentials import (
    clear_cookie,
    cookie_name,
    offers_subprotocol,
    secret_in_query,
    session_cookie,
    shown_by,
)

TOKEN = f"fpd_{'a' * 43}"


def _headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.mark.parametrize(
    ("pairs", "secret", "by_cookie"),
    [
        ([("authorization", f"Bearer {TOKEN}")], TOKEN, False),
        ([("authorization", f"bearer  {TOKEN} ")], TOKEN, False),
        ([("authorization", "Bearer")], "", False),
        ([("sec-websocket-protocol", f"fpd, fpd.token.{TOKEN}")], TOKEN, False),
        ([("sec-websocket-protocol", "fpd"), ("sec-websocket-protocol", f"fpd.token.{TOKEN}")], TOKEN, False),
        ([("cookie", f"other=1; fpd-8000={TOKEN}")], TOKEN, True),
        ([("cookie", "other=1"), ("cookie", f"fpd-8000={TOKEN}")], TOKEN, True),
        ([("authorization", "Bearer x"), ("cookie", f"fpd-8000={TOKEN}")], "x", False),
        ([("authorization", "Basic Zm9v"), ("cookie", f"fpd-8000={TOKEN}")], TOKEN, True),
    ],
)
def test_a_token_is_shown_in_one_of_three_places(pairs: list[tuple[str, str]], secret: str, by_cookie: bool) -> None:
    shown = shown_by(_headers(*pairs), "fpd-8000")
    assert shown is not None
    assert (shown.secret, shown.by_cookie) == (secret, by_cookie)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("authorization", f"Basic {TOKEN}")],
        [("cookie", f"fpd-9000={TOKEN}")],
        [("cookie", 'fpd-8000="; x')],
        [("cookie", "fpd-8000=")],
        [("sec-websocket-protocol", f"fpd.{TOKEN}")],
    ],
)
def test_what_shows_none(pairs: list[tuple[str, str]]) -> None:
    assert shown_by(_headers(*pairs), "fpd-8000") is None


def test_the_cookie_is_called_by_its_port_and_bound_to_its_host_under_tls() -> None:
    assert cookie_name("http", 8000) == cookie_name("ws", 8000) == "fpd-8000"
    assert cookie_name("https", 443) == cookie_name("wss", 443) == "__Host-fpd-443"
    made = session_cookie("fpd-1", TOKEN, secure=True, max_age_s=60)
    assert made == f"fpd-1={TOKEN}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
    assert clear_cookie("fpd-1", secure=False) == "fpd-1=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"


def test_ours_is_offered_or_not() -> None:
    assert offers_subprotocol(_headers(("sec-websocket-protocol", "x, fpd")))
    assert not offers_subprotocol(_headers(("sec-websocket-protocol", "x, fpd.token.y")))


@pytest.mark.parametrize(
    "query",
    [
        "token=x", "TOKEN=x", "a=1&access_token=", "api_key=1", "api-key=1", "authorization=Bearer%20x", "password=p",
        f"q={TOKEN}", f"q=a%20{TOKEN.replace('fpd_', 'fpd%5F')}", f"{TOKEN}", f"x=fpd.token.{TOKEN}",
        "&".join(f"k{n}=1" for n in range(300)) + f"&q={TOKEN}",
    ],
)  # fmt: skip
def test_a_secret_in_an_address_is_seen(query: str) -> None:
    assert secret_in_query(query.encode())


@pytest.mark.parametrize("query", ["", "run_id=latest&after=0&log_id=6f1c", "q=token", "client_id=fpd_x", "a=%ff%00"])
def test_what_is_no_secret(query: str) -> None:
    assert not secret_in_query(query.encode())
