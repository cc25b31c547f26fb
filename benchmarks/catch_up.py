"""How quickly a hub reads 100 000 messages of one journal into its log, beside bare `executemany` in the same run.

Both commit the same rows to the same tables, with the same indexes, in batches of the same size; ours also reads the
file, checks each line's checksum and number, folds each message into the run's state and notes its place. They take
turns. The last line is the same without indexes, the least that SQLite could be asked for.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._figures import figure
from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.stores.sql_store import SqlStore
from federated_pneumonia_detection.hub.stores.store import Batch, Step, Stored
from federated_pneumonia_detection.progress import ProgressLogger
from federated_pneumonia_detection.server.serving import collect_seldom

MESSAGES = 100_000
TURNS = 3
GOAL_RATIO = 0.5
GOAL_RATE = 100_000
WITHIN_S = 120.0
METRICS = {"val_loss": 0.4523, "val_accuracy": 0.8234, "val_auroc": 0.9127, "learning_rate": 0.001}


class CountingStore(SqlStore):
    """The store as it is; it counts its commits, and tells when all is there: nobody has to ask meanwhile."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.commits = self.messages = 0
        self.all_there = threading.Event()

    def append(self, batch: Batch) -> Sequence[Stored | Step]:
        """Commit, and count."""
        added = super().append(batch)
        self.commits += 1
        self.messages += len(added)
        if self.messages >= MESSAGES:
            self.all_there.set()
        return added


class Caught(NamedTuple):
    """One turn of ours: how long it took, and what came to lie in which tables."""

    seconds: float
    processor_s: float
    commits: int
    schema: list[str]
    rows: list[tuple[Any, ...]]


def write(log_dir: Path, kind: str) -> None:
    """A journal with all the messages of one kind, ended."""
    with ProgressLogger(log_dir, "bench", run_id="bench") as logger:
        for number in range(MESSAGES):
            if kind == "step":
                logger.log_step(1 + number // 1000, number % 1000, 1000, METRICS)
            else:
                logger.log_epoch_end(number + 1, METRICS, "val")


def ours(log_dir: Path, database: Path, table: str) -> Caught:
    """Follow the directory with a new log until everything is in it."""
    store = CountingStore(f"sqlite:///{database}")
    hub = Hub(store)
    hub.follow(str(log_dir))
    begun, busy = time.perf_counter(), time.process_time()
    hub.start(wait=False)
    counter = "steps_committed_total" if table == "steps" else "messages_committed_total"
    if not store.all_there.wait(WITHIN_S):
        raise SystemExit(f"not caught up within {WITHIN_S:g} s")
    while hub.stats()[counter] < MESSAGES:  # what was committed is folded yet
        time.sleep(0.001)
    seconds, processor_s = time.perf_counter() - begun, time.process_time() - busy
    hub.close()
    with closing(sqlite3.connect(database)) as connection:
        schema = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    return Caught(seconds, processor_s, store.commits, schema, rows)


def bare(database: Path, schema: list[str], table: str, rows: list[tuple[Any, ...]], batch: int) -> tuple[float, float]:
    """Seconds of `executemany` alone, a commit for each batch, and how much of them the processor worked."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        for statement in schema:
            connection.execute(statement)
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})"
        begun, busy = time.perf_counter(), time.process_time()
        for at in range(0, len(rows), batch):
            connection.execute("BEGIN")
            connection.executemany(insert, rows[at : at + batch])
            connection.execute("COMMIT")
        return time.perf_counter() - begun, time.process_time() - busy


def measure(kind: str, table: str) -> None:
    """Print the figures of one kind of message."""
    found: dict[str, list[float]] = {"ours": [], "our processor": [], "bare": [], "bare processor": [], "plain": []}
    batch = rows = 0
    with tempfile.TemporaryDirectory() as folder:
        log_dir = Path(folder, "journals")
        write(log_dir, kind)
        for turn in range(TURNS):
            caught = ours(log_dir, Path(folder, f"ours-{turn}.sqlite3"), table)
            rows, batch = len(caught.rows), round(len(caught.rows) / caught.commits)
            plain = [f"CREATE TABLE {table} ({', '.join(f'c{column}' for column in range(len(caught.rows[0])))})"]
            found["ours"].append(caught.seconds)
            found["our processor"].append(caught.processor_s)
            seconds, processor_s = bare(Path(folder, f"bare-{turn}"), caught.schema, table, caught.rows, batch)
            found["bare"].append(seconds)
            found["bare processor"].append(processor_s)
            found["plain"].append(bare(Path(folder, f"plain-{turn}"), plain, table, caught.rows, batch)[0])
    rate = {name: rows / statistics.median(seconds) for name, seconds in found.items()}
    print(f"{rows} `{kind}` messages in one journal, {batch} a commit, median of {TURNS} in turns:")
    name = f"{kind}: caught up, 100 000 messages in one journal"
    figure(name, rate["ours"] / rate["bare"], "× bare executemany", at_least=GOAL_RATIO, note=f"{rate['bare']:,.0f}/s")
    figure(f"{kind}: messages caught up", rate["ours"], "a second", at_least=GOAL_RATE)
    ratio = rate["our processor"] / rate["bare processor"]
    figure(f"{kind}: the same by processor time", ratio, "× bare executemany", note=f"{rate['our processor']:,.0f}/s")
    print(f"  (executemany into a table without indexes: {rate['plain']:,.0f} a second)")


def main() -> None:
    """Print both kinds."""
    collect_seldom()  # as `fpd serve` does
    measure("epoch_end", "messages")
    measure("step", "steps")


if __name__ == "__main__":
    main()
