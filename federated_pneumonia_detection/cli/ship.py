"""`fpd ship`: send the journals of this machine to the server of another one, as they are written."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from federated_pneumonia_detection.cli.credentials import Ca, TokenFile, is_here, token_for, trusted
from federated_pneumonia_detection.cli.errors import CANCELLED, FAILED
from federated_pneumonia_detection.cli.release import LedgerDir, ledger_directory, read_policy

if TYPE_CHECKING:
    from federated_pneumonia_detection.cli.delivery import HttpTransport
    from federated_pneumonia_detection.hub.shipping.gate import Gate
    from federated_pneumonia_detection.hub.shipping.policy import Policy
    from federated_pneumonia_detection.hub.shipping.shipper import Shipper
    from federated_pneumonia_detection.hub.watch import Watch

__all__ = ["ship"]

_ANSWERS_WITHIN_S = 30.0
_ONCE_PATIENCE_S = 60.0


def _print_release(asked: bool) -> None:
    if asked:
        from federated_pneumonia_detection.hub.shipping.policy import EXAMPLE

        typer.echo(EXAMPLE, nl=False)
        raise typer.Exit


def ship(
    log_dir: Annotated[Path, typer.Argument(help="Where the journals lie.")],
    to: Annotated[str, typer.Option(help="The server that takes them, as https://hub.example:8000.")],
    token_file: TokenFile = None,
    site: Annotated[str | None, typer.Option(help="What to call this machine; a token says it, else its name.")] = None,
    ca: Ca = None,
    once: Annotated[bool, typer.Option("--once", help="Send what is there, and end when all is acknowledged.")] = False,
    release: Annotated[
        Path | None, typer.Option(help="A YAML or TOML file that says what may leave; without one everything does.")
    ] = None,
    ledger: LedgerDir = None,
    obey: Annotated[
        bool, typer.Option(help="Whether trainings here stop, wait and go on when the server says that their run does.")
    ] = True,
    print_release: Annotated[
        bool,
        typer.Option("--print-release", callback=_print_release, is_eager=True, help="Print such a file, and end."),
    ] = False,
) -> None:
    """Send the journals of this machine to another machine's server, line by line as they are written.

    Nothing is lost while the server or the network is away: the journals keep everything, and what was not acknowledged
    is sent when it answers again. Ctrl-C says how far it is; started again, it goes on there. `fpd ledger` shows what
    has left under a release file.
    """
    from federated_pneumonia_detection.hub.watch import best_watch

    if not log_dir.is_dir():
        raise typer.BadParameter(f"{log_dir}: there is no such directory; name the one that runs are written to")
    _see_that_it_is_one(to)
    policy = None if release is None else read_policy(release)
    watch = best_watch()
    try:
        with _transport(to, token_for(to, token_file), site, ca) as transport:
            gate = None if policy is None else _gate(policy, log_dir, ledger, transport.url)
            code = _ship(log_dir, transport, watch, once=once, gate=gate, release=release, obey=obey)
    finally:
        watch.close()
    raise typer.Exit(code)


def _transport(url: str, token: str | None, site: str | None, ca: Path | None) -> HttpTransport:
    import httpx

    from federated_pneumonia_detection.cli.delivery import HttpTransport

    # A site's proxy is its own to set (HTTPS_PROXY), but leads to nobody on this machine.
    client = httpx.Client(timeout=_ANSWERS_WITHIN_S, verify=trusted(ca), trust_env=not is_here(url))
    return HttpTransport(url, client, token=token, site=site)


def _gate(policy: Policy, log_dir: Path, ledger: Path | None, to: str) -> Gate:
    from federated_pneumonia_detection.hub.shipping.gate import Gate
    from federated_pneumonia_detection.hub.shipping.release_ledger import ReleaseLedger

    account = ReleaseLedger(ledger_directory(log_dir, ledger), to, policy.digest)
    return Gate(policy, account, tell=_say, directory=str(log_dir))


def _ship(
    log_dir: Path,
    transport: HttpTransport,
    watch: Watch,
    *,
    once: bool,
    gate: Gate | None,
    release: Path | None,
    obey: bool,
) -> int:
    """Ship until it is told to stop; the exit code."""
    from federated_pneumonia_detection.hub.shipping.shipper import Shipper

    shipper = Shipper(log_dir, transport, watch=watch, tell=_say, gate=gate, obeys=obey)
    _say(f"Shipping {log_dir} to {transport.url}. Ctrl-C stops; what is not there yet stays here.")
    if gate is None:
        _say("Everything in the journals leaves. --release FILE says what may (fpd ship --print-release shows one).")
    else:
        _say(f"Only what {release} lets through leaves; `fpd ledger` shows what has.")
    ended_by = signal.SIGINT

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ended_by
        ended_by = signal.Signals(number)
        raise KeyboardInterrupt

    # Both, and SIGINT also where the shell had it ignored, as it does in the background.
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        shipper.run(once=once, patience_s=_ONCE_PATIENCE_S if once else None)
    except TimeoutError:
        _say(f"{transport.url} did not answer for a minute. {_how_far(shipper)} Run it again later.")
        return FAILED
    except KeyboardInterrupt:
        _say(f"Stopped. {_how_far(shipper)}")
        return CANCELLED if ended_by is signal.SIGINT else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if gate is not None:
            gate.close()
    _say(_how_far(shipper))
    return FAILED if shipper.refused else 0


def _say(words: str) -> None:
    from federated_pneumonia_detection.cli.lines import printable

    typer.echo(printable(words))


def _how_far(shipper: Shipper) -> str:
    unfinished = list(shipper.unfinished())
    count = shipper.count()
    journals = "1 journal" if count == 1 else f"{count} journals"
    said = f"{count - len(unfinished)} of {journals} there; {shipper.acked} messages acknowledged by this program."
    if shipper.gone:
        said += f" {shipper.gone} of them were deleted at the server and stay so."
    waiting = ", ".join(f"{name} (up to message {acked})" for name, acked in unfinished[:5])
    more = f" and {len(unfinished) - 5} more" if len(unfinished) > 5 else ""
    return f"{said} To be sent: {waiting}{more}." if unfinished else said


def _see_that_it_is_one(url: str) -> None:
    """Refuse an address that is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise typer.BadParameter(f"--to {url}: no address of a server; as https://hub.example:8000")
