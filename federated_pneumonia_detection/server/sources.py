"""What models are trained on: the sources below this server's data roots, their counts, and their images one by one.

Images of patients go to whoever may train on them, an operator, and to nobody else: to no page of another origin, into
no message and into no cache.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from starlette.requests import HTTPConnection
from starlette.responses import Response

from federated_pneumonia_detection.data import Catalogue, DataError, Split, open_catalogue
from federated_pneumonia_detection.progress.asked import find_asked
from federated_pneumonia_detection.progress.errors import CannotGoOn
from federated_pneumonia_detection.server.access.admission import is_secure
from federated_pneumonia_detection.server.access.origins import same_origin
from federated_pneumonia_detection.server.access.security import require
from federated_pneumonia_detection.server.events import RunId
from federated_pneumonia_detection.server.openapi import Answers, answers, refuses
from federated_pneumonia_detection.server.problems import Problem
from federated_pneumonia_detection.server.service import service_of
from federated_pneumonia_detection.server.trainings import allowed_source, is_allowed

__all__ = ["Named", "RunSource", "Source", "Sources", "router"]

MOST_SOURCES = 200
_LOOKED_THROUGH = 2_000
_KINDS = {".npz": "npz", ".csv": "csv", ".tsv": "csv", ".zip": "zip"}
# Folders that hold images of a class are sources; what others hold is looked at one level deep.
_CLASS_FOLDERS = frozenset({"normal", "pneumonia", "train", "val", "valid", "test"})
# A folder may change under the server; what was listed is looked at again after so long.
_FRESH_S = 30.0
_KEPT = 3


def _same_origin_only(connection: HTTPConnection) -> None:
    """Other pages of the same machine may read runs; patients' images they may not.

    Raises:
        Problem: 403.
    """
    origin = connection.headers.get("origin")
    scheme = "https" if is_secure(connection.scope) else "http"
    if origin is not None and not same_origin(origin, scheme, connection.headers["host"]):
        raise Problem(403, "A page of another origin may not see images.", "Open the server's own page.")


router = APIRouter(
    prefix="/api/data", tags=["data"], dependencies=[Depends(require("operator")), Depends(_same_origin_only)]
)

Kind = Literal["npz", "csv", "zip", "folder", "phantoms"]


class Named(msgspec.Struct, frozen=True):
    """A source that may be looked at: what to call it by, and what it is."""

    source_path: str
    name: str
    kind: Kind


class Sources(msgspec.Struct, frozen=True):
    """The sources below the data roots; `more` says that not all are listed."""

    sources: list[Named]
    more: bool = False


class Source(msgspec.Struct, frozen=True):
    """What a source holds.

    Attributes:
        source_path: what to ask for its images by.
        name: what a reader calls it.
        phantom: whether the images are generated, and are no X-rays.
        counts: images of each class in each split.
        labels: for each split the label of each image in order, 0 normal, 1 pneumonia, as one text of digits.
        notes: how splits came about that the source does not have.
        digest: of images and labels, as a run tells it; empty where that would need all pixels.
        image_size: at which size the digest is.
        seed: by which splits were cut.
    """

    source_path: str
    name: str
    phantom: bool
    counts: dict[str, dict[str, int]]
    labels: dict[str, str]
    notes: list[str]
    digest: str
    image_size: int
    seed: int


class RunSource(msgspec.Struct, frozen=True):
    """What a run was trained on, and whether it is still the same: `null` where only the counts could be compared."""

    run_id: str
    source: Source
    same: bool | None


SourcePath = Annotated[
    str,
    Query(max_length=4096, description="As in `POST …/train`: a path below a data root, or `phantoms`."),
]
ImageSize = Annotated[int, Query(ge=8, le=512, description="To which size a training brings the images.")]
Seed = Annotated[int, Query(ge=0, le=2**32 - 1, description="By which a source without splits is cut.")]


_PNG: Answers = {200: {"description": "A grey PNG.", "content": {"image/png": {}}}}


class _Shelf:
    """Catalogues that were opened a moment ago; one is opened at a time, the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: OrderedDict[tuple[Any, ...], tuple[float, Catalogue]] = OrderedDict()

    def take(self, source: str, image_size: int, seed: int) -> Catalogue:
        """The catalogue of a source, opened if it must be. Blocks.

        Raises:
            DataError: it is no source.
        """
        key = (source, _stamp(source), image_size, seed)
        with self._lock:
            now = time.monotonic()
            found = self._opened.get(key)
            if found is None or now - found[0] > _FRESH_S:
                found = (now, open_catalogue(source, image_size=image_size, seed=seed))
            self._opened[key] = found
            self._opened.move_to_end(key)
            while len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
            return found[1]


_shelf = _Shelf()


def _stamp(source: str) -> tuple[int, int]:
    try:
        status = Path(source).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _json(value: object) -> Response:
    # Names of folders and of hospitals' files: for whoever asked, and for no cache on the way.
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


@router.get("/sources", summary="Sources to look at", responses=answers(Sources, "Those there are.") | refuses(403))
def list_sources(request: Request) -> Response:
    """What lies in the data roots themselves; what lies deeper is asked for by its path."""
    found = {"phantoms": Named("phantoms", "phantoms", "phantoms")}
    roots = service_of(request).settings.data_roots
    for source in _below(roots):
        if len(found) > MOST_SOURCES:
            return _json(Sources(list(found.values())[:MOST_SOURCES], more=True))
        found.setdefault(source.source_path, source)
    return _json(Sources(list(found.values())))


