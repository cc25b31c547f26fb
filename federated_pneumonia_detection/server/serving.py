"""Runs the application until it is told to stop."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import uvicorn
from starlette.concurrency import run_in_threadpool

from federated_pneumonia_detection import __version__
from federated_pneumonia_detection.hub.errors import HubError
from federated_pneumonia_detection.server.access.exposure import see_to_tls
from federated_pneumonia_detection.server.app import create_app, make_service
from federated_pneumonia_detection.server.connections import protocols
from federated_pneumonia_detection.server.errors import ServerError
from federated_pneumonia_detection.server.logs import keeping
from federated_pneumonia_detection.server.service import Service
from federated_pneumonia_detection.server.settings import ServerSettings
from federated_pneumonia_detection.server.sockets import bind, port_of, url_of

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["BackgroundServer", "collect_seldom", "running", "serve"]

log = logging.getLogger(__name__)

PING_EVERY_S = 20.0
GREATEST_VIEWER_MESSAGE_BYTES = 64 * 1024
CLOSES_WITHIN_S = 5


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _CtrlC:
    """Within it a Ctrl-C raises as ever, and is remembered: Python drops an exception that meets a finaliser."""

    def __init__(self) -> None:
        self.came = False
        self._is_held = False
        self._before: Any = None

    def __enter__(self) -> Self:
        is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_ours and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it one is remembered alone: for what is short, and calls finalisers."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        if not self._is_held:
            raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """uvicorn, which ends streams and long polls when it is told to stop, and dies of no signal by itself."""

    def __init__(self, service: Service, on_ready: Callable[[], None], ctrl_c: _CtrlC | None = None) -> None:
        settings = service.settings
        http, viewer = protocols(service.doors)
        config = uvicorn.Config(
            create_app(service=service),
            http=http,
            ws=viewer,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PING_EVERY_S,
            ws_max_size=GREATEST_VIEWER_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # frames are small; compressing each for each viewer costs more than it saves
            timeout_graceful_shutdown=CLOSES_WITHIN_S,
            log_config=None,  # `logs.keeping` has the handlers
            access_log=False,
            server_header=False,
            proxy_headers=False,  # `proxy.BehindProxy` reads them, where there is a proxy
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            lifespan="on",
        )
        super().__init__(config)
        self.service = service
        self.stopped_by: signal.Signals | None = None
        self.last_lines: list[str] = []
        self._on_ready = on_ready
        self._ctrl_c = ctrl_c

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def main_loop(self) -> None:
        """Serve until it is told to stop, which it may have been while it started."""
        if self._ctrl_c is not None and self._ctrl_c.came:
            self.handle_exit(signal.SIGINT, None)
        await super().main_loop()

    def _what_goes_on(self) -> list[str]:
        """The lines that say which trainings go on without the server."""
        supervisor = self.service.supervisor
        running = [job for job in supervisor.running() if not self.service.has_ended(job.run_id)]
        waiting = supervisor.waiting()
        lines = [f"Still training: {job.run_id} ({job.experiment_name})" for job in running]
        lines += [f"Still waiting: {job.run_id} ({job.experiment_name})" for job in waiting]
        return [*lines, "The next `fpd serve` on this log directory takes them over."] if lines else []

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits, then close viewers (1012) and the rest."""
        self.service.closing.set()
        self.last_lines = await run_in_threadpool(self._what_goes_on)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at a second Ctrl-C at once."""
        self.stopped_by = signal.Signals(sig)
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but without raising the signals again at the end: the caller has a last line to say."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _open(settings: ServerSettings) -> Service:
    """The service over `settings`.

    Raises:
        ServerError: its database is held by another server, or its directory cannot be used.
    """
    try:
        return make_service(settings)
    except HubError as error:
        raise ServerError(str(error)) from error
    except OSError as error:
        raise ServerError(
            f"log directory {settings.log_dir}: {error.strerror or error}; name one that can be written with --log-dir"
        ) from error


def _raise_open_files() -> None:
    """Let this process hold as many connections as the machine lets it: each viewer is an open file."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # a machine may say unlimited and mean less
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def collect_seldom() -> None:
    """Have Python look for cycles seldom, and never at what this process keeps for good.

    Messages on their way into the log are many objects and no cycles: at its defaults the collector took a fifth of the
    time in which a long journal is caught up with. For a process that is ours alone.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def serve(
    settings: ServerSettings,
    *,
    on_ready: Callable[[str], None] | None = None,
    say: Callable[[str], None] = _say,
) -> signal.Signals | None:
    """Serve until SIGINT or SIGTERM. Trainings go on; the last lines say which.

    Args:
        settings: what to serve, and where.
        on_ready: called with the server's address once it answers.
        say: takes each line meant for the terminal.

    Returns:
        The signal that ended it.

    Raises:
        ServerError: it cannot start; its text is one line for the terminal.
    """
    see_to_tls(settings)
    _raise_open_files()
    sockets = bind(settings.host, settings.port)
    try:
        url = url_of(sockets, secure=settings.tls_cert is not None)

        def ready() -> None:
            say(f"Serving on {url} (journals in {settings.log_dir}). Ctrl-C stops the server, not the runs.")
            if on_ready is not None:
                on_ready(url)

        with _CtrlC() as ctrl_c, keeping(settings.log_dir, port_of(sockets)) as kept:
            service = _open(settings)
            service.log = kept
            server = _Server(service, ready, ctrl_c)
            with ctrl_c.held():
                collect_seldom()
            log.info("serving", extra={"url": url, "version": __version__, "log_dir": str(settings.log_dir)})
            server.run(sockets=sockets)
            log.info("stopped", extra={"by": server.stopped_by.name if server.stopped_by else None})
        for line in server.last_lines:
            say(line)
    finally:
        for listener in sockets:
            listener.close()
    return server.stopped_by


class BackgroundServer:
    """A server on a thread of its own, for a program that does something else in front."""

    def __init__(self, url: str, service: Service, server: _Server, thread: threading.Thread) -> None:
        self.url = url
        self.service = service
        self._server = server
        self._thread = thread

    def stop(self) -> None:
        """Stop it and wait for its end; trainings go on."""
        self._server.should_exit = True
        self._thread.join()


@contextmanager
def running(settings: ServerSettings, *, service: Service | None = None) -> Iterator[BackgroundServer]:
    """Serve on a thread while the `with` block runs.

    Raises:
        ServerError: it cannot start.
    """
    see_to_tls(settings)
    sockets = bind(settings.host, settings.port)
    ready = threading.Event()
    try:
        service = service or _open(settings)
        server = _Server(service, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, name="server", daemon=True)
        thread.start()
        while not ready.wait(0.05):
            if not thread.is_alive():
                raise ServerError("the server ended while it was starting; its output says why")
        background = BackgroundServer(
            url_of(sockets, secure=settings.tls_cert is not None), server.service, server, thread
        )
        try:
            with keeping(settings.log_dir, port_of(sockets)) as service.log:
                yield background
        finally:
            background.stop()
    finally:
        for listener in sockets:
            listener.close()
