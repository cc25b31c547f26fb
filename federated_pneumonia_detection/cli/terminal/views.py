"""A run's state as the full screen shows it: pure functions from states and widths to text.

The sentences are the server's own (`hub/words.py`), so that page and terminal say the same; colours come third, after
words and marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from rich.text import Text

from federated_pneumonia_detection.cli.feed import ENDED
from federated_pneumonia_detection.cli.lines import (
    NAMES,
    PHANTOMS,
    metric_words,
    printable,
    rate,
    superseded,
    withheld_words,
)
from federated_pneumonia_detection.cli.terminal.plots import Curve, bar, figure, plot, sparkline
from federated_pneumonia_detection.cli.terminal.story import Seen

__all__ = [
    "Chart",
    "chart_rows",
    "charts",
    "cut",
    "fits",
    "hospitals",
    "is_live",
    "key_range",
    "numbers",
    "ordered",
    "progress",
    "row",
    "sentences",
    "title",
]

State = Mapping[str, Any]
_Run = TypeVar("_Run", bound=State)

WIDE = 110
CARD = 40
"""Columns that a hospital's own pane takes at least; with less room, each is one line."""
_FIRST = ("auroc", "loss", "accuracy", "recall", "specificity", "precision", "f1")
_MARKS = {"queued": "…", "completed": "✓", "failed": "✗", "cancelled": "■", "lost": "?"}
_STYLES = {"running": "cyan", "started": "cyan", "completed": "green", "failed": "red", "lost": "yellow"}
_CLIENT_MARKS = {
    "waiting": "·",
    "training": "●",
    "late": "!",
    "silent": "?",
    "lost": "?",
    "sent": "✓",
    "finished": "✓",
    "failed": "✗",
}
_CLIENT_STYLES = {
    "sent": "green",
    "finished": "green",
    "failed": "red",
    "late": "yellow",
    "silent": "yellow",
    "lost": "yellow",
    "training": "cyan",
}
_TROUBLES = frozenset({"dead", "lost_contact", "waiting_for_straggler"})


def is_live(state: State) -> bool:
    """Whether more is expected of the run."""
    return state["status"] not in ENDED


def ordered(runs: Iterable[_Run]) -> list[_Run]:
    """Live runs on top, each part as it came."""
    return sorted(runs, key=lambda run: not is_live(run))


def fits(state: State, wanted: str) -> bool:
    """Whether a filter's words are somewhere in its name, id, tags, notes or state; as the page looks for them."""
    texts = [state.get("name"), state["experiment_name"], state["run_id"], state["status"], state.get("notes")]
    texts += [state["mode"], *(state.get("tags") or ())]
    told = " ".join(str(text) for text in texts if text).casefold()
    return all(word in told for word in wanted.casefold().split())


def cut(text: str, width: int) -> str:
    """`text` in exactly `width` columns: filled up, or with a sign that there was more."""
    line = Text(text, no_wrap=True)
    line.truncate(max(0, width), overflow="ellipsis", pad=True)
    return line.plain


def title(state: State) -> str:
    """What the run is called."""
    return printable(state.get("name") or state["experiment_name"] or state["run_id"])


def _style(state: State) -> str:
    if state.get("condition") in _TROUBLES or state.get("paused"):
        return "yellow"
    return _STYLES.get(state["status"], "")


def _mark(state: State) -> str:
    return "‖" if state.get("paused") and is_live(state) else _MARKS.get(state["status"], "●")


def _counts(state: State) -> tuple[str, int, int | None]:
    if state["mode"] == "federated" or state["clients"]:
        return "round", state["round"], state["total_rounds"]
    return "epoch", state["epoch"], state["total_epochs"]


def _counted(unit: str, at: int, total: int | None) -> str:
    return f"{unit} {at} of {total}" if total else f"{unit} {at}" if at else f"no {unit} yet"


# --- the list ---------------------------------------------------------------------------------------------------


def key_range(runs: Iterable[State]) -> tuple[float, float]:
    """From where to where the key metrics of all runs go: sparklines share one scale."""
    values = [value for run in runs for _, value in run.get("key_series") or () if value is not None]
    return (min(values), max(values)) if values else (0.0, 1.0)


