"""`round_metrics.jsonl` of NVFLARE's `MetricsArtifactWriter`: a line for each round, with each site's metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.neighbours.errors import NotReadable
from federated_pneumonia_detection.neighbours.importing import Foreign, stamp
from federated_pneumonia_detection.neighbours.names import named
from federated_pneumonia_detection.progress.messages import (
    Message,
    Metrics,
    RoundAggregated,
    RoundEnd,
    RoundStart,
    RunStart,
    TrainingComplete,
)

__all__ = ["read"]

_RIGHT = 'a line of NVFLARE\'s is {"round": 0, "aggregated_metrics": [{"name": …, "value": …}], "sites": […]}'


def read(path: Path, content: bytes, experiment_name: str) -> Foreign:
    """The run. NVFLARE counts rounds from 0 and tells no times: all is of when the file was written last.

    Raises:
        NotReadable: it is no such file.
    """
    at = stamp(path.stat().st_mtime)
    rounds = []
    for line, text in enumerate(content.splitlines(), 1):
        if text.strip():
            rounds.append(_record(path, line, text))
    if not rounds:
        raise NotReadable(path, "there is nothing in it", _RIGHT)
    first = min(record["round"] for record in rounds)
    total = max(record["round"] for record in rounds) - first + 1
    sites = {site["name"] for record in rounds for site in record["sites"]}
    config = {"num_clients": len(sites)} if sites else {}
    told: list[Message] = [
        RunStart(experiment_name, "federated", config=dict(config), attempt=1, total_rounds=total, timestamp=at)
    ]
    for record in rounds:
        number = record["round"] - first + 1
        told.append(RoundStart(number, total, timestamp=at))
        for site in record["sites"]:
            metrics = _metrics(site["metrics"])
            told.append(RoundStart(number, total, client_id=site["name"], timestamp=at))
            told.append(RoundEnd(number, {}, metrics, client_id=site["name"], timestamp=at))
        aggregated = _metrics(record["aggregated_metrics"])
        told.append(RoundAggregated(number, aggregated, len(record["sites"]) or None, timestamp=at))
    told.append(TrainingComplete({"total_rounds": total}, timestamp=at))
    return Foreign("federated", told)


def _record(path: Path, line: int, text: bytes) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise NotReadable(path, f"line {line} is no JSON ({error})", _RIGHT) from None
    is_one = (
        isinstance(record, dict)
        and type(record.get("round")) is int
        and _is_metrics(record.get("aggregated_metrics"))
        and isinstance(record.setdefault("sites", []), list)
        and all(
            isinstance(site, dict) and isinstance(site.get("name"), str) and _is_metrics(site.get("metrics"))
            for site in record["sites"]
        )
    )
    if not is_one:
        raise NotReadable(path, f"line {line} is no round", _RIGHT)
    return dict(record)


def _is_metrics(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) and "value" in one for one in value
    )


def _metrics(told: list[dict[str, Any]]) -> Metrics:
    plain = (int, float, str)
    return {named(one["name"]).name: one["value"] for one in told if isinstance(one["value"], plain)}
