"""What is no shipment, and what each fault is called."""

from __future__ import annotations

from typing import Any

import pytest
from shipments import WHEN, body, end_line, first_line, header, line, round_end

from federated_pneumonia_detection.hub.errors import ShipmentRefused
from federated_pneumonia_detection.hub.shipping.shipment import parse, written_by
from federated_pneumonia_detection.progress.framing import encode_line

SITE = frozenset({"ward"})


def test_a_first_line_and_lines_are_a_shipment() -> None:
    shipment = parse(body(line(4), round_end(5), end_line(6)))

    assert shipment.header == header()
    assert [(one.n, one.type) for one in shipment.lines] == [(4, "said"), (5, "round_end"), (6, "journal_end")]


def test_a_first_line_alone_is_one() -> None:
    assert parse(first_line()).lines == []


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00", "2026-03-29T02:30:00"])
def test_the_senders_clock_is_its_own(stamp: str) -> None:
    assert parse(body(line(1, timestamp=stamp))).lines[0].n == 1


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "';DROP TABLE runs;--", "\u202eoruc", "a" * 500])
def test_a_metric_may_be_called_anything_of_a_bearable_length(name: str) -> None:
    assert parse(body(round_end(1, eval_metrics={name: 0.5}))).lines[0].n == 1


def test_a_type_that_nobody_knows_is_a_message_too() -> None:
    assert parse(body(line(1, "__import__('os')", data={"deep": [1, {"x": None}]}))).lines[0].type == "__import__('os')"


def test_a_key_that_nobody_knows_is_kept() -> None:
    assert b'"added_in_2031":1' in parse(body(round_end(1, added_in_2031=1))).lines[0].body