def row(state: State, width: int, scale: tuple[float, float]) -> Text:
    """One run in two rows: name, progress, sparkline and value; then the sentence.

    Args:
        state: the run.
        width: columns there are.
        scale: see `key_range`.
    """
    unit, at, total = _counts(state)
    wide = width >= WIDE
    bars, spark = (24, 36) if wide else (8, 12) if width >= 70 else (0, 0)
    count = cut(f"{unit} {at}/{total}" if total else f"{unit} {at}" if at else "", 14 if wide else 12)
    value = _key_value(state)
    told = [count, value.rjust(9 if spark else 6)]
    if bars:
        told.insert(0, bar(at, total, bars).ljust(bars))
        told.append(sparkline([tuple(p) for p in state.get("key_series") or ()], total, spark, *scale))
    right = "  ".join(told)
    name = title(state)
    if state.get("phantom"):
        name += f" ({PHANTOMS})" if wide else " (phantoms)"
    if wide and state["run_id"] != name:
        name += f"  {printable(state['run_id'])}"
    room = width - len(right) - 4
    first = Text.assemble((_mark(state), _style(state)), " ", (cut(name, max(8, room)), "bold"), "  ", right)
    sentence = printable(state["sentence"])
    if wide and state.get("detail_sentence"):
        sentence += f" {printable(state['detail_sentence'])}"
    second = Text(f"  {cut(sentence, width - 2).rstrip()}", style=_style(state) if is_live(state) else "dim")
    first.truncate(width)
    return Text("\n").join([first, second])


def _key_value(state: State) -> str:
    series = [value for _, value in state.get("key_series") or () if value is not None]
    return rate(series[-1]) if series else ""


# --- one run ----------------------------------------------------------------------------------------------------


def sentences(state: State, width: int) -> Text:
    """What is happening and why: the first sentence, details, what is superseded or kept back."""
    told = Text(f"{_mark(state)} {printable(state['sentence'])}", style=f"bold {_style(state)}".strip())
    if state.get("detail_sentence"):
        told.append(f"\n{printable(state['detail_sentence'])}", style="not bold default")
    if tails := superseded(state):
        told.append(f"\nSuperseded: {printable(tails)}", style="not bold dim")
    if state.get("withheld"):
        kept = withheld_words({one["what"]: one["why"] for one in state["withheld"]})
        told.append(f"\n{printable(kept)}", style="not bold yellow")
    if state["status"] == "failed" and state.get("detail") and width >= WIDE:
        last = [printable(line) for line in str(state["detail"]).strip().splitlines()[-3:]]
        told.append("\n" + "\n".join(last), style="not bold dim")
    return told


def progress(state: State, width: int) -> Text:
    """Where it is: `epoch 5 of 12 ████░░ step 3 of 36`."""
    unit, at, total = _counts(state)
    told = Text(_counted(unit, at, total))
    done = at
    if is_live(state) and unit == "epoch" and state.get("step"):
        steps = f" of {state['total_steps']}" if state.get("total_steps") else ""
        told.append(f", step {state['step']}{steps}")
    if unit == "round" and state.get("aggregated_round", at) < at:
        done = at - 1
    if unit == "epoch" and is_live(state) and (state.get("metrics_at") or 0) < at:
        done = at - 1
    room = min(60, width - len(told) - 3)
    if room >= 6 and total:
        told.append(f"  {bar(done, total, room)}", style=_style(state))
    return told


def numbers(state: State, width: int) -> Text:
    """The newest numbers with their n; of a run that has ended what it was tested with."""
    unit, _, _ = _counts(state)
    final = {name: v for name, v in (state.get("final_metrics") or {}).items() if name.startswith("test_")}
    if final:
        n = (state.get("split_sizes") or {}).get("test")
        head, values = f"test ({f'n {n}' if n else 'n not reported'})", metric_words(final)
    elif state.get("metrics"):
        n = f"n {state['n']}" if state.get("n") else "n not reported"
        whose = "global model" if unit == "round" else "validation"
        at = f", {unit} {state['metrics_at']}" if state.get("metrics_at") else ""
        head, values = f"{whose}{at} ({n})", metric_words(state["metrics"])
    else:
        return Text(f"no numbers yet; the first come after {unit} 1", style="dim")
    best = state.get("best")
    line = Text(f"{head}:")
    for i, value in enumerate(printable(values).split(", ")):
        told = f"{', ' if i else ' '}{value}"
        if len(line) + len(told) > width:
            break
        line.append(told, style="bold" if i < 2 else "")
    if best:
        words = f"  best {_metric_name(best['metric'])} {rate(best['value'])}, {unit} {best['at']}"
        if len(line) + len(words) <= width:
            line.append(words, style="dim")
    return line


class Chart(NamedTuple):
    """A metric with its curves: training thin, validation marked."""

    name: str
    train: Sequence[tuple[float, float | None]]
    other: Sequence[tuple[float, float | None]]
    other_name: str


def charts(state: State, seen: Seen) -> list[Chart]:
    """One for each metric: those a reader looks for first, then the others by name."""
    unit, _, _ = _counts(state)
    found: dict[str, dict[str, Any]] = {}
    for name, points in seen.curves.items():
        phase, _, rest = name.partition("_")
        if phase not in ("train", "val", "test") or not rest:
            phase, rest = "val", name
        if phase != "test" and any(value is not None for _, value in points):
            found.setdefault(rest, {})[phase] = points
    order = {name: i for i, name in enumerate(_FIRST)}
    other = "global model" if unit == "round" else "validation"
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return [Chart(name, found[name].get("train", ()), found[name].get("val", ()), other) for name in names]


