"""The server as a process: how it starts, why it does not, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from federated_pneumonia_detection.server.jobs import Jobs
from federated_pneumonia_detection.server.settings import ServerSettings

SERVE = """
import sys
from pathlib import Path
from federated_pneumonia_detection.server import ServerError, ServerSettings, serve
host, port, log_dir, fake = sys.argv[1:]
settings = ServerSettings(
    host=host, port=int(port), log_dir=Path(log_dir), training_command=(sys.executable, fake)
)
try:
    stopped_by = serve(settings)
except ServerError as error:
    sys.exit(f"fpd: {error}")
print("stopped by", stopped_by.name, flush=True)
"""

Started = tuple["subprocess.Popen[str]", str]


@contextmanager
def _serving(settings: ServerSettings) -> Iterator[Started]:
    with ExitStack() as stack:
        process = stack.enter_context(_start(settings))
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("Serving on http://127.0.0.1:"), first + process.stdout.read()
        try:
            yield process, first.split()[2]
        finally:
            if process.poll() is None:
                process.kill()


def _start(settings: ServerSettings) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVE, settings.host, str(settings.port), str(settings.log_dir)]
    return subprocess.Popen(
        [*command, settings.training_command[1]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _refused(settings: ServerSettings) -> str:
    with _start(settings) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    lines = output.splitlines()
    assert len(lines) == 1, output
    return lines[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_viewers_leaves_trainings_running_and_says_which(
    settings: ServerSettings, number: signal.Signals, wait_until: Callable[..., None]
) -> None:
    with _serving(settings) as (process, url), httpx.Client(base_url=url, timeout=30) as http:
        running = http.post("/api/centralized/train", json={"experiment_name": "slow"}).json()["run_id"]
        waiting = http.post("/api/centralized/train", json={"experiment_name": "quick"}).json()["run_id"]
        directory = Jobs(settings.jobs_dir).directory(running)
        wait_until(directory.training_pid, "it trains")
        with connect(f"{url.replace('http', 'ws')}/ws/training-progress") as viewer:
            viewer.recv(timeout=20)
            process.send_signal(number)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    viewer.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        output, _ = process.communicate(timeout=20)
    lines = output.splitlines()
    assert f"Still training: {running} (slow)" in lines
    assert f"Still waiting: {waiting} (quick)" in lines
    assert lines[-1] == f"stopped by {number.name}"
    assert "Traceback" not in output
    assert directory.training_pid() is not None


FINALISER = """
import os, signal
from federated_pneumonia_detection.server import serving
class Dies:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
def {name}(*given):
    Dies()
    return real(*given)
real, serving.{name} = serving.{name}, {name}
"""


@pytest.mark.parametrize("meets", ["collect_seldom", "_open"])
def test_a_ctrl_c_that_meets_a_finaliser_while_it_starts_stops_it_all_the_same(
    settings: ServerSettings, meets: str
) -> None:
    command = [sys.executable, "-c", FINALISER.format(name=meets) + SERVE]
    arguments = [settings.host, str(settings.port), str(settings.log_dir), settings.training_command[1]]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "stopped by SIGINT", done.stderr
    assert meets == "_open" or not done.stderr


def test_ipv6_answers_too_where_there_is_any(settings: ServerSettings) -> None:
    with _serving(settings) as (_, url):
        port = url.rpartition(":")[2]
        try:
            response = httpx.get(f"http://[::1]:{port}/healthz")
        except httpx.ConnectError:
            pytest.skip("no IPv6 here")
        assert response.status_code == 200


def test_a_taken_port_is_one_line_that_names_the_holder(settings: ServerSettings, tmp_path: Path) -> None:
    with _serving(settings) as (process, url):
        port = int(url.rpartition(":")[2])
        line = _refused(replace(settings, port=port, log_dir=tmp_path / "other"))
    assert f"port {port} is taken by pid {process.pid}" in line
    assert "--port" in line


def test_a_second_server_on_the_same_database_is_one_line_that_names_the_holder(settings: ServerSettings) -> None:
    with _serving(settings) as (process, _):
        line = _refused(settings)
    assert "hub.sqlite3" in line
    assert str(process.pid) in line


def test_a_host_that_others_can_reach_is_refused(settings: ServerSettings) -> None:
    assert "127.0.0.1" in _refused(replace(settings, host="0.0.0.0"))


def test_a_log_directory_that_is_a_file_is_one_line(settings: ServerSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = _refused(replace(settings, log_dir=tmp_path / "file" / "progress"))
    assert "--log-dir" in line


def test_a_killed_server_leaves_nothing_that_stops_the_next(
    settings: ServerSettings, wait_until: Callable[..., None]
) -> None:
    with _serving(settings) as (process, url):
        run_id = httpx.post(f"{url}/api/centralized/train", json={"experiment_name": "slow"}).json()["run_id"]
        wait_until(lambda: httpx.get(f"{url}/api/runs/{run_id}").json()["status"] == "running", "it runs")
        process.kill()
    with _serving(settings) as (_, url), httpx.Client(base_url=url) as http:
        assert http.get(f"/api/runs/{run_id}").json()["status"] == "running"
        http.post(f"/api/runs/{run_id}/cancel")
        wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "cancelled", "it was cancelled")


def test_importing_the_server_imports_no_torch() -> None:
    script = (
        "import sys, federated_pneumonia_detection.server; print([m for m in ('torch', 'flwr') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
