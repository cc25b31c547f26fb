"""Whether others can reach a server, and what it must have then before it starts."""

from __future__ import annotations

import shlex
import ssl
import time
from pathlib import Path

from federated_pneumonia_detection.server.access.origins import Names, is_loopback_name
from federated_pneumonia_detection.server.access.proxy import networks_of
from federated_pneumonia_detection.server.access.token_store import TokenStore, open_tokens
from federated_pneumonia_detection.server.errors import ServerError
from federated_pneumonia_detection.server.settings import ServerSettings

__all__ = ["beyond_loopback", "checked_tokens", "demands_tokens", "names_of", "see_to_tls"]


def beyond_loopback(settings: ServerSettings) -> bool:
    """Whether somebody on another machine can reach the server: by its address, or through its proxy."""
    return settings.behind_proxy or not is_loopback_name(settings.host)


def demands_tokens(settings: ServerSettings) -> bool:
    """Whether a caller needs a token."""
    return settings.require_token or beyond_loopback(settings)


def names_of(settings: ServerSettings) -> Names:
    """What the server is called, and which foreign origins may read."""
    return Names.of(
        beyond_loopback=beyond_loopback(settings),
        host=settings.host,
        allow_hosts=settings.allow_hosts,
        allow_origins=settings.allow_origins,
    )


def see_to_tls(settings: ServerSettings) -> None:
    """See that what is said over the network is said under TLS.

    Raises:
        ServerError: it would not be, or the certificate or its key cannot be used.
    """
    if settings.tls_key is not None and settings.tls_cert is None:
        raise ServerError("--tls-key without --tls-cert: name the certificate that the key is for")
    if settings.behind_proxy:
        try:
            networks_of(settings.proxy_addresses)
        except ValueError as error:
            raise ServerError(f"--proxy-address: {error}; as 10.0.0.7 or 10.0.0.0/24") from None
    if settings.tls_cert is not None:
        _see_certificate(settings.tls_cert, settings.tls_key)
    elif beyond_loopback(settings) and not settings.behind_proxy:
        port = settings.port or 8000
        raise ServerError(
            f"host {settings.host}: others on the network could read along, tokens included; give it a certificate "
            "(--tls-cert CERT.pem --tls-key KEY.pem), or put a proxy that does TLS in front (--behind-proxy), or serve "
            f"on 127.0.0.1 and come by `ssh -L {port}:127.0.0.1:{port}`"
        )


def _see_certificate(cert: Path, key: Path | None) -> None:
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        if path is not None:
            try:
                path.open("rb").close()
            except OSError as error:
                raise ServerError(f"{option} {path}: {error.strerror or error}") from None
    try:
        # An empty password: a key that wants one would be asked for in the terminal, at each start.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        named = f"--tls-cert {cert}" + (f" --tls-key {key}" if key is not None else "")
        raise ServerError(
            f"{named}: no certificate chain and its unencrypted key in PEM ({getattr(error, 'reason', None) or error})"
        ) from None


def checked_tokens(settings: ServerSettings) -> TokenStore | None:
    """Where the server's tokens are, if it demands any; at least one must hold.

    Raises:
        ServerError: nobody could use the server.
        TokensUnusable: they cannot be read.
    """
    if not demands_tokens(settings):
        return None
    store = open_tokens(settings.log_dir, settings.database)
    now = time.time()
    if not any(token.holds_at(now) for token in store.read()):
        store.close()
        command = ["fpd", "token", "create", "NAME", "--role", "operator", *_where(settings)]
        raise ServerError(
            f"no token holds yet, so nobody could use this server; make one with `{shlex.join(command)}`, "
            "then start it again"
        )
    return store


def _where(settings: ServerSettings) -> list[str]:
    """The options that tell `fpd token` where these tokens are."""
    where = [] if str(settings.log_dir) == "logs/progress" else ["--log-dir", str(settings.log_dir)]
    if settings.database is not None and not settings.database.startswith("sqlite"):
        where = ["--database", "URL"]  # it may hold a password
    return where
