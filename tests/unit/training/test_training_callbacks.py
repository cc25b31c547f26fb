import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.training import MetricsCollectorCallback, prepare_trainer_and_callbacks_pl
from federated_pneumonia_detection.training.errors import DeviceUnavailable


@pytest.fixture
def prepare(tmp_path):
    folders = {"checkpoint_dir": tmp_path / "checkpoints", "logs_dir": tmp_path / "logs"}
    on_cpu = TrainingConfig(device="cpu")
    return lambda config=on_cpu, **options: prepare_trainer_and_callbacks_pl(config, **folders, **options)


def test_the_trainer_has_the_callbacks_that_are_returned_beside_it(prepare):
    trainer, metrics, checkpoint, early_stopping = prepare(experiment_name="mine", run_id="r")
    assert isinstance(trainer, pl.Trainer)
    assert isinstance(metrics, MetricsCollectorCallback)
    assert isinstance(checkpoint, ModelCheckpoint)
    assert {metrics, checkpoint} <= set(trainer.callbacks)
    assert early_stopping is None
    assert (metrics.experiment_name, metrics.run_id) == ("mine", "r")


def test_it_works_with_a_websocket_manager_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manager = object()
    prepared = prepare_trainer_and_callbacks_pl(websocket_manager=manager, accelerator="cpu")
    assert prepared.metrics.websocket_manager is manager
    assert prepared.metrics.progress_log_dir == "logs/progress"
    assert not list(tmp_path.iterdir())


def test_there_is_no_logger_of_lightnings_and_no_progress_bar_off_a_terminal(prepare):
    trainer = prepare().trainer
    assert trainer.loggers == []
    assert trainer.progress_bar_callback is None


def test_each_run_has_a_folder_for_its_checkpoint(prepare, tmp_path):
    assert prepare(run_id="r").checkpoint.dirpath == str(tmp_path / "checkpoints" / "r")
    assert prepare().checkpoint.dirpath != prepare().checkpoint.dirpath


def test_epochs_and_patience_come_from_the_configuration_and_arguments_win(prepare):
    config = TrainingConfig(device="cpu", epochs=7, early_stopping_patience=3)
    prepared = prepare(config)
    assert prepared.trainer.max_epochs == 7
    assert isinstance(prepared.early_stopping, EarlyStopping)
    assert prepared.early_stopping.patience == 3
    assert prepare(config, epochs=2).trainer.max_epochs == 2
    assert prepare(config, early_stopping_patience=9).early_stopping.patience == 9


def test_options_of_lightnings_trainer_win_and_callbacks_are_added(prepare):
    mine = pl.Callback()
    trainer = prepare(callbacks=[mine], max_epochs=1, gradient_clip_val=0.5).trainer
    assert mine in trainer.callbacks
    assert (trainer.max_epochs, trainer.gradient_clip_val) == (1, 0.5)


def test_a_device_that_is_not_there_is_told(prepare):
    with pytest.raises(DeviceUnavailable):
        prepare(TrainingConfig(device="cuda:77"))
