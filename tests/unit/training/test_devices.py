import pytest
import torch

from federated_pneumonia_detection.training.devices import choose_device, lightning_device
from federated_pneumonia_detection.training.errors import DeviceUnavailable


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")
    assert lightning_device("cpu") == ("cpu", 1)


def test_a_device_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(DeviceUnavailable, match=r"device 'cuda:99' is not available here; available: auto, cpu"):
        choose_device("cuda:99")


def test_one_gpu_of_several_can_be_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert lightning_device("cuda:1") == ("gpu", [1])
    assert lightning_device("auto") == ("gpu", 1)
