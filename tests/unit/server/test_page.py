import httpx
import pytest

from federated_pneumonia_detection.server.settings import ServerSettings

HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def built(settings: ServerSettings) -> None:
    (settings.page_dir / "assets").mkdir(parents=True)
    (settings.page_dir / "index.html").write_text("<title>the page</title>")
    (settings.page_dir / "assets" / "main-1a2b.js").write_text("1")
    (settings.page_dir.parent / "secret.txt").write_text("secret")


async def test_without_a_built_page_it_says_how_to_build_it(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    assert "make install" in response.text


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/a-run", "/compare"])
async def test_the_page_answers_for_its_own_addresses(client: httpx.AsyncClient, built: None, path: str) -> None:
    response = await client.get(path, headers=HTML)
    assert "the page" in response.text
    assert response.headers["cache-control"] == "no-cache"


async def test_hashed_files_are_kept_for_ever(client: httpx.AsyncClient, built: None) -> None:
    response = await client.get("/assets/main-1a2b.js")
    assert response.text == "1"
    assert "immutable" in response.headers["cache-control"]
    assert "javascript" in response.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone.js",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2f..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/secret.txt%00",
        "/assets",
    ],
)
async def test_nothing_beside_the_page_is_served(client: httpx.AsyncClient, built: None, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_page_takes_no_posts(client: httpx.AsyncClient, built: None) -> None:
    response = await client.post("/runs")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
