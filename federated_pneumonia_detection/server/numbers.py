"""The server's numbers for Prometheus: what each means, and the collector that asks hub and server for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from federated_pneumonia_detection.server.service import Service

__all__ = ["NUMBERS", "Numbers"]

NUMBERS: dict[str, str] = {
    "fpd_hub_top": "The newest offset of the log.",
    "fpd_hub_journals": "Journals that are followed.",
    "fpd_hub_viewers": "Viewers that are connected, by WebSocket and by Server-Sent Events.",
    "fpd_hub_messages_committed_total": "Lifecycle messages that went into the log.",
    "fpd_hub_steps_committed_total": "Step messages that went into the log.",
    "fpd_hub_frames_sent_total": "Frames handed to viewers, live.",
    "fpd_hub_steps_merged_total": "Steps that were not sent because a newer one of the same curve was.",
    "fpd_hub_frames_withheld_total": "Frames that waited because a viewer had not taken earlier ones.",
    "fpd_hub_viewers_too_slow_total": "Viewers sent away for reading too slowly, to come back with their cursor.",
    "fpd_hub_lag_seconds": "Age of the newest message when it was committed.",
    "fpd_hub_log_stuck_seconds": "For how long the log has been taking nothing; 0 where it does.",
    "fpd_hub_follower_faults_total": "Unexpected faults in following journals, after which it went on.",
    "fpd_hub_missing_messages_total": "Numbers that are missing in journals: what their writers could not record.",
    "fpd_hub_damaged_lines_total": "Lines of journals that do not match their checksum.",
    "fpd_hub_unwritten_words_total": "What the hub had to say and could not write to its own journal.",
    "fpd_server_trainings_running": "Trainings this server started that run now.",
    "fpd_server_trainings_waiting": "Trainings that wait for room.",
    "fpd_server_log_lines_unwritten_total": "Lines of the server's own log that could not be written.",
    "fpd_server_ingested_lines_total": "Lines of shipped journals that were new.",
    "fpd_server_ingest_refused_total": "Deliveries of shipped journals that were refused.",
    "fpd_server_rules_fired_total": "Rules that have fired.",
    "fpd_server_notices_told_total": "Notices that targets have taken.",
    "fpd_server_notices_refused_total": "Times that a target did not take what it was told.",
    "fpd_server_notices_waiting": "Notices that wait: for quiet hours to end, or for a target to answer.",
    "fpd_server_targets_in_trouble": "Targets that did not take the last thing they were told.",
    "fpd_server_refused_requests_total": "Requests refused to somebody without the right.",
}
"""By name; one that ends in `_total` only ever grows while the server runs."""


class Numbers(Collector):
    """Asked when Prometheus asks, so that nothing has to be counted twice."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """What is known now."""
        service = self._service
        yield from _families("fpd_hub_", service.hub.stats())
        yield from _families("fpd_server_", service.stats())
        by_status: dict[str, int] = {}
        for run in service.hub.runs():
            by_status[run.status] = by_status.get(run.status, 0) + 1
        runs = GaugeMetricFamily("fpd_runs", "Runs by status.", labels=["status"])
        for status, count in sorted(by_status.items()):
            runs.add_metric([status], count)
        yield runs


def _families(prefix: str, values: Mapping[str, float]) -> Iterator[Metric]:
    for name, value in values.items():
        full = prefix + name
        family = CounterMetricFamily if full.endswith("_total") else GaugeMetricFamily
        metric = family(full, NUMBERS.get(full, name))
        metric.add_metric([], value)
        yield metric
