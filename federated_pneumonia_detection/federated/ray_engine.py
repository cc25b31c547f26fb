"""Flower's simulation as an engine: clients in processes of their own, kept by Ray.

It costs about ten seconds and a gigabyte before the first client runs. What a node's operator would have set is put
into its context here, since the simulation knows only partition numbers.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flwr.app import Context, Message
from flwr.app.user_config import UserConfigValue
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from federated_pneumonia_detection.federated.environment import private_directory
from federated_pneumonia_detection.federated.errors import EngineMissing

__all__ = ["run_ray"]

_log = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 200_000_000
_LINGER_S = 10.0
_RESTART_S = 60.0
# One processor for each actor. Ray starts a dead one again: Flower would go on sending to it in vain.
_ACTOR: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0.0, "max_restarts": -1}
# Unix sockets have names of at most 107 bytes, and Ray puts some 70 behind the directory.
_LONGEST_DIRECTORY = 35


class _Operated(ClientApp):
    """An app whose nodes are configured as their operators would have."""

    def __init__(
        self, inner: ClientApp, node_configs: Sequence[Mapping[str, UserConfigValue]], busy_directory: str
    ) -> None:
        super().__init__()
        self._inner = inner
        self._node_configs = node_configs
        # A file here, named by its process, stands for a client at work.
        self._busy_directory = busy_directory

    # Ray's actor calls by keyword, so the parameters have these names.
    def __call__(self, message: Message, context: Context) -> Message:
        context.node_config.update(self._node_configs[int(context.node_config["partition-id"])])
        busy = Path(self._busy_directory, str(os.getpid()))
        busy.touch()
        try:
            return self._inner(message, context)
        finally:
            busy.unlink(missing_ok=True)


def run_ray(
    server_app: ServerApp, client_app: ClientApp, node_configs: Sequence[Mapping[str, UserConfigValue]]
) -> None:
    """Run both apps to their end in Flower's simulation.

    Raises:
        EngineMissing: Ray is not installed, or does not start.
        Exception: whatever the server app raises.
    """
    if importlib.util.find_spec("ray") is None:
        raise EngineMissing("the engine ray needs Ray: pip install 'flwr[simulation]', or take the engine local")
    from flwr.simulation import run_simulation

    actors = max(1, min(_cpus(), len(node_configs)))
    busy_directory = private_directory() / "busy"
    shutil.rmtree(busy_directory, ignore_errors=True)
    busy_directory.mkdir()
    server = _Server(server_app, busy_directory)
    before = dict(os.environ)
    try:
        _start_ray(actors)
        with _waiting_for_restarts(server):
            run_simulation(
                server_app=server.app,
                client_app=_Operated(client_app, node_configs, str(busy_directory)),
                num_supernodes=len(node_configs),
                backend_config={"client_resources": _ACTOR},
            )
    # Once the server app has ended, how Flower takes its actors down is of no interest to the run.
    except Exception:
        if not server.has_ended:
            raise
        _log.debug("Flower's simulation ended badly, after the run", exc_info=True)
    finally:
        server.is_over.set()
        _stop_ray()
        # Ray leaves some words of its own there, `PYTHONBREAKPOINT` among them.
        os.environ.clear()
        os.environ.update(before)
    if server.raised is not None:
        raise server.raised


class _Server:
    """A server app whose end, and what it raised, is known outside of Flower's thread.

    Attributes:
        app: the app to give to Flower.
        has_ended: whether the server app has come to an end.
        raised: what it raised, if it did.
        is_over: set when Flower has come to an end, too.
    """

    def __init__(self, inner: ServerApp, busy_directory: Path) -> None:
        self.app = ServerApp()
        self.has_ended = False
        self.raised: BaseException | None = None
        self.is_over = threading.Event()
        self._busy_directory = busy_directory

        @self.app.main()
        def main(grid: Grid, context: Context) -> None:
            try:
                inner(grid, context)
            # Carried to the caller's thread, and raised there.
            except BaseException as error:  # noqa: BLE001
                self.raised = error
            finally:
                self.has_ended = True
                threading.Thread(target=self._stop_whoever_lingers, name="fpd-lingering", daemon=True).start()

    def _stop_whoever_lingers(self) -> None:
        # Flower waits for its actors, and one whose client never returns would keep it for ever. Clients that hear a
        # request to stop end by themselves within a batch.
        while not self.is_over.wait(_LINGER_S):
            for busy in self._busy_directory.iterdir():
                with suppress(ProcessLookupError):
                    os.kill(int(busy.name), signal.SIGKILL)
                busy.unlink(missing_ok=True)


@contextmanager
def _waiting_for_restarts(server: _Server) -> Iterator[None]:
    """Within it an actor that died takes part again only when Ray has started it anew.

    Flower puts it back among the living at once, and the next client's message fails for the death of another. There is
    no way to this but to put another pool in the place of Flower's; the version is pinned, and a test holds it.
    """
    import ray
    from flwr.simulation.ray_transport.ray_actor import BasicActorPool

    class Pool(BasicActorPool):
        def add_actor_back_to_pool(self, future: Any) -> None:
            actor: Any = self._future_to_actor[future]
            deadline = time.monotonic() + _RESTART_S
            while not server.has_ended and time.monotonic() < deadline:
                try:
                    ray.get(actor.__ray_ready__.remote(), timeout=_RESTART_S)
                    break
                except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
                    time.sleep(0.1)
            super().add_actor_back_to_pool(future)

    backend: Any = importlib.import_module("flwr.server.superlink.fleet.vce.backend.raybackend")
    backend.BasicActorPool = Pool
    try:
        yield
    finally:
        backend.BasicActorPool = BasicActorPool


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_ray(actors: int) -> None:
    import ray

    if ray.is_initialized():
        return
    on_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    directory = str(private_directory() / "r")
    try:
        ray.init(
            address="local",
            num_cpus=actors,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=directory if len(directory) <= _LONGEST_DIRECTORY else None,
            # Ray's workers inherit the environment, but not what was put on this process's path since it started.
            runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}},
        )
    except (OSError, RuntimeError, ValueError, ConnectionError) as error:
        line = str(error).strip().splitlines()
        raise EngineMissing(
            f"Ray does not start ({line[0] if line else type(error).__name__}); the engine local needs none"
        ) from error
    finally:
        if on_main_thread and handler is not None:
            # Ray takes this signal for itself, and would end the process without a word to anybody.
            signal.signal(signal.SIGTERM, handler)


def _stop_ray() -> None:
    import ray

    if ray.is_initialized():
        ray.shutdown()
