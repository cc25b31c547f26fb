"""The publisher, played by a server on loopback: whole, wrong, slow, silent, gone."""

import hashlib
import http.server
import socket
import threading
import time

import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.publisher import PUBLISHER_MD5, PUBLISHER_NAME, PUBLISHER_URL, download

CONTENT = bytes(range(256)) * 1000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Publisher(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = {"/busy": 503, "/gone": 404}.get(self.path, 200)
        self.send_response(status)
        if self.path != "/nolength":
            self.send_header("Content-Length", str(len(CONTENT) if status == 200 else 0))
        self.end_headers()
        if status != 200:
            return
        if self.path == "/stalls":
            self.wfile.write(CONTENT[:1000])
            self.wfile.flush()
            self.server.stop.wait(20)
        elif self.path == "/trickles":
            for number in range(1000):
                if self.server.stop.wait(0.05):
                    return
                self.wfile.write(CONTENT[number : number + 1])
        elif self.path == "/short":
            self.wfile.write(CONTENT[:-1000])
        else:
            self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.handle_error = lambda *_: None  # those who give up hang up
    server.stop = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent():
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_download_is_checked_kept_and_told_piece_by_piece(url, tmp_path):
    told = []
    path = download(tmp_path / "cache", url=url, md5=MD5, on_progress=lambda done, of: told.append((done, of)))
    assert path == tmp_path / "cache" / PUBLISHER_NAME
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert list(path.parent.iterdir()) == [path]


def test_a_publisher_that_does_not_say_how_long_it_is_is_fine(url, tmp_path):
    told = []
    download(tmp_path, url=f"{url}/nolength", md5=MD5, on_progress=lambda *both: told.append(both))
    assert told[-1] == (len(CONTENT), None)


@pytest.mark.parametrize(
    ("path", "md5", "what"),
    [
        pytest.param("/", PUBLISHER_MD5, f"what came has the MD5 {MD5}, not {PUBLISHER_MD5}", id="wrong MD5"),
        pytest.param("/short", MD5, "broke off after 255,000 of 256,000 bytes", id="cut short"),
        pytest.param("/gone", MD5, "answered 404", id="404"),
        pytest.param("/busy", MD5, "answered 503", id="503"),
        pytest.param("/stalls", MD5, "no answer in time", id="stalls"),
        pytest.param("/trickles", MD5, "not complete after 0.6 s", id="trickles"),
    ],
)
def test_what_is_not_the_data_set_is_told_and_leaves_nothing(url, tmp_path, path, md5, what):
    began = time.monotonic()
    with pytest.raises(DataError) as caught:
        download(tmp_path, url=url + path, md5=md5, timeout_s=0.5, limit_s=0.6)
    assert what in caught.value.what
    assert caught.value.where.startswith("127.0.0.1:")
    assert "FPD_DATA" in caught.value.right
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 5


def test_a_publisher_that_never_answers_is_given_up(silent, tmp_path):
    began = time.monotonic()
    with pytest.raises(DataError, match="no answer in time"):
        download(tmp_path, url=silent, md5=MD5, timeout_s=0.3)
    assert time.monotonic() - began < 5


def test_nobody_there_is_told_at_once(free_port, tmp_path):
    with pytest.raises(DataError, match="refused"):
        download(tmp_path, url=f"http://127.0.0.1:{free_port}", md5=MD5)


def test_a_name_server_that_is_silent_is_given_up(tmp_path, monkeypatch):
    """Name servers have timeouts of their own, of half a minute, which no socket option shortens."""
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    began = time.monotonic()
    with pytest.raises(DataError, match="no answer in time"):
        download(tmp_path, timeout_s=0.3)
    assert time.monotonic() - began < 5
    release.set()


def test_no_such_host_is_told_as_no_network(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match="no network, or no such host") as caught:
        download(tmp_path)
    assert caught.value.where == "zenodo.org"


def test_a_cache_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="nothing can be written here") as caught:
        download(tmp_path / "file" / "cache", url="http://127.0.0.1:9", md5=MD5)
    assert caught.value.right == "set FPD_CACHE"


def test_the_publishers_address_is_https():
    assert PUBLISHER_URL.startswith("https://zenodo.org/")
