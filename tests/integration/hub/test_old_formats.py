"""Journals, documents and a database as the first version wrote them open for ever: `recordings/format-1` is never made
anew."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress.document import Document
from federated_pneumonia_detection.progress.framing import Damage
from federated_pneumonia_detection.progress.reading import Gap, JournalReader

FORMAT_1 = Path(__file__).parents[2] / "recordings" / "format-1"
EXPECTED: dict[str, Any] = json.loads((FORMAT_1 / "expected.json").read_text())
WRITTEN_AT = "/srv/hospital/progress"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A copy of the recording."""
    shutil.copytree(FORMAT_1, tmp_path / "kept")
    return tmp_path / "kept"


@pytest.fixture
def opened(kept: Path) -> Iterator[Callable[[Path], Hub]]:
    """Open a hub over the copied journals and a database."""
    made: list[Hub] = []

    def open_hub(database: Path) -> Hub:
        hub = Hub(SqlStore(f"sqlite:///{database}"))
        made.append(hub)
        hub.follow(str(kept / "progress"))
        hub.start()
        return hub

    yield open_hub
    for hub in made:
        hub.close()


def told(hub: Hub) -> dict[str, dict[str, Any]]:
    """What the recording expects of each run."""
    found = {}
    for run in hub.runs():
        expected = EXPECTED["runs"][run.run_id]
        known = {name: getattr(run, name) for name in expected if name != "clients"}
        found[run.run_id] = {**known, "tags": list(run.tags), "clients": [client.client_id for client in run.clients]}
    return found


def by_writer(messages: list[dict[str, Any]]) -> dict[tuple[str, Any], list[dict[str, Any]]]:
    """Messages without their offsets, by run and client: the order between writers means nothing."""
    found: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for message in messages:
        said = {name: value for name, value in message.items() if name != "offset"}
        # The name was given through the hub, another writer of the same run.
        by = "hub" if message["type"] == "run_edited" else message.get("client_id")
        found.setdefault((message["run_id"], by), []).append(said)
    return found


def test_a_database_of_format_1_is_the_same_log_and_its_messages_have_the_same_offsets(
    kept: Path, opened: Callable[[Path], Hub]
) -> None:
    hub = opened(kept / "hub.sqlite3")

    assert (hub.log_id, hub.top) == (EXPECTED["log_id"], EXPECTED["top"])
    assert [json.loads(message) for message in hub.events(after=0).messages if b'"offset"' in message] == [
        message for message in EXPECTED["messages"] if "offset" in message
    ]
    assert told(hub) == EXPECTED["runs"]
    for run_id, rows in EXPECTED["rows"].items():
        steps = hub._ledger.store.steps(run_id=run_id)
        assert [[step.client_id, step.phase, step.row, step.n] for step in steps] == rows


def test_a_database_of_format_1_goes_on_where_its_journals_were_read(kept: Path) -> None:
    database = kept / "hub.sqlite3"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE places SET path = replace(path, ?, ?)", (WRITTEN_AT, str(kept / "progress")))
    connection.close()
    store = SqlStore(f"sqlite:///{database}")

    for place in store.places():
        reader = JournalReader(place.path, byte=place.byte, n=place.n, writer=place.writer)
        assert [entry for entry in reader.read() if getattr(entry, "type", "damage") != "journal_end"] == []
    assert len(store.places()) == len(list((kept / "progress").glob("*.jsonl")))
    store.close()


def test_journals_of_format_1_give_the_same_log_without_their_database(
    kept: Path, opened: Callable[[Path], Hub]
) -> None:
    hub = opened(kept / "new.sqlite3")

    messages = [json.loads(message) for message in hub.events(after=0).messages]
    assert by_writer([m for m in messages if "offset" in m]) == by_writer(
        [m for m in EXPECTED["messages"] if "offset" in m]
    )
    assert told(hub) == EXPECTED["runs"]


@pytest.mark.parametrize("journal", sorted(path.name for path in (FORMAT_1 / "progress").glob("*.jsonl")))
def test_each_line_of_a_journal_of_format_1_is_whole(journal: str) -> None:
    reader = JournalReader(FORMAT_1 / "progress" / journal)
    entries = reader.read()

    assert reader.header is not None
    assert reader.header.format == 1
    assert [entry for entry in entries if isinstance(entry, Damage | Gap)] == []
    assert [entry.n for entry in entries if not isinstance(entry, Damage | Gap)] == list(range(1, len(entries) + 1))
    assert reader.ended


@pytest.mark.parametrize("name", sorted(path.name for path in (FORMAT_1 / "progress").glob("*.json")))
def test_a_document_of_format_1_holds_what_its_journals_say_today(kept: Path, name: str) -> None:
    written = json.loads((FORMAT_1 / "progress" / name).read_text())
    metadata = written["metadata"]
    document = Document(kept / "progress", metadata["run_id"], metadata["client_id"])
    document.replace()
    today = json.loads(document.path.read_text())

    # What later versions add is theirs, and the hub spoke after it; nothing that stood there may be gone or changed.
    for part in (written["metadata"], today["metadata"]):
        part.pop("updated_at")
    assert today["metadata"] | metadata == today["metadata"]
    assert [message for message in today["epochs"] if message in written["epochs"]] == written["epochs"]
    assert (today["current_epoch"], today.get("current_round")) == (
        written["current_epoch"],
        written.get("current_round"),
    )
