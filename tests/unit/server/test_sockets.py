import os
import socket

import pytest

from federated_pneumonia_detection.server.errors import ServerError
from federated_pneumonia_detection.server.sockets import bind, holder_of, url_of


def _close(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def test_both_loopback_addresses_listen_on_one_port() -> None:
    listeners = bind("localhost", 0)
    try:
        addresses = [listener.getsockname()[:2] for listener in listeners]
        assert {port for _, port in addresses} == {addresses[0][1]}
        assert addresses[0][0] == "127.0.0.1"
        assert url_of(listeners) == f"http://127.0.0.1:{addresses[0][1]}"
    finally:
        _close(listeners)


@pytest.mark.parametrize("host", ["192.0.2.5", "no-such-name.invalid", "a" * 300])
def test_a_host_that_is_none_of_this_machine_is_refused_in_one_line(host: str) -> None:
    with pytest.raises(ServerError) as refused:
        bind(host, 0)
    assert "\n" not in str(refused.value)
    assert host in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_every_address_of_the_machine_is_called_by_its_name() -> None:
    listeners = bind("0.0.0.0", 0)
    try:
        port = listeners[0].getsockname()[1]
        assert [listener.getsockname()[0] for listener in listeners] == ["0.0.0.0"]
        assert url_of(listeners, secure=True) == f"https://{socket.gethostname()}:{port}"
    finally:
        _close(listeners)


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ServerError, match="65535"):
        bind("127.0.0.1", port)


def test_a_taken_port_is_told_with_its_holder_and_what_to_do() -> None:
    listeners = bind("127.0.0.1", 0)
    port = listeners[0].getsockname()[1]
    try:
        with pytest.raises(ServerError) as refused:
            bind("127.0.0.1", port)
    finally:
        _close(listeners)
    assert f"port {port} is taken by pid {os.getpid()}" in str(refused.value)
    assert "--port" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nobody_holds_a_free_port(free_port: int) -> None:
    assert holder_of(free_port) is None
