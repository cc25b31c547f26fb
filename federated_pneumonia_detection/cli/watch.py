"""`fpd watch`: a run live in the terminal; plain lines on a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated_pneumonia_detection.cli.credentials import Ca, TokenFile
from federated_pneumonia_detection.cli.feed import ENDED, Feed, LogDir, Url, open_feed
from federated_pneumonia_detection.cli.lines import (
    PHANTOMS,
    line,
    metric_words,
    printable,
    superseded,
    withheld_words,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from federated_pneumonia_detection.cli.terminal.sources import Source

__all__ = ["follow", "view", "watch"]

KEPT_LINES = 8
DRAW_EVERY_S = 0.25
NARROW = 60
"""Columns below which tables give way to lines."""

STATUS_STYLE = {"running": "blue", "started": "blue", "completed": "green", "failed": "red", "lost": "yellow"}
CLIENT_STYLE = {
    "sent": "green",
    "finished": "green",
    "failed": "red",
    "late": "yellow",
    "lost": "yellow",
    "training": "blue",
}


def _bar(done: int, total: int | None, width: int) -> str:
    if not total:
        return ""
    filled = round(width * min(done, total) / total)
    return "█" * filled + "░" * (width - filled)


def _hospitals(state: dict[str, Any], width: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=width >= NARROW)
    for column in ("hospital", "state", "round", "local"):
        table.add_column(column, overflow="ellipsis", no_wrap=True)
    for client in state["clients"]:
        style = CLIENT_STYLE.get(client["status"], "")
        name = Text(printable(client["client_id"]))
        step = f"step {client['step']}/{client['total_steps']}" if client.get("step") else ""
        words = Text(printable(client.get("words") or client["status"]), style=style)
        if width < NARROW:
            table.add_row(name, words)
        else:
            local = f"epoch {client['local_epoch']} {step}".strip() if client["local_epoch"] or step else ""
            table.add_row(name, words, str(client["round"] or ""), local)
    return table


def _withheld(state: dict[str, Any]) -> list[RenderableType]:
    """What each site keeps, one line for each."""
    from rich.text import Text

    found = [("", state.get("withheld")), *((f"{c['client_id']}: ", c.get("withheld")) for c in state["clients"])]
    told = [(who, {one["what"]: one["why"] for one in its}) for who, its in found if its]
    return [Text(printable(who + withheld_words(its)), style="yellow") for who, its in told]


def view(state: dict[str, Any], lines: Iterable[str], width: int) -> RenderableType:
    """One run as a terminal shows it: name, sentence, progress, numbers, hospitals, the newest lines."""
    from rich.console import Group
    from rich.text import Text

    status = state["status"]
    name = printable(state.get("name") or state["experiment_name"])
    title = Text.assemble((name, "bold"), "  ", printable(state["run_id"]))
    if state.get("phantom"):
        title.append(f"  {PHANTOMS}", style="bold yellow")
    if state.get("attempt", 1) > 1:
        title.append(f"  attempt {state['attempt']}", style="dim")
    parts: list[RenderableType] = [title, Text(printable(state["sentence"]), style=STATUS_STYLE.get(status, ""))]
    if state.get("detail_sentence"):
        parts.append(Text(printable(state["detail_sentence"]), style="dim"))
    federated = state["mode"] == "federated"
    done, total = (state["round"], state["total_rounds"]) if federated else (state["epoch"], state["total_epochs"])
    if total:
        word = "round" if federated else "epoch"
        parts.append(Text(f"{word} {done} of {total}  {_bar(done, total, max(4, min(40, width - 20)))}"))
    if tails := superseded(state):
        parts.append(Text(printable(f"Superseded: {tails}"), style="dim"))
    if state.get("metrics"):
        n = f"n {state['n']}" if state.get("n") else "n not reported"
        parts.append(Text(f"{printable(metric_words(state['metrics']))} ({n})"))
    if state["clients"]:
        parts += [Text(""), _hospitals(state, width)]
    parts += _withheld(state)
    parts += [Text(""), *(Text(told, overflow="ellipsis", no_wrap=True, style="dim") for told in lines)]
    return Group(*parts)


def _plain(feed: Feed, run_id: str, stop: Callable[[], bool]) -> str | None:
    for message in feed.messages(run_id):
        if message is not None and (told := line(message)) is not None:
            typer.echo(told)
        ends = message is None or message["type"].startswith("training_")
        if ends and (status := _status(feed, run_id)) in ENDED:
            return status
        if message is None and stop():
            return None
    raise AssertionError("a feed of messages has no end")


def _live(feed: Feed, run_id: str, stop: Callable[[], bool], console: Console) -> str | None:
    from rich.live import Live

    lines: deque[str] = deque(maxlen=KEPT_LINES)
    drawn_at = 0.0
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for message in feed.messages(run_id):
            if message is not None and (told := line(message)) is not None:
                lines.append(told)
            ends = message is None or message["type"].startswith("training_")
            if ends or time.monotonic() - drawn_at > DRAW_EVERY_S:
                state = _state(feed, run_id)
                if state is not None:
                    live.update(view(state, lines, console.width), refresh=True)
                drawn_at = time.monotonic()
                if ends and state is not None and state["status"] in ENDED:
                    return str(state["status"])
            if message is None and stop():
                return None
    raise AssertionError("a feed of messages has no end")


def _state(feed: Feed, run_id: str) -> dict[str, Any] | None:
    """The run's state; `None` before its first message, and while the server is away."""
    try:
        return feed.run(run_id)
    except (LookupError, ConnectionError):
        return None