WRONG: list[tuple[bytes, str, int | None, int | None]] = [
    # body, a piece of the words, the line and the message to blame
    (b"", "is empty", None, None),
    (b"\n", "Line 1", 1, None),
    (b"{}", "not whole", None, None),
    (b"not a journal\n", "Line 1", 1, None),
    (body()[:-1], "not whole", None, None),
    (line(1), "Line 1", 1, None),
    (body(format=99), "format is 99", 1, None),
    (body(mode="hub"), "a hub's own journal", 1, None),
    (body(shipped=True, site="x"), "was shipped here", 1, None),
    (body(run_id="../../x"), "run id '../../x'", 1, None),
    (body(run_id="/etc/passwd"), "run id", 1, None),
    (body(run_id=""), "run id", 1, None),
    (body(run_id="r" * 201), "run id", 1, None),
    (body(run_id="a\nb"), "run id", 1, None),
    (body(client_id="..\\x"), "client id", 1, None),
    (body(client_id=""), "client id", 1, None),
    (body(client_id="c" * 10_000), "Line 1", 1, None),
    (body(writer="../w"), "writer", 1, None),
    (body(writer=""), "writer", 1, None),
    (body(host="h" * 2000), "too long", 1, None),
    (body(broadcast_interval=1e6), "Line 1", 1, None),
    (body(hears=["x" * 20_000]), "too long", 1, None),
    (body(b"\n"), "Line 2 is damaged: an empty line", 2, None),
    (body(line(1)[:-20] + b"\n"), "Line 2 is damaged", 2, None),
    (body(line(1), line(2).replace(b"said", b"sajd")), "Line 3 is damaged: its checksum", 3, None),
    (body(first_line()), "Line 2 (message 0)", 2, 0),
    (body(line(1), line(3)), "message 3 follows message 1", 3, None),
    (body(line(3), line(2)), "message 2 follows message 3", 3, None),
    (body(line(3), line(3)), "message 3 follows message 3", 3, None),
    (body(end_line(1), line(2)), "after the journal's end", 3, None),
    (body(encode_line(b'{"type":"said","timestamp":"x"}', 1)), "timestamp is no time", 2, 1),
    (body(line(1, timestamp=None)), "timestamp is no time", 2, 1),
    (body(line(1, timestamp=5)), "Line 2", 2, None),
    (body(line(1, "journal_died")), "no logger writes", 2, 1),
    (body(line(1, "subscribed")), "no logger writes", 2, 1),
    (body(line(1, "t" * 201)), "no logger writes", 2, 1),
    (body(line(1, "")), "no logger writes", 2, 1),
    (body(line(1, "round_end", round=1)), "fit_metrics", 2, 1),
    (body(line(1, "epoch_end", epoch="one", total_epochs=1, phase="val", metrics={})), "epoch", 2, 1),
    (body(round_end(1, eval_metrics={"a": [1]})), "eval_metrics", 2, 1),
    (body(round_end(1, eval_metrics={"m" * 10_240: 1})), "10240 characters", 2, 1),
    (body(round_end(1, eval_metrics={f"m{i}": 1 for i in range(10_000)})), "10000 metrics", 2, 1),
    (body(line(1, run_id="other")), "`run_id` is the hub's", 2, 1),
    (body(line(1, offset=1)), "`offset` is the hub's", 2, 1),
    (body(line(1, row=1)), "`row` is the hub's", 2, 1),
    (body(line(1, received=WHEN)), "`received` is the hub's", 2, 1),
    (body(line(1, "alert", level="info", title="t", text="t", about="lost:1")), "`about` is the hub's", 2, 1),
    (body(line(1, client_id=5)), "client_id is no name", 2, 1),
    (body(line(1, client_id="c" * 10_240)), "client_id is no name", 2, 1),
    (body(line(1, data="x" * (256 * 1024))), "bytes", 2, 1),
    (body(encode_line(b'{"type":"said","timestamp":"%b","x":NaN}' % WHEN.encode(), 1)), "Line 2", 2, None),
    (body(encode_line(b'{"type":"said","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 1)), "Line 2", 2, None),
    (body(encode_line(b'{"type":"said","timestamp":"%b","x":"\xff"}' % WHEN.encode(), 1)), "Line 2", 2, None),
    (
        body(encode_line(b'{"type":"said","type":"training_complete","timestamp":"%b"}' % WHEN.encode(), 1)),
        "type",
        2,
        1,
    ),
]


@pytest.mark.parametrize(
    ("batch", "words", "number", "n"), WRONG, ids=[f"{i}-{w[1][:20]}" for i, w in enumerate(WRONG)]
)
def test_what_is_wrong_is_told_with_its_line(batch: bytes, words: str, number: int | None, n: int | None) -> None:
    with pytest.raises(ShipmentRefused) as refused:
        parse(batch)

    assert refused.value.why == "malformed"
    assert words in str(refused.value)
    assert refused.value.right
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
    assert (refused.value.line, refused.value.n) == (number, n)


def _may(*lines: bytes, clients: frozenset[str] = SITE, **facts: Any) -> None:
    written_by(parse(body(*lines, **facts)), "the-site", clients)


def test_a_site_writes_for_its_clients() -> None:
    _may(line(1), line(2, "run_start", experiment_name="e", mode="federated"), round_end(3), end_line(4))
    _may(line(1, "training_error", error="its own part"))


@pytest.mark.parametrize("end", ["training_complete", "training_error", "training_cancelled"])
def test_a_site_ends_no_run(end: str) -> None:
    keys = {"training_complete": {"final_metrics": {}}, "training_error": {"error": "e"}}.get(end, {})
    with pytest.raises(ShipmentRefused, match=f"{end} without a client_id would end the whole run") as refused:
        _may(line(1), line(2, end, client_id=None, **keys))
    assert (refused.value.why, refused.value.line, refused.value.n) == ("not_allowed", 3, 2)


def test_a_site_does_not_speak_for_the_run() -> None:
    with pytest.raises(ShipmentRefused, match="speaks for the whole run"):
        _may(line(1, client_id=None))


def test_a_site_does_not_speak_for_another_client_in_its_own_journal() -> None:
    with pytest.raises(ShipmentRefused, match="client 'other''s, in the journal of 'ward'"):
        _may(round_end(1, client_id="other"))


def test_a_site_does_not_write_another_sites_client() -> None:
    with pytest.raises(ShipmentRefused, match="may not write for client 'other'") as refused:
        _may(client_id="other")
    assert refused.value.n is None


def test_a_site_does_not_write_a_runs_own_journal() -> None:
    with pytest.raises(ShipmentRefused, match="may not write a run's own journal"):
        _may(client_id=None)
