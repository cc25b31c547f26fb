"""The dashboard, and the 404 of everything else.

Whatever no route took comes here: a file of the built page, the page itself for its own addresses, and a problem
document below `/api` and `/ws`, never the page.
"""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from federated_pneumonia_detection.server.problems import problem_response

__all__ = ["Fallback"]

_UNBUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>federated_pneumonia_detection</title></head>
<body><h1>The server is running; the page has not been built</h1>
<p>In a clone of the project <code>make install</code> builds it; an installed wheel brings it along.
Until then: <a href="/api/runs">the runs</a>, <a href="/docs">the API</a>.</p>
<p>For research, not a medical device.</p></body></html>
"""


class Fallback:
    """ASGI application for what no route took.

    Args:
        page_dir: the built dashboard; it may be missing.
    """

    def __init__(self, page_dir: Path) -> None:
        self.page_dir = page_dir
        self.files = StaticFiles(directory=page_dir, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what no route took."""
        if scope["type"] == "websocket":
            await _no_such_socket(scope, receive, send)
            return
        response = await self._response(scope)
        await response(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        path: str = scope["path"]
        if path.split("/")[1:2] in (["api"], ["ws"]):
            return _nothing_at(path)
        if scope["method"] not in ("GET", "HEAD"):
            return problem_response(
                405, f"{scope['method']} is not for {path}.", "It is read only.", headers={"allow": "GET, HEAD"}
            )
        if path != "/" and (found := await self._file(path, scope)) is not None:
            return found
        # A run may be called `dirichlet-0.3`; elsewhere a dot means a file that is not there.
        no_file = path.startswith("/runs/") or "." not in path.rsplit("/", 1)[-1]
        wants_page = path == "/" or (no_file and "text/html" in Headers(scope=scope).get("accept", ""))
        if not wants_page:
            return _nothing_at(path)
        index = self.page_dir / "index.html"
        if not index.is_file():
            return HTMLResponse(_UNBUILT)
        return FileResponse(index, media_type="text/html", headers={"cache-control": "no-cache"})

    async def _file(self, path: str, scope: Scope) -> Response | None:
        if "\0" in path or not self.page_dir.is_dir():
            return None
        try:
            response = await self.files.get_response(path.lstrip("/"), scope)
        except HTTPException:
            return None
        # Vite puts a hash of the content into the names below assets/, so those never change.
        lasting = path.startswith("/assets/")
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def _nothing_at(path: str) -> Response:
    return problem_response(
        404, f"There is nothing at {path[:200]}.", "/docs lists what there is.", instance=path[:200]
    )


async def _no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    response = _nothing_at(scope["path"])
    await receive()
    await send({"type": "websocket.http.response.start", "status": 404, "headers": response.raw_headers})
    await send({"type": "websocket.http.response.body", "body": bytes(response.body)})
