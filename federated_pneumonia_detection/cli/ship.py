"""`fpd ship`: send the journals of this machine to the server of another one, as they are written."""

from __future__ import annotations

import gzip
import os
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

import typer

from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED

if TYPE_CHECKING:
    import httpx

    from federated_pneumonia_detection.hub.shipper import Shipper
    from federated_pneumonia_detection.hub.shipping import Answer, Batch

__all__ = ["HttpTransport", "ship"]

MEDIA_TYPE = "application/x-ndjson"
_PACK_FROM_BYTES = 1024
_ANSWERS_WITHIN_S = 30.0
_ONCE_PATIENCE_S = 60.0
_COME_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 507})


class HttpTransport:
    """Sends batches to `POST /api/ingest` of one server. Context manager.

    Args:
        url: Where the server is.
        token: What it knows us by; `None` on one's own machine.
        site: What to call this machine; `None` leaves it to the token, or to the host's name.
        client: Speaks HTTP; made where it is left out.
        ca: A file of certificates to trust instead of the well-known ones.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        site: str | None = None,
        client: httpx.Client | None = None,
        ca: Path | None = None,
    ) -> None:
        import ssl

        import httpx

        self.url = url.rstrip("/")
        self._site = site
        self._headers = {"content-type": MEDIA_TYPE}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"
        if client is None:
            verify = ssl.create_default_context(cafile=str(ca)) if ca is not None else True
            # A site's proxy is its own to set (HTTPS_PROXY), but leads to nobody on this machine.
            client = httpx.Client(timeout=_ANSWERS_WITHIN_S, verify=verify, trust_env=not _is_here(url))
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, batch: Batch) -> Answer:
        """Send it, and wait for the answer.

        Raises:
            CannotShip: The token is refused, or there is no such path.
        """
        import httpx

        from federated_pneumonia_detection.hub.shipping import Away

        body = b"".join([batch.header, *batch.lines])
        headers = dict(self._headers)
        if len(body) >= _PACK_FROM_BYTES:
            # The fastest level: lines of JSON shrink to a sixth by it, and a training may need the processor.
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        asked: dict[str, str | int] = {"writer_state": batch.state, "skipped": batch.skipped}
        if self._site is not None:
            asked["site"] = self._site
        try:
            answer = self._client.post(f"{self.url}/api/ingest", content=body, headers=headers, params=asked)
        except httpx.TransportError as error:
            return Away(f"no answer from {self.url} ({_reason(error)})")
        return self._understood(answer)

    def _understood(self, answer: httpx.Response) -> Answer:
        from federated_pneumonia_detection.hub.errors import CannotShip
        from federated_pneumonia_detection.hub.shipping import Acked, Away, Expected, Refused

        try:
            told = answer.json()
        except ValueError:
            told = None
        said: dict[str, Any] = told if isinstance(told, dict) else {}
        words = " ".join(f"{said.get('title') or f'HTTP {answer.status_code}'} {said.get('detail') or ''}".split())
        if answer.is_success and isinstance(said.get("acked"), int):
            return Acked(said["acked"])
        if answer.status_code in _COME_AGAIN:
            return Away(f"{self.url} asks for patience: {words}", _retry_after(answer))
        if answer.status_code == 409 and isinstance(said.get("expected"), int):
            return Expected(said["expected"])
        if answer.status_code == 401:
            raise CannotShip(f"{self.url} does not know the token: {words}")
        if answer.status_code in (403, 409, 413, 422) and (said or answer.status_code == 413):
            n = said.get("n")
            return Refused(answer.status_code, words, n if isinstance(n, int) else None)
        if answer.is_redirect:
            raise CannotShip(
                f"{self.url} is somewhere else now: {answer.headers.get('location', 'it does not say where')}"
            )
        raise CannotShip(f"{self.url} takes no journals: {words}")


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
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise typer.BadParameter(f"--to {url}: no address of a server; as https://hub.example:8000")
    if parts.scheme == "http" and token is not None and not _is_here(url):
        raise typer.BadParameter(f"--to {url}: a token may not travel unencrypted; give an https:// address")


def _is_here(url: str) -> bool:
    import ipaddress

    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
