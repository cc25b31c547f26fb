"""How a command shows a server who it is: a token from a file or the environment, and which certificates it trusts."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    import ssl

__all__ = ["TOKEN_VARIABLE", "Ca", "TokenFile", "is_here", "token_for", "trusted"]

TOKEN_VARIABLE = "FPD_TOKEN"

TokenFile = Annotated[
    Path | None, typer.Option(help=f"A file that holds the token; default: the variable {TOKEN_VARIABLE}.")
]
Ca = Annotated[Path | None, typer.Option(help="Certificates to trust instead of the well-known ones, PEM.")]


def is_here(url: str) -> bool:
    """Whether an address means this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def token_for(url: str, file: Path | None) -> str | None:
    """The token to show to the server at `url`: from the file, else from the environment, else none.

    Never an argument of the command itself: those can be read by every user of the machine.

    Raises:
        BadParameter: there is none in the file, it is no token, or everybody on the way to `url` could read it.
    """
    try:
        text = os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file}: that is no text; it should hold a token in one line") from None
    token = text.strip()
    where = TOKEN_VARIABLE if file is None else str(file)
    if file is not None and not token:
        raise typer.BadParameter(f"{file}: there is no token in it; `fpd token create` on the server makes one")
    if not token:
        return None
    if not token.isascii() or not token.isprintable() or " " in token:
        raise typer.BadParameter(f"{where}: that is no token; one line, as `fpd token create` printed it")
    if not url.startswith("https://") and not is_here(url):
        raise typer.BadParameter(f"{url}: a token may not travel unencrypted; give an https:// address")
    return token


def trusted(ca: Path | None) -> ssl.SSLContext:
    """What to verify a server's certificate by: the file, else what this machine trusts (`SSL_CERT_FILE` too).

    Raises:
        BadParameter: there is no certificate in the file.
    """
    import ssl

    if ca is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError:
        raise typer.BadParameter(f"{ca}: there is no certificate in it; PEM is meant") from None
