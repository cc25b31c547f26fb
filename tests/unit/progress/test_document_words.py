"""The condition and the sentence of a polled document."""

from __future__ import annotations

from typing import Any

import pytest

from federated_pneumonia_detection.progress.document_fold import Summary
from federated_pneumonia_detection.progress.document_words import told


@pytest.mark.parametrize(
    ("mode", "known", "expected"),
    [
        ("centralized", {}, ("starting", "Starting; nothing is trained yet.")),
        ("federated", {"stage": "waiting_for_clients"}, ("waiting_for_clients", "Waiting for hospitals.")),
        (
            "centralized",
            {"status": "running", "current_epoch": 3, "total_epochs": 10},
            ("training", "Training epoch 3 of 10."),
        ),
        (
            "centralized",
            {"status": "running", "current_epoch": 3, "stage": "evaluating"},
            ("evaluating", "Epoch 3 is being evaluated."),
        ),
        (
            "federated",
            {"status": "running", "current_round": 2, "total_rounds": 5, "stage": "aggregating"},
            ("aggregating", "Round 2 of 5 is being aggregated."),
        ),
        (
            "federated",
            {"status": "failed", "current_round": 2, "error": "The training process was killed.", "died": True},
            ("dead", "Died in round 2: the training process was killed."),
        ),
        ("centralized", {"status": "failed"}, ("dead", "Died: its process ended without a word.")),
        ("centralized", {"status": "failed", "error": "no data"}, ("failed", "Failed: no data.")),
        (
            "centralized",
            {"status": "cancelled", "by": "Ada", "current_epoch": 1, "total_epochs": 3},
            ("stopped", "Stopped by Ada in epoch 1 of 3."),
        ),
        ("centralized", {"status": "lost"}, ("lost_contact", "Lost: it ended without saying how.")),
        ("centralized", {"status": "completed"}, ("finished", "Finished.")),
    ],
)
def test_a_document_says_what_its_writer_can_know(mode: str, known: dict[str, Any], expected: tuple[str, str]) -> None:
    assert told(Summary(None, **known), mode) == expected
