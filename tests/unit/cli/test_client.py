import httpx
import pytest

from federated_pneumonia_detection.cli.client import Client, ServerAway, ServerRefused


def _client(answer):
    client = Client("http://127.0.0.1:1/")
    client._http = httpx.Client(base_url=client.url, transport=httpx.MockTransport(answer))
    return client


def test_a_problem_of_the_server_is_one_line_with_its_status():
    def answer(_):
        return httpx.Response(422, json={"title": "epochs: it is -1.", "detail": "It must be\n 1 to 9."})

    with _client(answer) as client, pytest.raises(ServerRefused) as caught:
        client.runs()
    assert str(caught.value) == "epochs: it is -1. It must be 1 to 9."
    assert caught.value.status == 422


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]"])
def test_an_answer_that_is_no_problem_is_told_by_its_status(body):
    with _client(lambda _: httpx.Response(502, content=body)) as client, pytest.raises(ServerRefused, match="HTTP 502"):
        client.run("latest")


def _pages(*pages):
    """A server that answers each poll with the next page; an exception stands for being away."""
    left, asked = list(pages), []

    def answer(request):
        asked.append(dict(request.url.params))
        page = left.pop(0)
        if page is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json={"log_id": "L", "recovered": True, "messages": page})

    return answer, asked


def test_the_cursor_goes_on_where_it_was_when_the_server_comes_back(monkeypatch):
    monkeypatch.setattr("federated_pneumonia_detection.cli.client.time.sleep", lambda _: None)
    one, two = {"type": "a", "offset": 4}, {"type": "b", "offset": 7}
    answer, asked = _pages([one], None, None, [two], [])
    told = []
    with _client(answer) as client:
        feed = client.messages("r", patience_s=60, tell=told.append)
        assert [next(feed), next(feed), next(feed)] == [one, two, None]
    assert [ask["after"] for ask in asked] == ["0", "4", "4", "4", "7"]
    assert asked[-1]["log_id"] == "L"
    assert told == ["the server at http://127.0.0.1:1 is away; waiting for it"]


def test_without_patience_a_server_that_goes_away_ends_the_feed():
    answer, _ = _pages([], None)
    with _client(answer) as client:
        feed = client.messages("r")
        assert next(feed) is None
        with pytest.raises(ServerAway, match=r"no server answers at http://127\.0\.0\.1:1; start one"):
            next(feed)


def test_steps_have_no_offset_and_leave_the_cursor_alone():
    answer, asked = _pages([{"type": "step", "row": 3}], [])
    with _client(answer) as client:
        feed = client.messages("r")
        next(feed), next(feed)
    assert asked[1]["after"] == "0"
