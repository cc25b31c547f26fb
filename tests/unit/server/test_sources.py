"""Sources and their images over HTTP: what is shown, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from PIL import Image

from federated_pneumonia_detection.data import make_phantoms
from federated_pneumonia_detection.progress.asked import Asked
from federated_pneumonia_detection.server.settings import ServerSettings

IMAGES = "/api/data/images/test"


@pytest.fixture
def xrays(settings: ServerSettings) -> Path:
    """A folder of four images in each split, below the data root."""
    folder = settings.data_roots[0] / "xrays"
    for split in ("train", "val", "test"):
        for name in ("NORMAL", "PNEUMONIA"):
            (folder / split / name).mkdir(parents=True)
            for index in range(2):
                Image.new("L", (40, 40), 100 * index + 20).save(folder / split / name / f"{index}.png")
    return folder


def _problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()


async def test_what_lies_in_a_data_root_is_listed_and_what_is_linked_to_is_not(
    client: httpx.AsyncClient, settings: ServerSettings, xrays: Path, tmp_path: Path
) -> None:
    root = settings.data_roots[0]
    (root / "list.csv").write_text("image,label\n")
    (root / "notes.txt").write_text("nothing")
    (tmp_path / "outside.npz").write_bytes(b"")
    (root / "link.npz").symlink_to(tmp_path / "outside.npz")

    answer = (await client.get("/api/data/sources")).json()

    assert [(one["name"], one["kind"]) for one in answer["sources"]] == [
        ("phantoms", "phantoms"),
        ("list", "csv"),
        ("xrays", "folder"),
    ]
    assert answer["more"] is False


async def test_a_source_tells_counts_and_the_label_of_each_image(client: httpx.AsyncClient, xrays: Path) -> None:
    answer = await client.get("/api/data/source", params={"source_path": str(xrays)})

    told = answer.json()
    assert told["counts"] == {split: {"normal": 2, "pneumonia": 2} for split in ("train", "val", "test")}
    assert told["labels"]["test"] == "0011"
    assert told["phantom"] is False
    assert answer.headers["cache-control"] == "no-store"


async def test_an_image_is_a_grey_png_of_the_size_asked_for_that_nothing_keeps(
    client: httpx.AsyncClient, xrays: Path
) -> None:
    answer = await client.get(f"{IMAGES}/1", params={"source_path": str(xrays), "side": 64})

    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (64, 64))
        assert image.getpixel((30, 30)) == 120
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "outside", ["/etc", "../outside", "/etc/../etc/passwd", "~", "data/../../etc", "\0", "x" * 4000]
)
@pytest.mark.parametrize("path", ["/api/data/source", f"{IMAGES}/0"])
async def test_what_lies_elsewhere_is_refused_and_not_told_apart_from_what_is_not_there(
    client: httpx.AsyncClient, xrays: Path, outside: str, path: str
) -> None:
    problem = _problem(await client.get(path, params={"source_path": outside}), 422)
    assert "source_path" in problem["title"]


async def test_a_link_to_a_source_elsewhere_is_refused(
    client: httpx.AsyncClient, settings: ServerSettings, xrays: Path, tmp_path: Path
) -> None:
    xrays.rename(tmp_path / "elsewhere")
    (settings.data_roots[0] / "link").symlink_to(tmp_path / "elsewhere")

    problem = _problem(
        await client.get("/api/data/source", params={"source_path": str(settings.data_roots[0] / "link")}), 422
    )
    assert "under no data root" in problem["title"]


async def test_an_image_that_is_a_link_out_of_its_source_is_refused(
    client: httpx.AsyncClient, xrays: Path, tmp_path: Path
) -> None:
    Image.new("L", (40, 40), 200).save(tmp_path / "secret.png")
    (xrays / "test" / "NORMAL" / "0.png").unlink()
    (xrays / "test" / "NORMAL" / "0.png").symlink_to(tmp_path / "secret.png")

    problem = _problem(await client.get(f"{IMAGES}/0", params={"source_path": str(xrays)}), 403)
    assert str(tmp_path) not in str(problem)
    assert (await client.get(f"{IMAGES}/1", params={"source_path": str(xrays)})).is_success


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{IMAGES}/4", 404),
        (f"{IMAGES}/-1", 422),
        (f"{IMAGES}/1?side=9999", 422),
        ("/api/data/images/all/1", 422),
        ("/api/data/images/test/../../../etc/passwd", 404),
        (f"{IMAGES}/%2e%2e%2f1", 404),
    ],
)
async def test_bad_places_are_problems(client: httpx.AsyncClient, xrays: Path, path: str, status: int) -> None:
    _problem(await client.get(path, params={"source_path": str(xrays)} if "side" not in path else None), status)


async def test_a_page_of_another_origin_sees_no_image_even_where_it_may_read_runs(client: httpx.AsyncClient) -> None:
    foreign = {"origin": "http://localhost:5173"}
    assert (await client.get("/api/runs", headers=foreign)).is_success
    _problem(await client.get(f"{IMAGES}/0?source_path=phantoms", headers=foreign), 403)
    own = {"origin": "http://localhost:8000"}
    assert (await client.get(f"{IMAGES}/0?source_path=phantoms", headers=own)).is_success


async def test_a_broken_image_is_a_problem_without_its_name(client: httpx.AsyncClient, xrays: Path) -> None:
    (xrays / "test" / "NORMAL" / "0.png").write_bytes(b"no image")

    problem = _problem(await client.get(f"{IMAGES}/0", params={"source_path": str(xrays)}), 422)
    assert "it is no image" in problem["title"]
    assert "0.png" not in str(problem)


@pytest.fixture
def asked(settings: ServerSettings) -> Any:
    def write(source: str, digest: str) -> None:
        folder = settings.checkpoints / "a-run"
        folder.mkdir(parents=True, exist_ok=True)
        word = Asked("a-run", "centralized", "A run", source, digest, {"image_size": 32, "seed": 3})
        (folder / "asked.json").write_bytes(msgspec.json.encode(word))

    return write


async def test_a_run_tells_what_it_was_trained_on_and_whether_that_is_still_the_same(
    client: httpx.AsyncClient, asked: Any
) -> None:
    _problem(await client.get("/api/data/runs/a-run"), 404)

    digest = make_phantoms(image_size=32, seed=3).digest
    for known, same in ((digest, True), ("another", False), ("", None)):
        asked("phantoms", known)
        told = (await client.get("/api/data/runs/a-run")).json()
        assert (told["run_id"], told["same"]) == ("a-run", same)
        assert (told["source"]["image_size"], told["source"]["seed"]) == (32, 3)


async def test_a_run_that_was_trained_on_what_no_data_root_holds_shows_none_of_it(
    client: httpx.AsyncClient, asked: Any, tmp_path: Path
) -> None:
    np.savez(tmp_path / "elsewhere.npz", x=np.zeros(1))
    asked(str(tmp_path / "elsewhere.npz"), "")
    _problem(await client.get("/api/data/runs/a-run"), 422)
