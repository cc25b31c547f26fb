import pytest

from federated_pneumonia_detection.cli.lines import PHANTOMS, line, metric_words, rate, superseded

AT = "2026-01-02T03:04:05.000000+00:00"


def _line(**message):
    told = line({"timestamp": AT, **message})
    return None if told is None else told.split(" ", 1)[1]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            {"type": "run_start", "experiment_name": "x", "data": {"splits": {"train": {"n": 3}, "val": {"n": 2}}}},
            "started x: 3 train, 2 val images",
        ),
        ({"type": "run_start", "experiment_name": "x", "data": {}, "attempt": 2}, "started x, attempt 2"),
        (
            {"type": "run_start", "experiment_name": "x", "data": {}, "attempt": 2, "from_epoch": 5},
            "started x, attempt 2 goes on from epoch 5",
        ),
        (
            {"type": "run_start", "experiment_name": "x", "data": {}, "attempt": 3, "from_round": 0},
            "started x, attempt 3",
        ),
        (
            {"type": "epoch_end", "epoch": 2, "total_epochs": 9, "phase": "val", "metrics": {"val_auroc": 0.93125}},
            "epoch 2 of 9, validation: AUROC 0.931",
        ),
        (
            {"type": "epoch_end", "epoch": 2, "total_epochs": None, "phase": "train", "metrics": {}},
            "epoch 2, train: no metrics",
        ),
        ({"type": "round_start", "round": 1, "total_rounds": 3}, "round 1 of 3 opened"),
        (
            {"type": "round_end", "round": 1, "client_id": "c", "fit_metrics": {"train_loss": 1}, "eval_metrics": {}},
            "c: sent round 1: loss 1.000",
        ),
        (
            {"type": "round_aggregated", "round": 1, "metrics": {"val_loss": 0.25}, "failed_clients": ["c"]},
            "round 1, global model, without c: loss 0.250",
        ),
        (
            {"type": "round_end", "round": 1, "client_id": "c", "fit_metrics": {}, "eval_metrics": {"val_loss": 1}},
            "c: evaluated round 1: loss 1.000",
        ),
        (
            {"type": "round_aggregated", "round": 1, "metrics": {"val_loss": 0.25, "epsilon": 1.5, "delta": 1e-5}},
            "round 1, global model: loss 0.250, epsilon 1.500 spent",
        ),
        ({"type": "client_failed", "round": 2, "client_id": "c", "error": "boom"}, "c: failed in round 2: boom"),
        ({"type": "training_complete", "final_metrics": {"test_auroc": 0.98}}, "complete: test AUROC 0.980"),
        ({"type": "training_error", "error": "out of memory"}, "failed: out of memory"),
        ({"type": "training_cancelled", "by": "page", "reason": "enough"}, "stopped by page: enough"),
        ({"type": "alert", "level": "warning", "title": "T", "text": "U"}, "warning: T. U"),
        ({"type": "step", "epoch": 1, "metrics": {}}, None),
        ({"type": "epoch_start", "epoch": 1}, None),
        ({"type": "my own", "data": 1}, None),
    ],
)
def test_each_message_is_one_line_or_none(message, words):
    assert _line(**message) == words


def test_a_run_on_phantoms_says_so_where_it_starts():
    assert PHANTOMS == "phantoms, not X-rays"
    assert PHANTOMS in _line(type="run_start", experiment_name="x", data={"phantom": True})


def test_what_somebody_else_wrote_does_not_break_the_line():
    assert "\n" not in _line(type="training_error", error="first\nsecond\r\nthird")


def test_numbers_are_told_with_three_decimals_and_null_as_none():
    assert rate(-0.5) == "\N{MINUS SIGN}0.500"
    assert rate(None) == "none"
    assert metric_words({"val_loss": None, "speed": 3}) == "loss none"
    assert metric_words({"speed": 3.0}) == "speed 3.000"


def test_what_is_superseded_is_told_with_its_attempt() -> None:
    attempts = [{"attempt": 1, "kept": 5, "reached": 7}, {"attempt": 2, "kept": 5, "reached": 6}]
    running = {"attempt": 3, "kept": 9, "reached": 9}
    state = {"mode": "centralized", "attempts": [*attempts, running]}
    assert superseded(state) == "attempt 1, epochs 6 to 7; attempt 2, epoch 6"
    assert superseded({"mode": "federated", "attempts": [running]}) == superseded({}) == ""
