"""The FastAPI application: routes, guard, problem documents, page, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import federated_pneumonia_detection
from federated_pneumonia_detection.config import CentralizedRequest, FederatedRequest
from federated_pneumonia_detection.hub.errors import DatabaseAway, UnknownRun
from federated_pneumonia_detection.hub.state import RunState
from federated_pneumonia_detection.server import (
    alerts,
    cancelling,
    centralized_endpoints,
    configuration,
    docs_page,
    events,
    federated_endpoints,
    health,
    ingest,
    openapi,
    pausing,
    problems,
    pruning,
    resuming,
    runs,
    sources,
)
from federated_pneumonia_detection.server.access import session
from federated_pneumonia_detection.server.access.authority import Authority
from federated_pneumonia_detection.server.access.exposure import checked_tokens, names_of
from federated_pneumonia_detection.server.access.proxy import BehindProxy
from federated_pneumonia_detection.server.access.security import Guard
from federated_pneumonia_detection.server.database import open_hub
from federated_pneumonia_detection.server.keeping import Pruned, PrunedRun
from federated_pneumonia_detection.server.page import Fallback
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import Service, no_run
from federated_pneumonia_detection.server.settings import ServerSettings
from federated_pneumonia_detection.server.supervision import Supervisor
from federated_pneumonia_detection.server.telling.notify_file import NOTHING, read_notify
from federated_pneumonia_detection.server.telling.rules import Rule
from federated_pneumonia_detection.server.telling.targets import open_targets
from federated_pneumonia_detection.server.trainings import Accepted

__all__ = ["create_app", "make_service"]

DESCRIPTION = """Start chest X-ray trainings, centralised or federated, and watch them live.

The same messages come by WebSocket (`/ws/training-progress`), Server-Sent Events (`/api/stream`) and long poll
(`/api/events`); each carries an `offset`, and `after=OFFSET&log_id=LOG` resumes anywhere. Errors are RFC 9457 problem
documents. For research, not a medical device."""


def make_service(settings: ServerSettings) -> Service:
    """The parts of a server, not started yet.

    Raises:
        StoreHeld: another server keeps the database.
        ServerError: it demands tokens, and none holds; or somebody is to be told, and Apprise is missing.
        ConfigError: the file that says who is told of what cannot be used.
        OSError: the log directory cannot be made or written.
    """
    notify = NOTHING if settings.notify is None else read_notify(settings.notify)
    targets = open_targets(notify.targets)
    authority = Authority(checked_tokens(settings))
    # The hub asks the supervisor how a process ended, the supervisor asks the hub how a run stands.
    supervisor = Supervisor(settings, lambda: hub)
    hub = open_hub(settings, supervisor.death_report)
    return Service(settings, hub, supervisor, authority=authority, notify=notify, targets=targets)


async def _on_unknown_run(request: Request, error: Exception) -> Response:
    """A run that was there when we looked and is not any more."""
    wrong = no_run(str(getattr(error, "run_id", "")))
    return problems.problem_response(404, wrong.title, wrong.right, instance=request.url.path)


async def _on_database_away(request: Request, error: Exception) -> Response:
    """A database that restarts, or that too many read at once."""
    return problems.problem_response(
        503,
        "The database cannot be read for now.",
        "Nothing is lost; try again in a moment.",
        instance=request.url.path,
        headers={"retry-after": "1"},
    )


def create_app(settings: ServerSettings | None = None, *, service: Service | None = None) -> FastAPI:
    """The application over `settings`; its hub starts and stops with it.

    Args:
        settings: what it is told; the defaults where left out.
        service: its parts, where somebody made them already.
    """
    parts = service or make_service(settings or ServerSettings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(parts.start)
        watching = asyncio.create_task(parts.authority.watch()) if parts.authority.demands_tokens else None
        try:
            yield
        finally:
            parts.closing.set()
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
            await run_in_threadpool(parts.close)

    app = FastAPI(
        title="federated_pneumonia_detection",
        version=federated_pneumonia_detection.__version__,
        summary="Chest X-ray training, watched live.",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = parts
    problems.install(app)
    app.add_exception_handler(UnknownRun, _on_unknown_run)
    app.add_exception_handler(DatabaseAway, _on_database_away)
    app.add_middleware(events.Viewers)  # within the guard: middleware that is added later is further out
    app.add_middleware(Guard, names=names_of(parts.settings), admission=parts.admission, refusals=parts.refusals)
    if parts.settings.behind_proxy:
        app.add_middleware(BehindProxy, addresses=parts.settings.proxy_addresses, refusals=parts.refusals)
    for family in (
        runs,
        cancelling,
        pausing,
        resuming,
        pruning,
        alerts,
        events,
        centralized_endpoints,
        federated_endpoints,
        configuration,
        health,
        ingest,
        session,
        sources,
    ):
        app.include_router(family.router)

    @app.get("/ws/training-progress", include_in_schema=False)
    async def not_a_page() -> Response:
        raise Problem(
            426, "This is a WebSocket.", "Connect with ws://, or poll /api/events.", headers={"upgrade": "websocket"}
        )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page.render(app.openapi()))

    app.router.default = Fallback(parts.settings.page_dir)
    openapi.install(
        app,
        structs=[
            runs.RunList,
            RunState,
            Accepted,
            cancelling.CancelAnswer,
            pausing.PauseAnswer,
            resuming.ResumeAnswer,
            resuming.Checkpoints,
            Pruned,
            PrunedRun,
            ingest.Acknowledged,
            alerts.AlertList,
            alerts.RuleList,
            Rule,
            session.Session,
            sources.Sources,
            sources.Source,
            sources.RunSource,
        ],
        models=[
            runs.RunEdit,
            cancelling.CancelRequest,
            pausing.PauseRequest,
            resuming.ResumeRequest,
            pruning.PruneRequest,
            CentralizedRequest,
            FederatedRequest,
            session.SignIn,
            alerts.RuleBody,
        ],
    )
    return app
