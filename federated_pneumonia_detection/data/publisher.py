"""PneumoniaMNIST from its publisher: downloaded once, checked, kept; given up soon where there is no network."""

from __future__ import annotations

import hashlib
import http.client
import os
import queue
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from federated_pneumonia_detection.data.errors import DataError

__all__ = ["PUBLISHER_MD5", "PUBLISHER_NAME", "PUBLISHER_URL", "OnProgress", "cached_file", "download"]

# MedMNIST v2 on Zenodo: Yang et al., Scientific Data 2023, CC BY 4.0.
PUBLISHER_URL = "https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1"
PUBLISHER_MD5 = "28209eda62fecd6e6a2d98b1501bb15f"
PUBLISHER_NAME = "pneumoniamnist.npz"

MAX_BYTES = 64 << 20
_CHUNK = 1 << 16

OnProgress = Callable[[int, int | None], None]


def cached_file(directory: Path) -> Path | None:
    """The file that an earlier download left in `directory`, if there is one."""
    path = directory / PUBLISHER_NAME
    return path if path.is_file() else None


def download(
    directory: Path,
    *,
    url: str = PUBLISHER_URL,
    md5: str = PUBLISHER_MD5,
    timeout_s: float = 5.0,
    limit_s: float = 120.0,
    on_progress: OnProgress | None = None,
) -> Path:
    """Fetch the data set into `directory` and return the file. Blocks.

    Args:
        directory: made where it is missing; the file appears in it complete, or not at all.
        url: where it is fetched from.
        md5: what its MD5 must be.
        timeout_s: how long to wait for an answer, and for each further piece.
        limit_s: how long the whole may take.
        on_progress: called with the bytes so far and, where known, of the whole.

    Raises:
        DataError: no answer, a wrong one, a wrong MD5, or the directory cannot be written to.
    """
    host = urllib.request.Request(url).host or url
    advice = "name a source yourself, set FPD_DATA, or use the word phantoms"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".download-", dir=directory)
    except OSError as error:
        raise DataError(f"nothing can be written here ({error.strerror})", str(directory), "set FPD_CACHE") from None
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            got = _fetch(url, out.write, timeout_s=timeout_s, limit_s=limit_s, on_progress=on_progress)
        if got != md5:
            raise DataError(f"what came has the MD5 {got}, not {md5}", host, f"try again later, or {advice}")
        path = directory / PUBLISHER_NAME
        partial.replace(path)
    except urllib.error.HTTPError as error:
        raise DataError(f"the publisher answered {error.code}", host, advice) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"no download ({_reason(error)})", host, advice) from None
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return path


def _fetch(
    url: str,
    write: Callable[[bytes], int],
    *,
    timeout_s: float,
    limit_s: float,
    on_progress: OnProgress | None,
) -> str:
    """Copy what `url` gives to `write`; return its MD5."""
    end = time.monotonic() + limit_s
    digest = hashlib.md5(usedforsecurity=False)
    so_far = 0
    pieces: queue.Queue[_Piece] = queue.Queue(maxsize=8)
    given_up = threading.Event()
    # A name server that is silent, or four addresses that are, take their own time, whatever timeout a socket has.
    # So a thread waits for them, and this one for the thread, as long as it likes.
    threading.Thread(target=_read, args=(url, timeout_s, pieces, given_up), name="download", daemon=True).start()
    try:
        while True:
            try:
                piece = pieces.get(timeout=timeout_s)
            except queue.Empty:
                raise TimeoutError("no answer in time") from None
            if piece.error is not None:
                raise piece.error
            if not piece.content:
                if piece.total is not None and so_far != piece.total:
                    raise OSError(f"it broke off after {so_far:,} of {piece.total:,} bytes")
                return digest.hexdigest()
            so_far += len(piece.content)
            if so_far > MAX_BYTES:
                raise OSError(f"more than {MAX_BYTES:,} bytes came")
            if time.monotonic() > end:
                raise TimeoutError(f"not complete after {limit_s:g} s")
            digest.update(piece.content)
            write(piece.content)
            if on_progress is not None:
                on_progress(so_far, piece.total)
    finally:
        given_up.set()


@dataclass(frozen=True)
class _Piece:
    """What the reading thread found: bytes (none: the end) and of how many, or what went wrong."""

    content: bytes = b""
    total: int | None = None
    error: Exception | None = None


def _read(url: str, timeout_s: float, pieces: queue.Queue[_Piece], given_up: threading.Event) -> None:
    def put(piece: _Piece) -> None:
        while not given_up.is_set():
            with suppress(queue.Full):
                pieces.put(piece, timeout=0.2)
                return

    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            while (content := answer.read1(_CHUNK)) and not given_up.is_set():
                put(_Piece(content, total))
            put(_Piece(total=total))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # an answer of 404 has a body, and holds its connection open
        put(_Piece(error=error))


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, socket.gaierror):
        return "no network, or no such host"
    if isinstance(inner, TimeoutError):
        return str(inner) if "complete" in str(inner) else "no answer in time"
    return (str(getattr(inner, "strerror", None) or inner) or type(inner).__name__)[:120]
