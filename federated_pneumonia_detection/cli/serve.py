"""`fpd serve`: the hub, the page, and trainings on request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated_pneumonia_detection.cli.errors import CANCELLED
from federated_pneumonia_detection.cli.quantities import policy_of

__all__ = ["serve"]


def serve(
    host: Annotated[
        str, typer.Option(help="Beyond 127.0.0.1, as 0.0.0.0 for every address, it takes TLS or a proxy, and a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8000,
    log_dir: Annotated[Path, typer.Option(help="Where journals lie; made where it is missing.")] = Path(
        "logs/progress"
    ),
    database: Annotated[str | None, typer.Option(help="An SQLAlchemy URL; default: SQLite in the log dir.")] = None,
    checkpoint_dir: Annotated[Path | None, typer.Option(help="Where trained models go.")] = None,
    data_root: Annotated[list[Path] | None, typer.Option(help="A folder a run may take images from.")] = None,
    federation: Annotated[
        Path | None, typer.Option(help="For runs over a SuperLink: the coordinator's directory, of fpd federation.")
    ] = None,
    notify: Annotated[
        Path | None, typer.Option(help="Who is told of what, by mail or chat: a YAML file, see fpd notify.")
    ] = None,
    max_runs: Annotated[int, typer.Option(min=1, help="Trainings that run at once; others wait.")] = 1,
    keep_for: Annotated[str | None, typer.Option(help="Let ended runs go after so long: 12h, 30d, 1y.")] = None,
    keep_size: Annotated[str | None, typer.Option(help="Let the oldest go beyond so much: 500MB, 5GB.")] = None,
    allow_origin: Annotated[list[str] | None, typer.Option(help="A foreign origin that may read.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A further name that this server goes by.")] = None,
    require_token: Annotated[
        bool, typer.Option("--require-token", help="Demand a token on 127.0.0.1 too: other users of this machine.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Serve TLS: the certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, unencrypted.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy does TLS and sets X-Forwarded-For and -Proto.")
    ] = False,
    proxy_address: Annotated[
        list[str] | None, typer.Option(help="Where that proxy comes from; default: this machine.")
    ] = None,
) -> None:
    """Serve the page, the WebSocket and the API over a directory of journals.

    Ctrl-C stops the server, not the trainings it started; the next one takes them over. Where others can reach it, it
    needs a token (`fpd token create NAME --role operator`) and TLS, and says so.
    """
    import signal

    from federated_pneumonia_detection import server

    if proxy_address and not behind_proxy:
        raise typer.BadParameter("--proxy-address says where a proxy comes from; add --behind-proxy")
    settings = server.ServerSettings(
        host=host,
        port=port,
        log_dir=log_dir,
        database=database,
        checkpoint_dir=checkpoint_dir,
        data_roots=tuple(data_root) if data_root else server.default_data_roots(),
        max_runs=max_runs,
        notify=notify,
        federation=federation,
        keep=policy_of(keep_for, keep_size),
        allow_origins=tuple(allow_origin or ()),
        allow_hosts=tuple(allow_host or ()),
        require_token=require_token,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_proxy=behind_proxy,
        proxy_addresses=tuple(proxy_address or server.ServerSettings.proxy_addresses),
    )
    ended_by = server.serve(settings)
    raise typer.Exit(CANCELLED if ended_by is signal.SIGINT else 0)
