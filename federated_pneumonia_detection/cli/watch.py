"""`fpd watch`: a run live in the terminal; plain lines on a pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated_pneumonia_detection.cli.client import DEFAULT_URL, ENDED, Client
from federated_pneumonia_detection.cli.lines import PHANTOMS, line, rate

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["view", "watch"]

KEPT_LINES = 8
NARROW = 60
"""Columns below which tables give way to lines."""

STATUS_STYLE = {"running": "blue", "started": "blue", "completed": "green", "failed": "red", "lost": "yellow"}
CLIENT_STYLE = {"sent": "green", "finished": "green", "failed": "red", "late": "yellow", "training": "blue"}


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
        step = f"step {client['step']}/{client['total_steps']}" if client.get("step") else ""
        words = Text(client.get("words") or client["status"], style=style)
        if width < NARROW:
            table.add_row(client["client_id"], words)
        else:
            local = f"epoch {client['local_epoch']} {step}".strip() if client["local_epoch"] or step else ""
            table.add_row(client["client_id"], words, str(client["round"] or ""), local)
    return table


def view(state: dict[str, Any], lines: Iterable[str], width: int) -> RenderableType:
    """One run as a terminal shows it: name, sentence, progress, numbers, hospitals, the newest lines."""
    from rich.console import Group
    from rich.text import Text

    status = state["status"]
    title = Text.assemble((state.get("name") or state["experiment_name"], "bold"), "  ", state["run_id"], style="")
    if state.get("phantom"):
        title.append(f"  {PHANTOMS}", style="bold yellow")
    parts: list[RenderableType] = [title, Text(state["sentence"], style=STATUS_STYLE.get(status, ""))]
    if state.get("detail_sentence"):
        parts.append(Text(state["detail_sentence"], style="dim"))
    federated = state["mode"] == "federated"
    done, total = (state["round"], state["total_rounds"]) if federated else (state["epoch"], state["total_epochs"])
    if total:
        word = "round" if federated else "epoch"
        parts.append(Text(f"{word} {done} of {total}  {_bar(done, total, max(4, min(40, width - 20)))}"))
    numbers = [f"{name} {rate(value)}" for name, value in (state.get("metrics") or {}).items() if name != "num_samples"]
    if numbers:
        parts.append(Text("  ".join(numbers[:6])))
    if state["clients"]:
        parts += [Text(""), _hospitals(state, width)]
    parts += [Text(""), *(Text(told, overflow="ellipsis", no_wrap=True, style="dim") for told in lines)]
    return Group(*parts)


def _plain(client: Client, run_id: str) -> str:
    for message in client.messages(run_id):
        if message is not None and (told := line(message)) is not None:
            typer.echo(told)
        ends = message is None or message["type"].startswith("training_")
        if ends and (status := str(client.run(run_id)["status"])) in ENDED:
            return status
    raise AssertionError("a feed of messages has no end")


def _live(client: Client, run_id: str) -> str:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    with Live(console=console, refresh_per_second=4, vertical_overflow="ellipsis") as live:
        for message in client.messages(run_id):
            if message is not None and (told := line(message)) is not None:
                lines.append(told)
            if message is None or message["type"] not in ("step", "alert"):
                state = client.run(run_id)
                live.update(view(state, lines, console.width), refresh=True)
                if message is None and state["status"] in ENDED:
                    return str(state["status"])
    raise AssertionError("a feed of messages has no end")


def watch(
    run: Annotated[str, typer.Argument(help="A run id, or latest.")] = "latest",
    url: Annotated[str, typer.Option(help="The server to ask.")] = DEFAULT_URL,
) -> None:
    """Watch a run live: the sentence that says what is happening, the numbers, each hospital."""
    import sys

    with Client(url) as client:
        run_id = str(client.run(run)["run_id"])
        status = _live(client, run_id) if sys.stdout.isatty() else _plain(client, run_id)
    raise typer.Exit(0 if status == "completed" else 1)