def chart_rows(chart: Chart, state: State, width: int, height: int) -> list[Text]:
    """One chart: a row that names it with the newest values, and the plot."""
    unit, at, total = _counts(state)
    head = Text(_metric_name(chart.name), style="bold")
    for name, mark, points, style in (
        (chart.other_name, "●", chart.other, "bold green"),
        ("training", "─", chart.train, "cyan"),
    ):
        newest = next((value for _, value in reversed(points) if value is not None), None)
        words = f"  {mark} {name} {figure(newest)}" if newest is not None else ""
        if len(head) + len(words) <= width:
            head.append(words, style=style)
    curves = [Curve(chart.train, "cyan"), Curve(chart.other, "green", marked=True)]
    drawn = plot(curves, width=width, height=height - 1, last_x=float(total or max(at, 2)), unit=unit)
    return [head, *drawn]


def _metric_name(name: str) -> str:
    for phase in ("val_", "test_", "train_"):
        name = name.removeprefix(phase)
    return printable(NAMES.get(name, {"f1": "F1"}.get(name, name.replace("_", " "))))


# --- inside the round -------------------------------------------------------------------------------------------


def hospitals(state: State, seen: Seen, width: int) -> Text:
    """Each hospital inside the open round: its state in words, local epochs, its loss. Panes where there is room."""
    clients = state["clients"]
    if not clients:
        return Text("No hospital has been heard yet.", style="dim")
    values = [value for points in seen.local.values() for _, value in points if value is not None]
    scale = (min(values), max(values)) if values else (0.0, 1.0)
    across = width // CARD
    if across >= 2:
        cards = [_card(state, client, seen, (width - across + 1) // across, scale) for client in clients]
        return _in_columns(cards, across)
    return Text("\n").join(_client_row(state, client, seen, width, scale) for client in clients)


def _client_row(state: State, client: State, seen: Seen, width: int, scale: tuple[float, float]) -> Text:
    status = client["status"]
    style = _CLIENT_STYLES.get(status, "")
    name = max(8, min(14, width // 5))
    line = Text.assemble((_CLIENT_MARKS.get(status, "·"), style), " ", cut(printable(client["client_id"]), name), " ")
    local = _local(client, seen)
    spark = sparkline(seen.local.get(client["client_id"], ()), _spark_end(state), 12, *scale) if width >= 70 else ""
    room = width - len(line) - (len(spark) + 1 if spark else 0)
    words = printable(client.get("words") or status)
    if width < 60:
        return line.append(cut(words, room).rstrip(), style=style)
    told = max(22, room - 24)
    line.append(cut(words, told), style=style).append(cut(f" {local}", room - told))
    return line.append(f" {spark}") if spark else line


def _card(state: State, client: State, seen: Seen, width: int, scale: tuple[float, float]) -> list[Text]:
    inner = width - 4
    status = client["status"]
    style = _CLIENT_STYLES.get(status, "")
    name = f" {printable(client['client_id'])} "
    name = name if len(name) <= inner - 2 else f"{name[: inner - 4]}… "
    top = Text.assemble("╭─", (name, "bold"), "─" * (width - 3 - len(name)), "╮")
    words = f"{_CLIENT_MARKS.get(status, '·')} {printable(client.get('words') or status)}"
    local = _local(client, seen) or (f"round {client['round']}" if client["round"] else "")
    points = seen.local.get(client["client_id"], ())
    newest = next((value for _, value in reversed(points) if value is not None), None)
    loss = f"loss {figure(newest)}" if newest is not None else "no loss told yet"
    spark = sparkline(points, _spark_end(state), max(0, inner - len(loss) - 2), *scale)
    rows = [Text(cut(words, inner), style=style), Text(cut(local, inner)), Text(cut(f"{loss}  {spark}", inner))]
    body = [Text.assemble("│ ", text, " │") for text in rows]
    return [top, *body, Text(f"╰{'─' * (width - 2)}╯")]


def _spark_end(state: State) -> float | None:
    total = state["total_rounds"]
    return float(total) if total else None


def _local(client: State, seen: Seen) -> str:
    """Where a hospital is in its round: `epoch 1 of 2 ██░░ step 3 of 36`."""
    if not client["local_epoch"] and not client.get("step"):
        return ""
    total = seen.local_epochs
    done = client["local_epoch"]
    told = f"epoch {done} of {total} {bar(done, total, 4)}" if total else f"epoch {done}" if done else ""
    if client["status"] in ("training", "late", "silent") and client.get("step"):
        steps = f"/{client['total_steps']}" if client.get("total_steps") else ""
        told += f" step {client['step']}{steps}"
    return told.strip()


def _in_columns(cards: Sequence[list[Text]], across: int) -> Text:
    drawn = []
    for first in range(0, len(cards), across):
        together = cards[first : first + across]
        drawn += [Text(" ").join(rows) for rows in zip(*together, strict=True)]
    return Text("\n").join(drawn)
