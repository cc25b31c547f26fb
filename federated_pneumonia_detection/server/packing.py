"""Long answers, compressed for whoever takes that."""

from __future__ import annotations

import zlib

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["packed", "takes_gzip"]

_LEAST_BYTES = 2048
"""Shorter answers are one packet either way."""
_LEVEL = 1
"""Of 6 MB of messages it leaves a ninth in 20 ms; the usual level takes three times as long for a fifteenth."""
_GZIP = 16 + zlib.MAX_WBITS


def packed(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """JSON as the answer to `request`, compressed where it takes gzip and the answer is worth it."""
    headers = {**headers, "vary": "accept-encoding"}
    if len(body) >= _LEAST_BYTES and takes_gzip(request.headers.get("accept-encoding", "")):
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        body = compressor.compress(body) + compressor.flush()
        headers["content-encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a request's `Accept-Encoding` names gzip (or anything) and does not forbid it."""
    weights: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        quality = parameters.replace(" ", "").removeprefix("q=")
        weights[name.strip()] = not quality or quality.strip("0.") != ""
    return weights.get("gzip", weights.get("*", False))
