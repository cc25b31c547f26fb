"""A federation's files at its coordinator: authority, certificate, where the SuperLink listens, who was admitted.

`federation.json` says where the SuperLink is; the rest lies beside it. Keys have mode 0600.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from federated_pneumonia_detection.federated.errors import FederatedError
from federated_pneumonia_detection.progress.reading import read_small

__all__ = ["Federation", "NoFederation", "check_client_id", "write_private"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST = 1 << 20
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class NoFederation(FederatedError):
    """There is no federation in that directory."""


class _Said(msgspec.Struct):
    address: str
    hosts: list[str]
    nodes: dict[str, str] = {}


class Federation:
    """The coordinator's directory.

    Args:
        path: where it lies.

    Attributes:
        address: where the SuperLink listens, as `127.0.0.1:9443`.
        hosts: names and addresses that its certificate holds for.
        nodes: what the admitted hospitals are called, by Flower's number of their node.
    """

    def __init__(self, path: Path, address: str, hosts: list[str], nodes: dict[str, str] | None = None) -> None:
        self.path = path
        self.address = address
        self.hosts = hosts
        self.nodes = {} if nodes is None else nodes

    @classmethod
    def create(cls, path: Path, *, address: str, hosts: tuple[str, ...] = ()) -> Federation:
        """Make a directory with an authority of its own and a certificate for the SuperLink.

        Raises:
            FederatedError: there is one already, or a host cannot stand in a certificate.
            OSError: it cannot be written.
        """
        from federated_pneumonia_detection.federated.superlink.keys import issue, make_authority

        if (path / "federation.json").exists():
            raise FederatedError(f"{path} holds a federation already; take another directory, or delete it")
        path.mkdir(parents=True, exist_ok=True)
        authority = make_authority(path.resolve().name or "federation")
        named = list(dict.fromkeys((*hosts, *_LOOPBACK)))
        try:
            certificate = issue(authority, named)
        except ValueError as error:
            raise FederatedError(f"no certificate can be made for {', '.join(hosts)}: {error}") from None
        self = cls(path, address, named)
        self.ca.write_bytes(authority.public)
        write_private(path / "ca.key", authority.private)
        self.certificate.write_bytes(certificate.public)
        write_private(self.certificate_key, certificate.private)
        self.save()
        return self

    @classmethod
    def open(cls, path: Path) -> Federation:
        """Read the directory.

        Raises:
            NoFederation: there is none.
        """
        try:
            said = msgspec.json.decode(read_small(path / "federation.json", _LONGEST), type=_Said)
        except FileNotFoundError:
            raise NoFederation(
                f"{path} holds no federation; `fpd federation up` starts one on this machine, `fpd federation init` "
                "makes one for several"
            ) from None
        except (OSError, ValueError) as error:
            raise NoFederation(f"{path / 'federation.json'} cannot be read: {error}") from None
        return cls(path, said.address, said.hosts, said.nodes)

    def save(self) -> None:
        """Write down what was changed."""
        temporary = self.path / f".federation.{os.getpid()}.tmp"
        temporary.write_bytes(
            msgspec.json.format(msgspec.json.encode(_Said(self.address, self.hosts, self.nodes))) + b"\n"
        )
        temporary.replace(self.path / "federation.json")
        # How Flower's own command line finds the SuperLink: `flwr ls federation` with FLWR_HOME at this directory.
        self.flower_home.mkdir(parents=True, exist_ok=True)
        (self.flower_home / "config.toml").write_text(
            '[superlink]\ndefault = "federation"\n\n[superlink.federation]\n'
            f"address = {_toml(self.address)}\nroot-certificates = {_toml(str(self.ca.resolve()))}\n",
            encoding="utf-8",
        )

    @property
    def ca(self) -> Path:
        """The authority's certificate: every hospital gets it."""
        return self.path / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The SuperLink's certificate."""
        return self.path / "superlink.pem"

    @property
    def certificate_key(self) -> Path:
        """Its key."""
        return self.path / "superlink.key"

    @property
    def database(self) -> Path:
        """What the SuperLink remembers: runs, and admitted keys."""
        return self.path / "superlink.sqlite3"

    @property
    def flower_home(self) -> Path:
        """Flower's own directory, with the address for its command line."""
        return self.path / "flower"


def check_client_id(name: str) -> str:
    """Return `name` if a hospital can be called so.

    Raises:
        FederatedError: it has other characters than letters, digits, `.`, `_` and `-`, or more than 64.
    """
    if not _CLIENT_ID.fullmatch(name):
        raise FederatedError(
            f"{name!a} cannot be a hospital's name: up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return name


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read; it must not be there yet.

    Raises:
        OSError: it is there, or cannot be written.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _toml(text: str) -> str:
    return msgspec.json.encode(text).decode()
