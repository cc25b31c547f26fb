from __future__ import annotations

from pathlib import Path

import jsonschema
import msgspec
import pytest

from federated_pneumonia_detection.progress import messages, schema

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/reference/messages.schema.json", schema.json_schema_text()),
        ("dashboard/src/client/messages.generated.ts", schema.typescript_text()),
    ],
)
def test_the_generated_files_are_not_stale(path: str, text: str) -> None:
    assert (ROOT / path).read_text() == text, "run: python -m federated_pneumonia_detection.progress.schema"


GUIDE = [
    {"type": "epoch_start", "epoch": 1, "total_epochs": 10},
    {"type": "epoch_end", "epoch": 1, "total_epochs": None, "phase": "train", "metrics": {"train_loss": 0.4523}},
    {"type": "training_complete", "final_metrics": {"total_epochs": 10, "best_val_recall": 0.8934}},
    {"type": "training_error", "error": "out of memory", "detail": None},
    {"type": "round_start", "round": 1, "total_rounds": 5, "client_id": "client_0"},
    {
        "type": "round_end",
        "round": 1,
        "client_id": "client_0",
        "fit_metrics": {"num_samples": 1000},
        "eval_metrics": {},
    },
    {"type": "step", "epoch": 1, "step": 2, "total_steps": 3, "phase": "train", "metrics": {"loss": None}, "row": 1},
    {"type": "anything_else", "data": [1, {"a": None}]},
]


@pytest.mark.parametrize("message", GUIDE, ids=lambda message: message["type"])
def test_a_message_of_the_wire_fits_the_schema_and_one_struct(message: dict[str, object]) -> None:
    wire = {**message, "timestamp": "2025-10-20T09:32:46.123456+00:00", "run_id": "run"}
    if message["type"] != "step":
        wire["offset"] = 1
    jsonschema.validate(wire, schema.json_schema())

    decoded = messages.decode(msgspec.json.encode(wire))
    assert messages.type_of(decoded) == message["type"]
    assert msgspec.json.decode(messages.encode(decoded)) == wire


@pytest.mark.parametrize(
    "wrong", [{}, {"type": "epoch_end"}, {"type": "epoch_start", "epoch": "one", "total_epochs": 1}]
)
def test_what_is_no_message_does_not_fit(wrong: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema.json_schema())


def test_all_but_step_are_lifecycle() -> None:
    assert not messages.is_lifecycle("step")
    assert all(messages.is_lifecycle(name) for name in [*messages.LIFECYCLE, "something_of_yours"])
    assert messages.TERMINAL < messages.LIFECYCLE
