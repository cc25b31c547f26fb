import pytest

from federated_pneumonia_detection.server.access.browser_headers import content_security_policy
from federated_pneumonia_detection.server.access.origins import (
    host_name,
    is_loopback_name,
    may_read,
    same_origin,
)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.9.1", "[::1]", "::1"])
def test_these_names_mean_this_machine(name: str) -> None:
    assert is_loopback_name(name)


@pytest.mark.parametrize(
    "name", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "[::]", "1"]
)
def test_these_names_do_not(name: str) -> None:
    assert not is_loopback_name(name)


@pytest.mark.parametrize(
    ("header", "name"), [("localhost:8000", "localhost"), ("[::1]:8000", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("", "")]
)
def test_a_host_header_names_a_host(header: str, name: str) -> None:
    assert host_name(header) == name


def test_a_page_is_of_the_same_origin_only_with_the_same_scheme_name_and_port() -> None:
    assert same_origin("http://localhost:8000", "http", "localhost:8000")
    assert same_origin("http://localhost", "http", "localhost:80")
    for other in ("https://localhost:8000", "http://127.0.0.1:8000", "http://localhost:8001", "null", "http://["):
        assert not same_origin(other, "http", "localhost:8000")
    assert not same_origin("http://localhost:99999", "http", "localhost:8000")


def test_loopback_pages_of_any_port_and_named_origins_may_read_and_nobody_else() -> None:
    named = {"http://lab.example:3000"}
    for origin in ("http://localhost:5173", "http://127.0.0.1:1", "http://[::1]:5173", "http://lab.example:3000"):
        assert may_read(origin, named)
    for origin in ("null", "", "http://lab.example", "http://localhost.evil.example", "file://localhost", "http://["):
        assert not may_read(origin, named)


def test_the_policy_allows_no_inline_script_and_no_other_server() -> None:
    policy = content_security_policy("127.0.0.1:8000")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == "'self'"
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self' ws://127.0.0.1:8000"
