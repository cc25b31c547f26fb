from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from federated_pneumonia_detection.cli import pulse
from federated_pneumonia_detection.server.app import make_service
from federated_pneumonia_detection.server.numbers import NUMBERS, Numbers
from federated_pneumonia_detection.server.settings import ServerSettings


def told(tmp_path: Path) -> dict[str, str]:
    """The names of all numbers with their help."""
    service = make_service(ServerSettings(log_dir=tmp_path))
    registry = CollectorRegistry()
    registry.register(Numbers(service))
    families = list(text_string_to_metric_families(generate_latest(registry).decode()))
    service.close()
    return {f"{each.name}_total" if each.type == "counter" else each.name: each.documentation for each in families}


def test_every_number_is_told_under_its_name_and_with_its_meaning(tmp_path: Path) -> None:
    assert told(tmp_path) == {**NUMBERS, "fpd_runs": "Runs by status."}


def test_the_doctor_knows_no_number_that_nobody_tells() -> None:
    assert {rule.name for rule in pulse._RULES} <= set(NUMBERS)
