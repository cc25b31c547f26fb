"""Runs as a notebook has them: all of them as a frame, and one of them to look at closely."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated_pneumonia_detection.hub.fold import fold_all
from federated_pneumonia_detection.hub.rows import rows
from federated_pneumonia_detection.notebook.frames import Library, metrics_frame, runs_frame
from federated_pneumonia_detection.notebook.source import Where, found, opened

if TYPE_CHECKING:
    from federated_pneumonia_detection.notebook.cell import RunCell

__all__ = ["Run", "run", "runs", "watch"]


class Run:
    """One run, read from a server or from its journals each time something is asked of it.

    Attributes:
        run_id: which one.
        where: the server's address, or the log directory.
    """

    def __init__(self, run_id: str, where: str | Path) -> None:
        self.run_id = run_id
        self.where = where

    def __repr__(self) -> str:
        return f"<Run {self.run_id}: {self.state()['sentence']}>"

    def state(self) -> dict[str, Any]:
        """What the run does now, as `GET /api/runs/{run_id}` says it: `status`, `sentence`, `epoch` and more."""
        with opened(self.where) as feed:
            return feed.run(self.run_id)

    def messages(self) -> list[dict[str, Any]]:
        """All that was said of the run so far, one message after the other, as they travel to a viewer."""
        with opened(self.where) as feed:
            return feed.so_far(self.run_id)

    def metrics(self, *, frame: Library | None = None, every_attempt: bool = False) -> Any:
        """All that was measured, as a data frame; a row for each measurement.

        Args:
            frame: `pandas` or `polars`; by itself pandas, where it is installed.
            every_attempt: also what later attempts of the run supersede (`current` is then false).

        Returns:
            The columns of `METRIC_COLUMNS`, then one for each metric; what a row has not measured is missing there.

        Raises:
            NoFrames: the library is not installed.
        """
        messages = self.messages()
        found_rows = rows(messages, fold_all(self.run_id, messages))
        return metrics_frame([row for row in found_rows if row.current or every_attempt], frame)

    def watch(self) -> RunCell:
        """The run live in the cell."""
        return watch(self)


def run(run: str = "latest", where: Where = None) -> Run:
    """One run.

    Args:
        run: its id, or `latest`.
        where: a server's address (`http://…`) or a log directory; by itself a server on this machine, if one answers at
            port 8000, else `logs/progress`.

    Raises:
        LookupError: the directory has no such run.
        ServerRefused: the server has none.
        ServerAway: no server answers there.
    """
    return _found(run, where)


def runs(where: Where = None, *, frame: Library | None = None) -> Any:
    """All runs as a data frame, newest first.

    Args:
        where: as in `run`.
        frame: `pandas` or `polars`; by itself pandas, where it is installed.

    Returns:
        The columns of `RUN_COLUMNS`, then one for each of the newest validation metrics.

    Raises:
        NoFrames: the library is not installed.
        ServerAway: no server answers there.
    """
    with opened(found(where)) as feed:
        return runs_frame(feed.runs(), frame)


def watch(run: Run | str = "latest", where: Where = None) -> RunCell:
    """A run live in the cell: the sentence that says what it does, its curve, its newest numbers.

    Where `where` is a server, the notebook's browser asks it itself if it can reach it; else, and for a log directory,
    the kernel reads and sends what is new through the notebook's own line. It goes on while other cells work.

    Args:
        run: a run, its id, or `latest`.
        where: as in `run`; of no meaning for a `Run`, which knows it.

    Raises:
        NoCell: anywidget is not installed, or what it shows was not built.
    """
    from federated_pneumonia_detection.notebook.cell import cell_of

    one = run if isinstance(run, Run) else _found(run, where)
    return cell_of(one.run_id, one.where)


def _found(name: str, where: Where) -> Run:
    place = found(where)
    with opened(place) as feed:
        return Run(str(feed.run(name)["run_id"]), place)
