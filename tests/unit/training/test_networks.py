import pytest
import torch
from torch import nn

from federated_pneumonia_detection.config import TrainingConfig
from federated_pneumonia_detection.training.errors import BadModel
from federated_pneumonia_detection.training.networks import SmallResNet, build_network


def test_the_default_network_has_the_weights_of_the_recipe():
    assert sum(p.numel() for p in SmallResNet().parameters()) == 77_313


@pytest.mark.parametrize("size", [8, 12, 28, 33, 64])
def test_it_gives_one_logit_for_each_image_of_any_size(size):
    network = build_network(TrainingConfig(image_size=size))
    assert network(torch.rand(3, 1, size, size)).shape == (3,)


def test_its_verdict_does_not_depend_on_brightness_or_contrast_of_the_device():
    network = build_network(TrainingConfig()).eval()
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        change = network(images * 0.9 + 0.05) - network(images)
    # The floors under the two deviations leave a little.
    assert change.abs().max() < 0.05


def test_a_flat_image_gives_a_finite_logit():
    network = build_network(TrainingConfig()).eval()
    assert torch.isfinite(network(torch.full((2, 1, 28, 28), 0.5))).all()


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = build_network(TrainingConfig(seed=1)), build_network(TrainingConfig(seed=1))
    assert torch.rand(1) == expected
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert not torch.equal(build_network(TrainingConfig(seed=2)).stem.weight, first.stem.weight)


@pytest.mark.parametrize(
    ("model", "size", "args"),
    [
        ("monai.DenseNet121", 32, {}),
        ("monai.networks.nets.DenseNet121", 32, {"out_channels": 2}),
        ("monai.resnet18", 28, {}),
        ("monai.SEResNet50", 32, {}),
        ("monai.Classifier", 28, {"channels": [4, 8], "strides": [2, 2]}),
    ],
)
def test_a_classifier_of_monai_is_found_by_name(model, size, args):
    network = build_network(TrainingConfig(model=model, image_size=size, model_args=args)).eval()
    assert network(torch.rand(2, 1, size, size)).shape == (2,)


@pytest.mark.parametrize(
    ("model", "args", "told"),
    [
        ("smal_resnet", {}, "did you mean 'small_resnet'?"),
        ("DenseNet121", {}, "did you mean 'monai.DenseNet121'?"),
        ("monai.DenseNet112", {}, "did you mean 'monai.DenseNet121'?"),
        ("monai.DenseNet121", {"growth": 3}, "did you mean 'growth_rate'?"),
        ("monai.DenseNet121", {}, "image_size: 32 would do"),
        ("monai.UNet", {"channels": [4, 8], "strides": [2]}, "one logit (or two) per grey image"),
        ("os.system", {}, "known: 'small_resnet', 'monai.NAME' or 'torchvision.NAME'"),
        ("small_resnet", {"width": 3}, "three whole numbers"),
        ("small_resnet", {"channels": [1, 2]}, "three whole numbers"),
    ],
)
def test_a_wrong_model_is_told_in_one_line_with_what_would_be_right(model, args, told):
    with pytest.raises(BadModel) as caught:
        build_network(TrainingConfig(model=model, model_args=args))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_of_ones_own_is_used_once_its_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "my_own_networks.py").write_text(
        "from torch import nn\n"
        "class Mine(nn.Module):\n"
        "    def __init__(self, in_channels):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Conv2d(in_channels, 1, 28)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x).flatten(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = TrainingConfig(model="my_own_networks.Mine")
    with pytest.raises(BadModel, match="FPD_MODEL_PACKAGES"):
        build_network(config)
    monkeypatch.setenv("FPD_MODEL_PACKAGES", "my_own_networks")
    assert isinstance(build_network(config), nn.Module)
