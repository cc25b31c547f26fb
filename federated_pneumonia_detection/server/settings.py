"""What a server is told when it starts."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from federated_pneumonia_detection.data.cache import cache_directory
from federated_pneumonia_detection.hub.retention import KEEP_ALL, Policy

__all__ = ["ServerSettings", "default_data_roots"]


def default_data_roots() -> tuple[Path, ...]:
    """Where a request may take images from when nobody said: working directory, our cache, what `FPD_DATA` names."""
    named = os.environ.get("FPD_DATA")
    roots = [Path.cwd(), cache_directory()]
    if named and named != "phantoms":
        roots.append(Path(named))
    return tuple(roots)


@dataclass(frozen=True)
class ServerSettings:
    """Everything a server needs to know; each field has a default that works.

    Attributes:
        host: what to listen on. Beyond loopback there has to be TLS, or a proxy that does it, and a token.
        port: 0 picks a free one.
        log_dir: where journals and documents lie; made where it is missing.
        database: an SQLAlchemy URL; `None` is SQLite in `<log_dir>/hub.sqlite3`.
        checkpoint_dir: where trained models go, a folder for each run; `None` is `<log_dir>/../checkpoints`.
        data_roots: folders (or files) under which `source_path` of a request must lie.
        max_runs: trainings of this server that run at once; others wait as `queued`.
        allow_origins: foreign origins that may read, as `http://lab.example:3000`.
        allow_hosts: names the server goes by beside loopback ones, addresses and its machine's.
        require_token: demand a token on loopback too, on a machine with other users.
        tls_cert: the certificate chain, PEM.
        tls_key: its key, PEM; `None` where it stands in the same file.
        behind_proxy: a proxy does TLS, and says by its headers for whom it asks.
        proxy_addresses: where that proxy may come from, addresses or networks.
        keep: which ended runs are let go, looked at each hour; by default all are kept.
        notify: the operator's file that says who is told of what (`telling.notify_file`); `None`: nobody.
        federation: the coordinator's directory of `fpd federation`, for runs with the engine `superlink`.
        training_command: what starts a training, before `train centralized …`. Tests put a small script here.
        page_dir: the built dashboard.
        cancel_grace_s: seconds a training may take to obey a request, then SIGINT, then SIGTERM, before SIGKILL.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    log_dir: Path = Path("logs/progress")
    database: str | None = None
    checkpoint_dir: Path | None = None
    data_roots: tuple[Path, ...] = field(default_factory=default_data_roots)
    max_runs: int = 1
    allow_origins: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    require_token: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    proxy_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    keep: Policy = KEEP_ALL
    notify: Path | None = None
    federation: Path | None = None
    training_command: tuple[str, ...] = (sys.executable, "-m", "federated_pneumonia_detection")
    page_dir: Path = Path(__file__).parent / "page"
    cancel_grace_s: tuple[float, float, float] = (20.0, 10.0, 10.0)

    @property
    def jobs_dir(self) -> Path:
        """Where the trainings this server starts keep their command, configuration, output and exit code."""
        return Path(self.log_dir) / ".jobs"

    @property
    def checkpoints(self) -> Path:
        """The folder that holds a folder of checkpoints for each run."""
        return Path(self.checkpoint_dir or Path(self.log_dir).parent / "checkpoints")
