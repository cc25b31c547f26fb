"""How quickly a hub reads 100 000 messages of one journal into its log, beside bare `executemany` in the same run.

Both commit the same rows to the same tables, with the same indexes, in batches of the same size; ours also reads the
file, checks each line's checksum and number, folds each message into the run's state and notes its place. They take
turns. The last line is the same without indexes, the least that SQLite could be asked for.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._figures import figure
from federated_pneumonia_detection.hub.hub import Hub
from federated_pneumonia_detection.hub.sql_store import SqlStore
from federated_pneumonia_detection.hub.store import Batch, Step, Stored
from federated_pneumonia_detection.progress import ProgressLogger

MESSAGES = 100_000
TURNS = 3
GOAL_RATIO = 0.5
GOAL_RATE = 100_000
WITHIN_S = 120.0
METRICS = {"val_loss": 0.4523, "val_accuracy": 0.8234, "val_auroc": 0.9127, "learning_rate": 0.001}


class CountingStore(SqlStore):
    """The store as it is; it only counts its commits."""

    commits = 0

    def append(self, batch: Batch) -> Sequence[Stored | Step]:
        """Count, and commit."""
        self.commits += 1
        return super().append(batch)


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
    while hub.stats()[counter] < MESSAGES:
        if time.perf_counter() - begun > WITHIN_S:
            raise SystemExit(f"not caught up within {WITHIN_S:g} s")
        time.sleep(0.005)
    seconds, processor_s = time.perf_counter() - begun, time.process_time() - busy
    hub.close()
    with closing(sqlite3.connect(database)) as connection:
        schema = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    return Caught(seconds, processor_s, store.commits, schema, rows)


def bare(database: Path, schema: list[str], table: str, rows: list[tuple[Any, ...]], batch: int) -> float:
    """Seconds of `executemany` alone, a commit for each batch."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        for statement in schema:
            connection.execute(statement)
        insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})"
        begun = time.perf_counter()
        for at in range(0, len(rows), batch):
            connection.execute("BEGIN")
            connection.executemany(insert, rows[at : at + batch])
            connection.execute("COMMIT")
        return time.perf_counter() - begun


def measure(kind: str, table: str) -> None:
    """Print the figures of one kind of message."""
    found: dict[str, list[float]] = {"ours": [], "processor": [], "bare": [], "no indexes": []}
    batch = rows = 0
    with tempfile.TemporaryDirectory() as folder:
        log_dir = Path(folder, "journals")
        write(log_dir, kind)
        for turn in range(TURNS):
            caught = ours(log_dir, Path(folder, f"ours-{turn}.sqlite3"), table)
            rows, batch = len(caught.rows), round(len(caught.rows) / caught.commits)
            plain = [f"CREATE TABLE {table} ({', '.join(f'c{column}' for column in range(len(caught.rows[0])))})"]
            found["ours"].append(caught.seconds)
            found["processor"].append(caught.processor_s)
            found["bare"].append(bare(Path(folder, f"bare-{turn}"), caught.schema, table, caught.rows, batch))
            found["no indexes"].append(bare(Path(folder, f"plain-{turn}"), plain, table, caught.rows, batch))
    rate = {name: rows / statistics.median(seconds) for name, seconds in found.items()}
    print(f"{rows} `{kind}` messages in one journal, {batch} a commit, median of {TURNS} in turns:")
    name = f"{kind}: caught up, 100 000 messages in one journal"
    figure(name, rate["ours"] / rate["bare"], "× bare executemany", at_least=GOAL_RATIO, note=f"{rate['bare']:,.0f}/s")
    figure(f"{kind}: messages caught up", rate["ours"], "a second", at_least=GOAL_RATE)
    print(f"  (by processor time {rate['processor']:,.0f}; executemany without indexes {rate['no indexes']:,.0f})")


def main() -> None:
    """Print both kinds."""
    measure("epoch_end", "messages")
    measure("step", "steps")


if __name__ == "__main__":
    main()