@router.get(
    "/source",
    summary="What a source holds",
    responses=answers(Source, "Counts and labels.") | refuses(403, 422),
    response_class=Response,
)
def one_source(request: Request, source_path: SourcePath, image_size: ImageSize = 28, seed: Seed = 0) -> Response:
    """No image is read but those of an npz, which are read at once."""
    return _json(_described(_allowed(request, source_path), image_size, seed))


@router.get(
    "/images/{split}/{n}",
    summary="One image",
    responses=_PNG | refuses(403, 404, 422),
    response_class=Response,
)
def one_image(
    request: Request,
    split: Annotated[Split, InPath(description="train, val or test.")],
    n: Annotated[int, InPath(ge=0, le=10**9, description="Its place in the split, from 0.")],
    source_path: SourcePath,
    image_size: ImageSize = 28,
    seed: Seed = 0,
    side: Annotated[int, Query(ge=16, le=512, description="Side of the square in pixels.")] = 112,
) -> Response:
    """As a training sees it, the middle square of the picture, in the size that is shown."""
    source = _allowed(request, source_path)
    try:
        catalogue = _shelf.take(source, image_size, seed)
        count = len(catalogue.labels[split])
        if n >= count:
            raise Problem(404, f"There is no image {n} in {split}.", f"It has {count}, counted from 0.")
        if catalogue.files:
            _see_that_it_stays_inside(catalogue.files[split][n], Path(source), service_of(request).settings.data_roots)
        png = _as_png(catalogue.read(split, n, side))
    except DataError as error:
        raise _unusable(error) from None
    return Response(png, media_type="image/png", headers={"cache-control": "no-store"})


@router.get(
    "/runs/{run_id}",
    summary="What a run was trained on",
    responses=answers(RunSource, "Its source, as it is now.") | refuses(403, 404, 422),
    response_class=Response,
)
def source_of_run(request: Request, run_id: RunId) -> Response:
    """Of runs that were trained on this machine; what other machines train on stays there."""
    service = service_of(request)
    run = service.run(run_id)
    try:
        asked, _ = find_asked(run.run_id, service.settings.log_dir, service.settings.checkpoints)
    except CannotGoOn:
        raise Problem(
            404,
            f"What run {run.run_id!r} was trained on is not known here.",
            "It is known of runs that this machine trained, while their checkpoints are kept.",
        ) from None
    size, seed = asked.config.get("image_size"), asked.config.get("seed")
    source = _described(
        _allowed(request, asked.source),
        size if type(size) is int and 8 <= size <= 512 else 28,
        seed if type(seed) is int and 0 <= seed < 2**32 else 0,
    )
    same = source.digest == asked.digest if source.digest and asked.digest else None
    return _json(RunSource(run.run_id, source, same))


def _allowed(request: Request, given: str) -> str:
    return allowed_source(given, service_of(request).settings.data_roots)


def _described(source: str, image_size: int, seed: int) -> Source:
    try:
        catalogue = _shelf.take(source, image_size, seed)
    except DataError as error:
        raise _unusable(error) from None
    return Source(
        source,
        catalogue.name,
        catalogue.phantom,
        catalogue.counts(),
        {split: "".join(map(str, labels.tolist())) for split, labels in catalogue.labels.items()},
        catalogue.notes,
        catalogue.digest,
        image_size,
        seed,
    )


def _unusable(error: DataError) -> Problem:
    """What is wrong with a source, without the names of its files."""
    return Problem(
        422,
        f"source_path: {error.what}.",
        f"{error.right[:1].upper()}{error.right[1:]}.",
        errors=[{"where": "source_path", "wrong": error.what, "right": error.right}],
    )


def _see_that_it_stays_inside(file: Path, source: Path, roots: Iterable[Path]) -> None:
    """Refuse a link in a source that leads out of it.

    Raises:
        Problem: 403; what it leads to is not told.
    """
    folder = source if source.is_dir() else source.parent
    try:
        inside = is_allowed(file, (folder, *roots))
    except (OSError, RuntimeError):  # a loop of links
        inside = False
    if not inside:
        raise Problem(403, "This image is a link that leads out of the data roots.", "Put the file itself there.")


def _as_png(pixels: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _below(roots: Iterable[Path]) -> Iterable[Named]:
    """The sources that are a root, or lie in one."""
    for root in roots:
        if root.is_file():
            yield from _named(root)
            continue
        if _is_source_folder(root):
            yield from _named(root)
        try:
            with os.scandir(root) as entries:
                inside = sorted(Path(entry.path) for _, entry in zip(range(_LOOKED_THROUGH), entries, strict=False))
        except OSError:
            continue
        for path in inside:
            # A link may lead anywhere, and what it leads to may be asked for by its own path.
            if path.name.startswith(".") or path.is_symlink():
                continue
            if path.is_file() or _is_source_folder(path):
                yield from _named(path)


def _named(path: Path) -> Iterable[Named]:
    from federated_pneumonia_detection.data.sources import source_name

    kind = "folder" if path.is_dir() else _KINDS.get(path.suffix.lower())
    if kind is not None:
        yield Named(str(path.resolve()), source_name(path), kind)  # type: ignore[arg-type]  # one of the words of Kind


def _is_source_folder(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            names = {entry.name.lower() for _, entry in zip(range(_LOOKED_THROUGH), entries, strict=False)}
    except OSError:
        return False
    return len(names & _CLASS_FOLDERS) >= 2
