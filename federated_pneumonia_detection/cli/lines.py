"""One message as one plain line, the same in `fpd train`, `fpd watch` on a pipe and `fpd demo`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["NAMES", "PHANTOMS", "line", "metric_words", "printable", "rate", "superseded", "withheld_words"]

PHANTOMS = "phantoms, not X-rays"
"""What every view says beside the name of a run that was not trained on X-rays."""

SHOWN = ("loss", "auroc", "accuracy", "recall", "specificity")
NAMES = {"auroc": "AUROC"}


def printable(text: str) -> str:
    """`text` on one line, with what would move a terminal's cursor or ring its bell shown as an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(text.split()))


def rate(value: Any) -> str:
    """A number as the page writes it: three decimals and a real minus sign, `none` for what could not be told."""
    if not isinstance(value, int | float):
        return "none"
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def metric_words(metrics: Mapping[str, Any]) -> str:
    """The metrics a reader looks for first: `AUROC 0.931, loss 0.210`."""
    found = []
    for short in SHOWN:
        for name, value in metrics.items():
            if name.rsplit("_", 1)[-1] == short:
                found.append(f"{NAMES.get(short, short)} {rate(value)}")
                break
    if not found:
        found = [f"{name} {rate(value)}" for name, value in metrics.items() if isinstance(value, int | float)][:4]
    return ", ".join(found) or "no metrics"


def withheld_words(told: Mapping[str, str]) -> str:
    """What a site does not send, and why: `withheld: val_auroc (n 7 < 20)`."""
    return "withheld: " + ", ".join(f"{what} ({why})" for what, why in told.items())


def _of(number: Any, total: Any) -> str:
    return f"{number} of {total}" if total else f"{number}"


def _clock(timestamp: Any) -> str:
    try:
        return datetime.fromisoformat(str(timestamp)).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError):
        return "--:--:--"


def _words(message: Mapping[str, Any]) -> str | None:
    kind = message["type"]
    who = message.get("client_id")
    told: str | None = None
    if kind == "run_start":
        data = message.get("data") or {}
        counts = {name: split.get("n") for name, split in (data.get("splits") or {}).items()}
        images = ", ".join(f"{n} {name}" for name, n in counts.items())
        phantom = f" ({PHANTOMS})" if data.get("phantom") else ""
        again = f", {_again(message)}" if message.get("attempt", 1) > 1 else ""
        told = f"started {message.get('experiment_name')}{again}{phantom}" + (f": {images} images" if images else "")
    elif kind == "epoch_end":
        phase = {"val": "validation"}.get(message["phase"], message["phase"])
        epoch = _of(message["epoch"], message.get("total_epochs"))
        told = f"epoch {epoch}, {phase}: {metric_words(message['metrics'])}"
    elif kind == "round_start" and who is None:
        told = f"round {_of(message['round'], message.get('total_rounds'))} opened"
    elif kind == "stage" and message["stage"] == "waiting_for_clients":
        told = f"waiting for clients, {_of(len(message.get('connected') or ()), message.get('expected'))} here"
    elif kind == "local_epoch":
        told = f"round {message['round']}, local epoch {message['local_epoch']}: {metric_words(message['metrics'])}"
    elif kind == "round_end" and who is not None:
        did = "sent" if message["fit_metrics"] or not message["eval_metrics"] else "evaluated"
        told = f"{did} round {message['round']}: {metric_words(message['eval_metrics'] or message['fit_metrics'])}"
    elif kind == "round_aggregated":
        failed = f", without {', '.join(message['failed_clients'])}" if message.get("failed_clients") else ""
        told = f"round {message['round']}, global model{failed}: {metric_words(message['metrics'])}"
        if (spent := message["metrics"].get("epsilon")) is not None:
            told += f", epsilon {rate(spent)} spent"
    elif kind == "client_failed":
        told = f"failed in round {message.get('round')}: {message['error']}"
    elif kind == "training_complete":
        told = f"complete: {_final(message.get('final_metrics') or {})}"
    elif kind == "training_error":
        told = f"failed: {message['error']}"
    elif kind == "training_cancelled":
        by = f" by {message['by']}" if message.get("by") else ""
        told = f"stopped{by}" + (f": {message['reason']}" if message.get("reason") else "")
    elif kind == "training_paused":
        by = f" by {message['by']}" if message.get("by") else ""
        told = f"paused{by}" + (f": {message['reason']}" if message.get("reason") else "")
    elif kind == "training_resumed":
        told = "goes on" + (f", let by {message['by']}" if message.get("by") else "")
    elif kind == "alert":
        told = f"{message['level']}: {message['title']}. {message['text']}"
    elif kind == "withheld":
        return f"{who or 'the run'}: {withheld_words(message['withheld'])}"
    if told is not None and message.get("withheld"):
        told = f"{told}; {withheld_words(message['withheld'])}"
    if told is not None and who is not None:
        return f"{who}: {told}"
    return told


def _again(message: Mapping[str, Any]) -> str:
    for unit in ("epoch", "round"):
        kept = message.get(f"from_{unit}")
        if isinstance(kept, int) and kept > 0:
            return f"attempt {message['attempt']} goes on from {unit} {kept}"
    return f"attempt {message['attempt']}"


def _final(metrics: Mapping[str, Any]) -> str:
    test = {name: value for name, value in metrics.items() if name.startswith("test_")}
    if test:
        return "test " + metric_words(test)
    return ", ".join(f"{name} {value}" for name, value in metrics.items()) or "no final metrics"


def superseded(state: Mapping[str, Any]) -> str:
    """What earlier attempts did that is no part of the curve: `attempt 1, epochs 6 to 7`; empty where nothing is."""
    unit = "round" if state.get("mode") == "federated" else "epoch"
    tails = []
    for attempt in state.get("attempts") or ():
        first, last = attempt["kept"] + 1, attempt["reached"]
        if first <= last:
            numbers = f"{unit} {last}" if first == last else f"{unit}s {first} to {last}"
            tails.append(f"attempt {attempt['attempt']}, {numbers}")
    return "; ".join(tails)


def line(message: Mapping[str, Any]) -> str | None:
    """The message in words, with its time; `None` for one that a reader of lines does not need."""
    try:
        told = _words(message)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Anybody may write a journal, in another version too; what is not as we know it is shown as what it is called.
        told = f"{message.get('type')}: not as this version knows it"
    return None if told is None else f"{_clock(message.get('timestamp'))} {printable(told)}"
