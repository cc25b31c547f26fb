"""`fpd ship`: send the journals of this machine to the server of another one, as they are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED

if TYPE_CHECKING:
    from federated_pneumonia_detection.hub.shipper import Shipper

__all__ = ["ship"]

_ONCE_PATIENCE_S = 60.0


def ship(
    log_dir: Annotated[Path, typer.Argument(help="Where the journals lie.")],
    to: Annotated[str, typer.Option(help="The server that takes them, as https://hub.example:8000.")],
    token_file: Annotated[
        Path | None, typer.Option(help="A file that holds the token; default: the variable FPD_TOKEN.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="What to call this machine; a token says it, else its name.")] = None,
    ca: Annotated[Path | None, typer.Option(help="Certificates to trust instead of the well-known ones.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Send what is there, and end when all is acknowledged.")] = False,
) -> None:
    """Send the journals of this machine to another machine's server, line by line as they are written.

    Nothing is lost while the server or the network is away: the journals keep everything, and what was not acknowledged
    is sent when it answers again. Ctrl-C says how far it is; started again, it goes on there.
    """
    from federated_pneumonia_detection.cli.delivery import HttpTransport
    from federated_pneumonia_detection.hub.shipper import Shipper
    from federated_pneumonia_detection.hub.watch import best_watch

    if not log_dir.is_dir():
        raise typer.BadParameter(f"{log_dir}: there is no such directory; name the one that runs are written to")
    token = _token(token_file)
    _see_that_it_may_go(to, token)
    watch = best_watch()
    try:
        with HttpTransport(to, token=token, site=site, ca=ca) as transport:
            shipper = Shipper(log_dir, transport, watch=watch, tell=_say)
            _say(f"Shipping {log_dir} to {transport.url}. Ctrl-C stops; what is not there yet stays here.")
            try:
                shipper.run(once=once, patience_s=_ONCE_PATIENCE_S if once else None)
            except TimeoutError:
                _say(f"{transport.url} did not answer for a minute. {_how_far(shipper)} Run it again later.")
                raise typer.Exit(FAILED) from None
            except KeyboardInterrupt:
                _say(f"Stopped. {_how_far(shipper)}")
                raise typer.Exit(CANCELLED) from None
            _say(_how_far(shipper))
            raise typer.Exit(FAILED if shipper.refused else 0)
    finally:
        watch.close()


def _say(words: str) -> None:
    from federated_pneumonia_detection.cli.lines import printable

    typer.echo(printable(words))


def _how_far(shipper: Shipper) -> str:
    unfinished = list(shipper.unfinished())
    count = shipper.count()
    journals = "1 journal" if count == 1 else f"{count} journals"
    said = f"{count - len(unfinished)} of {journals} there; {shipper.acked} messages acknowledged by this program."
    waiting = ", ".join(f"{name} (up to message {acked})" for name, acked in unfinished[:5])
    more = f" and {len(unfinished) - 5} more" if len(unfinished) > 5 else ""
    return f"{said} To be sent: {waiting}{more}." if unfinished else said


def _token(file: Path | None) -> str | None:
    text = os.environ.get("FPD_TOKEN") if file is None else file.read_text(encoding="utf-8")
    token = (text or "").strip()
    if file is not None and not token:
        raise typer.BadParameter(f"{file}: there is no token in it; `fpd token create` on the server makes one")
    if not token.isascii() or not token.isprintable():
        raise typer.BadParameter("the token is none: letters, digits and signs of ASCII in one line")
    return token or None


def _see_that_it_may_go(url: str, token: str | None) -> None:
    """Refuse an address that is none, and to send a token where everybody on the way could read it."""
    from federated_pneumonia_detection.cli.delivery import is_here

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise typer.BadParameter(f"--to {url}: no address of a server; as https://hub.example:8000")
    if parts.scheme == "http" and token is not None and not is_here(url):
        raise typer.BadParameter(f"--to {url}: a token may not travel unencrypted; give an https:// address")
