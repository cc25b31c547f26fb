"""The authority, the certificate and the node keys, as TLS and Flower take them."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from federated_pneumonia_detection.federated.superlink.keys import (
    Pair,
    is_node_key,
    issue,
    make_authority,
    make_node_key,
)


def _handshake(tmp_path: Path, authority: Pair, shown: Pair, asked_for: str) -> None:
    files = {}
    for name, content in (("ca", authority.public), ("cert", shown.public), ("key", shown.private)):
        files[name] = tmp_path / name
        files[name].write_bytes(content)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files["cert"], files["key"])
    client = ssl.create_default_context(cafile=str(files["ca"]))
    one, other = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(one, server_side=True) as wrapped:
                wrapped.recv(1)
        except (ssl.SSLError, OSError):
            one.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        with client.wrap_socket(other, server_hostname=asked_for) as wrapped:
            wrapped.send(b"x")
    finally:
        other.close()
        thread.join(timeout=5)


@pytest.mark.parametrize("host", ["superlink.example.org", "127.0.0.1", "::1"])
def test_a_certificate_holds_for_the_hosts_it_names(tmp_path: Path, host: str) -> None:
    authority = make_authority()
    _handshake(tmp_path, authority, issue(authority, ["superlink.example.org", "127.0.0.1", "::1"]), host)


def test_it_holds_for_no_other_host_and_not_for_another_authority(tmp_path: Path) -> None:
    authority = make_authority()
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tmp_path, authority, issue(authority, ["a.example.org"]), "b.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tmp_path, authority, issue(make_authority(), ["a.example.org"]), "a.example.org")


def test_a_node_key_is_what_flower_reads() -> None:
    pair = make_node_key("hospital_a")
    private = load_ssh_private_key(pair.private, password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp384r1"
    public = load_ssh_public_key(pair.public)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.public_numbers() == private.public_key().public_numbers()
    assert pair.public.endswith(b" hospital_a\n")
    assert make_node_key().private != pair.private


@pytest.mark.parametrize("other", [b"", b"ssh-rsa nonsense", make_node_key().private, make_authority().public])
def test_what_is_no_public_node_key(other: bytes) -> None:
    assert is_node_key(make_node_key().public)
    assert not is_node_key(other)
