from federated_pneumonia_detection.cli.journals import Journals
from federated_pneumonia_detection.cli.terminal.story import Story


def _told(directory, run_id):
    story = Story()
    for message in Journals(directory).messages(run_id):
        if message is None:
            return story
        story.take(message)
    raise AssertionError


def test_epochs_become_curves_and_lines(centralized_run):
    seen = _told(centralized_run(), "run-a").seen()
    assert seen.curves["val_auroc"] == ((1, 0.9), (2, 0.9))
    assert seen.curves["train_loss"] == ((1, 0.5), (2, 0.5))
    assert seen.lines[-1].endswith("complete: test AUROC 0.950")


def test_rounds_become_the_global_curve_and_each_hospitals_loss(federated_run):
    seen = _told(federated_run(), "run-f").seen()
    assert seen.curves["val_auroc"] == ((1, 0.85),)
    assert seen.local == {"client_0": ((1, 0.6),), "client_1": ((1, 0.6),)}


def test_what_a_later_attempt_supersedes_is_no_part_of_the_curve():
    story = Story()
    for epoch in (1, 2, 3):
        story.take({"type": "epoch_end", "epoch": epoch, "phase": "val", "metrics": {"val_loss": 1 / epoch}})
    story.take({"type": "run_start", "attempt": 2, "from_epoch": 1, "config": {}})
    story.take({"type": "epoch_end", "epoch": 2, "phase": "val", "metrics": {"val_loss": 0.1}})
    assert story.seen().curves["val_loss"] == ((1, 1.0), (2, 0.1))


def test_what_is_not_as_we_know_it_is_passed_over():
    story = Story()
    for strange in ({"type": "epoch_end"}, {"type": "local_epoch", "client_id": "c", "round": "x"}, {"type": 3}):
        story.take(strange)
    assert story.seen().curves == {}


def test_a_name_without_its_phase_gets_it():
    story = Story()
    story.take({"type": "epoch_end", "epoch": 1, "phase": "val", "metrics": {"loss": 0.5, "note": "text"}})
    assert story.seen().curves == {"val_loss": ((1, 0.5),)}
