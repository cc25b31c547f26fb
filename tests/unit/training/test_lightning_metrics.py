import pytest
import torch

from federated_pneumonia_detection.training.lightning_metrics import changed, named, step_loss


def test_only_what_is_another_object_has_changed():
    old, new = torch.tensor(1.0), torch.tensor(1.0)
    assert changed({"a": old, "b": old}, {"a": old, "b": new, "c": old}) == {"b": new, "c": old}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("val_loss", "val_loss"),
        ("valid_loss", "val_loss"),
        ("validation/loss", "val_loss"),
        ("val/acc", "val_acc"),
        ("loss", "val_loss"),
        ("value_error", "val_value_error"),
        ("val_loss/dataloader_idx_0", "val_loss/dataloader_idx_0"),
        ("lr-Adam", "lr-Adam"),
        ("epoch", "epoch"),
    ],
)
def test_the_names_of_others_become_ours(theirs, ours):
    assert named({theirs: 1.0}, "val") == {ours: 1.0}


def test_what_belongs_to_another_phase_is_left_out():
    assert named({"train_loss": 1.0, "test/acc": 1.0, "val_loss": 2.0}, "val") == {"val_loss": 2.0}


def test_of_step_and_epoch_the_epoch_stays_once():
    metrics = {"train_loss": 1.0, "train_loss_step": 2.0, "train_loss_epoch": 1.0, "train_time_step": 3.0}
    assert named(metrics, "train") == {"train_loss": 1.0, "train_time_step": 3.0}


@pytest.mark.parametrize("outputs", [torch.tensor(0.5), {"loss": torch.tensor(0.5), "more": 1}])
def test_the_loss_of_a_step_is_found_and_undivided(outputs):
    assert step_loss(outputs, 2) == 1.0


@pytest.mark.parametrize("outputs", [None, {}, {"loss": None}, torch.ones(3), "text"])
def test_a_step_may_have_no_loss(outputs):
    assert step_loss(outputs, 1) is None