def _status(feed: Feed, run_id: str) -> str | None:
    state = _state(feed, run_id)
    return None if state is None else str(state["status"])


def follow(
    feed: Feed,
    run_id: str,
    *,
    stop: Callable[[], bool] = lambda: False,
    after_attempt: int = 0,
    plain: bool = False,
) -> str | None:
    """Show a run until it ends, drawn afresh on a terminal, line by line on anything else.

    Args:
        feed: where it is read from.
        run_id: the run; it need not have begun.
        stop: asked when nothing comes; true ends it.
        after_attempt: what was said in attempts up to this one is passed over, and so is how they ended.
        plain: line by line on a terminal, too.

    Returns:
        The status the run ended with; `None` if it was stopped before.
    """
    shown = _After(feed, after_attempt) if after_attempt else feed
    if plain or not sys.stdout.isatty() or _is_dumb():
        return _plain(shown, run_id, stop)
    from rich.console import Console

    return _live(shown, run_id, stop, Console())


class _After:
    """A feed without what was said in a run's first attempts."""

    def __init__(self, feed: Feed, attempt: int) -> None:
        self._feed, self._attempt = feed, attempt
        self.runs, self.source = feed.runs, feed.source

    def run(self, run: str) -> dict[str, Any]:
        state = self._feed.run(run)
        if int(state.get("attempt") or 1) <= self._attempt:
            raise LookupError(run)
        return state

    def messages(self, run_id: str) -> Iterator[dict[str, Any] | None]:
        for message in self._feed.messages(run_id):
            if message is None or int(message.get("attempt") or 1) > self._attempt:
                yield message


def watch(
    run: Annotated[
        str | None, typer.Argument(help="A run id, or latest; without one a terminal lists all, a pipe gets latest.")
    ] = None,
    url: Url = None,
    log_dir: LogDir = None,
    token_file: TokenFile = None,
    ca: Ca = None,
    lines: Annotated[bool, typer.Option("--lines", help="Plain lines on a terminal, too.")] = False,
) -> None:
    """Watch runs live: the sentence that says what is happening, the numbers, each hospital.

    On a terminal a full screen, `?` lists its keys; on a pipe plain lines until the run ends.
    """
    with open_feed(url, log_dir, token_file=token_file, ca=ca) as feed:
        if not lines and _has_screen():
            raise typer.Exit(_full_screen(feed.source(), run))
        run_id = str(feed.run(run or "latest")["run_id"])
        status = follow(feed, run_id, plain=lines)
    raise typer.Exit(0 if status == "completed" else 1)


def _has_screen() -> bool:
    """Whether this terminal can be drawn on and typed at."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not _is_dumb()


def _is_dumb() -> bool:
    return os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")


def _full_screen(source: Source, run: str | None) -> int:
    """Run the full screen; the exit code: 0, or 1 where the run that was named did not end well."""
    from federated_pneumonia_detection.cli.terminal.app import WatchApp

    # Asked before the screen opens: that there is no such run is one line.
    run_id = None if run is None else str(source.run(run)["run_id"])
    if run_id is None:
        source.runs("")
    # Textual would believe these rather than the terminal, which may be resized.
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    code = WatchApp(source, run_id).run()
    if code:
        return code
    if run_id is not None:
        try:
            return int(source.run(run_id)["status"] in ENDED - {"completed"})
        except (LookupError, ConnectionError, ValueError):
            return 0
    return 0
