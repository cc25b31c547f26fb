"""`kill -9` before, after and amid each write, rename, link, sync, lock, commit and send: nothing is lost by it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kill_everywhere
import pytest
import storm

from federated_pneumonia_detection.hub import Hub
from federated_pneumonia_detection.hub.state import ended
from federated_pneumonia_detection.hub.stores.memory_store import MemoryStore
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.progress.framing import Line
from federated_pneumonia_detection.progress.reading import Gap, JournalReader

SCRIPT = str(Path(kill_everywhere.__file__))
KILLS_OF = {"training": 70, "hospital": 75}
"""How many kills there are at least; fewer, and the failpoints miss something."""


def kill_all(what: str, folder: Path, *more: str) -> list[dict[str, Any]]:
    """Every kill of the script, as it tells them."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, SCRIPT, what, str(folder), *more], stdout=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def told(message: dict[str, Any]) -> str:
    """A message as the script names it."""
    number = "" if message["type"] == "run_start" else f" {message.get('epoch', message.get('round'))}"
    return message["type"] + number


def journal_of(directory: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """The run and the whole lifecycle messages of the one journal that a killed writer left, if it left one."""
    paths = list(directory.glob("*.jsonl"))
    assert len([path for path in paths if ".hub" not in path.name]) <= 1
    for path in paths:
        reader = JournalReader(path)
        entries = [*reader.read(), *reader.finish()]
        assert reader.header is not None, "whoever sees the name sees the first line"
        assert not any(isinstance(entry, Gap) for entry in entries)
        lines = [entry for entry in entries if isinstance(entry, Line)]
        assert [line.n for line in lines] == list(range(1, len(lines) + 1)), "only the end may be torn"
        messages = [json.loads(line.body) for line in lines if line.type not in ("step", "journal_end")]
        return reader.header.run_id, messages
    return None, []


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(MemoryStore())
    yield hub
    hub.close()


@pytest.mark.parametrize("what", list(KILLS_OF))
def test_a_writer_killed_anywhere_has_lost_no_message_whose_call_returned(
    what: str, tmp_path: Path, hub: Hub, wait_until: Callable[..., None]
) -> None:
    kills = kill_all(what, tmp_path / "kills")
    assert sum(kill["killed"] for kill in kills) >= KILLS_OF[what], Counter(kill["point"] for kill in kills)
    assert {"write", "link", "replace", "fdatasync", "flock"} <= {kill["point"] for kill in kills}
    left: dict[str, tuple[Path, list[dict[str, Any]]]] = {}
    for kill in kills:
        directory = tmp_path / "kills" / kill["directory"]
        for path in directory.glob("*.json"):
            json.loads(path.read_bytes())
        run_id, messages = journal_of(directory)
        names = [told(message) for message in messages if what == "training" or message["type"] != "run_start"]
        assert names[: len(kill["returned"])] == kill["returned"], kill
        # What had not returned may stand there, or not; there is one such message at most, and the end of a client.
        assert len(names) <= len(kill["returned"]) + 1, kill
        if run_id is not None and messages:
            left[run_id] = directory, messages
        hub.follow(str(directory))

    hub.start()

    def known() -> set[str]:
        return {state.run_id for state in hub.runs() if ended(state)}

    wait_until(lambda: known() >= left.keys(), "the hub knows how each ended")
    # Of a run whose very first message is torn the hub knows this, and that it died.
    assert all(run_id.endswith("half") or what == "hospital" for run_id in known() - left.keys())
    assert len(known() - left.keys()) <= 1

    for run_id, (directory, messages) in left.items():
        seen = [json.loads(message) for message in hub.events(run_id=run_id, after=0, limit=99).messages]
        from_writer = [{**m, "run_id": None, "offset": None} for m in seen if "about" not in m and m["type"] != "step"]
        assert from_writer == [{**message, "run_id": None, "offset": None} for message in messages]
        state = hub.run(run_id)
        assert state is not None
        is_over = told(messages[-1]) in ("training_complete None", "round_end 2")
        assert state.status == ("completed" if is_over else "failed"), (directory.name, state)
        # A run of clients alone has no document of its own, but for what the hub had to say.
        of = "*.north.json" if what == "hospital" else "*.json"
        (document,) = (json.loads(path.read_bytes()) for path in directory.glob(of))
        kept = [m for m in document["epochs"] if "about" not in m]
        assert kept == messages, directory.name
        assert document["metadata"]["status"] in ("completed", "failed")
    print(f"{what}: {sum(kill['killed'] for kill in kills)} kills, lost 0")


@pytest.mark.parametrize("points", [("--first", "2", "--every", "3"), pytest.param((), marks=pytest.mark.long)])
def test_a_hub_killed_while_it_deletes_a_run_leaves_it_to_be_deleted_again_and_every_other_run_whole(
    points: tuple[str, ...], tmp_path: Path
) -> None:
    kills = kill_all("forgetting", tmp_path / "kills", *points)
    assert sum(kill["killed"] for kill in kills) >= 10
    assert {"unlink", "commit"} <= {kill["point"] for kill in kills}
    again = 0
    for kill in kills:
        where = {name: kill[name] for name in ("at", "when", "point", "returned")}
        directory = tmp_path / "kills" / kill["directory"]
        hub = Hub(SqlStore(f"sqlite:///{directory / 'hub.sqlite3'}"))
        try:
            hub.follow(str(directory))
            hub.start()
            stays = [m for m in hub.events(run_id="stays", after=0, limit=99).messages if b'"type":"step"' not in m]
            assert len(stays) == 6, where
            if hub.run("old") is not None:
                assert not kill["returned"], where
                hub.forget("old")
                again += 1
            assert hub.run("old") is None
        finally:
            hub.close()
        assert not [path for path in directory.iterdir() if path.name.startswith("old")], where
    print(
        f"forgetting: {sum(kill['killed'] for kill in kills)} kills, deleted again {again} times, nothing else touched"
    )


def of_a_torn_end(key: str) -> bool:
    """Whether a server says of the journal of one that was killed that its end is torn; perhaps after all was seen."""
    return '"about":"damage:' in key


def check_servers(kills: list[dict[str, Any]], folder: Path) -> None:
    """That a viewer over two servers, the first of which was killed, has what the journals have, once and in order."""
    for kill in kills:
        where = {name: kill[name] for name in ("at", "when", "point", "killed", "code")}
        directory = folder / kill["directory"]
        assert kill["wrong"] == [], where
        assert kill["starts"] == 0, f"{where}: the log is still the same one"
        assert kill["killed"] or kill["code"] == 0, where
        assert len(kill["returned"]) == 6, f"{where}: the training does not notice"
        seen = [key for message in kill["seen"] if not of_a_torn_end(key := storm.key_of(message))]
        journals = {w: [k for k in keys if not of_a_torn_end(k)] for w, keys in storm.read_journals(directory).items()}
        assert Counter(seen) == Counter(key for keys in journals.values() for key in keys), where
        for keys in journals.values():
            assert [key for key in seen if key in set(keys)] == keys, where
        deaths = [message for message in kill["seen"] if message["type"] == "training_error"]
        assert [death["run_id"] for death in deaths] == ["dead"], where
        assert storm.torn_documents(directory) == []
        document = json.loads((directory / "dead.json").read_bytes())
        assert document["metadata"]["status"] == "failed", where
    killed = [kill for kill in kills if kill["killed"]]
    print(f"server: {len(killed)} kills at {dict(Counter(kill['point'] for kill in killed))}, lost 0, twice 0")


def test_a_server_killed_at_some_points_sends_a_viewer_nothing_twice_and_leaves_out_nothing(tmp_path: Path) -> None:
    kills = kill_all("server", tmp_path / "kills", "--every", "8")
    assert sum(kill["killed"] for kill in kills) >= 12
    check_servers(kills, tmp_path / "kills")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_server_killed_anywhere_sends_a_viewer_nothing_twice_and_leaves_out_nothing(tmp_path: Path) -> None:
    kills = kill_all("server", tmp_path / "kills")
    assert sum(kill["killed"] for kill in kills) >= 100
    assert {"commit", "send", "pwrite", "link", "replace", "fdatasync", "flock"} <= {kill["point"] for kill in kills}
    check_servers(kills, tmp_path / "kills")
