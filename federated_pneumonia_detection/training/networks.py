"""The networks: a small residual one by default, any MONAI or torchvision classifier by name.

Every network of this part takes grey images ``(N, 1, H, W)`` with values in 0…1 and returns one logit per image,
shape ``(N,)``; a positive logit means pneumonia. Whatever normalisation a network needs happens inside it, so that a
checkpoint is complete without a word about preprocessing.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from federated_pneumonia_detection.training.errors import BadModel

if TYPE_CHECKING:
    from federated_pneumonia_detection.config import TrainingConfig

__all__ = ["ForeignNetwork", "SmallResNet", "build_network"]

SMALL_RESNET = "small_resnet"

# Where names may come from: a name arrives over HTTP too and must not import just anything. Packages of one's own are
# named in this environment variable, separated by commas, by whoever runs the machine.
OWN_PACKAGES = "FPD_MODEL_PACKAGES"
_NAMESPACES = {"monai": "monai.networks.nets", "torchvision": "torchvision.models"}

# What the constructors of MONAI and torchvision call the things we know. A value that the user gives wins.
_KNOWN_ARGUMENTS: dict[str, Callable[[int], Any]] = {
    "spatial_dims": lambda size: 2,
    "in_channels": lambda size: 1,
    "n_input_channels": lambda size: 1,
    "out_channels": lambda size: 1,
    "num_classes": lambda size: 1,
    "classes": lambda size: 1,
    "img_size": lambda size: (size, size),
    "in_shape": lambda size: (1, size, size),
    "classification": lambda size: True,
    "pretrained": lambda size: False,
}

# Sizes tried, smallest first, to tell a user which one a network would take.
_COMMON_SIZES = (28, 32, 48, 64, 96, 128, 160, 224)


def _box_mean(images: Tensor) -> Tensor:
    """Mean over 7 x 7 pixels, edges reflected, twice: a smooth local mean without ringing."""
    for _ in range(2):
        images = functional.avg_pool2d(functional.pad(images, (3, 3, 3, 3), mode="reflect"), 7, stride=1)
    return images


def standardised(images: Tensor) -> Tensor:
    """Each image with mean 0 and standard deviation 1 (a flat image becomes 0)."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    std = images.std(dim=(1, 2, 3), keepdim=True, correction=0)
    return (images - mean) / std.clamp_min(0.02)


def local_contrast(images: Tensor) -> Tensor:
    """Each pixel against the mean and the spread of its neighbourhood: blind to how bright a device draws."""
    centred = images - _box_mean(images)
    variance = _box_mean(centred.square()).clamp_min(0)
    return centred / (variance.sqrt() + 0.05)


class _Block(nn.Module):
    """A basic residual block; where the shape changes the shortcut is average pooling and a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            # ceil_mode: an odd side is halved by the strided convolution rounding up, so the pooling must as well.
            pool: nn.Module = nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class SmallResNet(nn.Module):
    """The default: a residual network of 77 313 weights that learns 28 x 28 X-rays in about two minutes on one core.

    It sees each image twice, standardised and as local contrast: acquisition differs between hospitals in brightness
    and contrast, and a network that can read those cheats on them.

    Args:
        channels: Width of the three stages.
    """

    def __init__(self, channels: tuple[int, int, int] = (16, 32, 64)) -> None:
        super().__init__()
        first, second, third = channels
        self.stem = nn.Conv2d(2, first, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(first)
        self.blocks = nn.Sequential(_Block(first, first, 1), _Block(first, second, 2), _Block(second, third, 2))
        self.head = nn.Linear(third, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N,)`` of images ``(N, 1, H, W)`` in 0…1 with sides of at least 8."""
        x = torch.cat((standardised(images), local_contrast(images)), dim=1)
        # 1.5 times as fast as the default layout on a CPU.
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.norm(self.stem(x)))
        x = self.blocks(x)
        logits: Tensor = self.head(x.mean(dim=(2, 3))).squeeze(1)
        return logits


class ForeignNetwork(nn.Module):
    """Somebody else's classifier behind our shapes.

    Args:
        backbone: Takes ``(N, in_channels, H, W)``; gives ``(N, 1)`` logits, ``(N, 2)`` (normal, pneumonia), or a tuple
            or list that begins with one of them.
        in_channels: How many copies of the grey channel the backbone wants.
    """

    def __init__(self, backbone: nn.Module, in_channels: int = 1) -> None:
        super().__init__()
        self.backbone = backbone
        self.in_channels = in_channels

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N,)`` of images ``(N, 1, H, W)`` in 0…1."""
        output = self.backbone(standardised(images).expand(-1, self.in_channels, -1, -1))
        if isinstance(output, tuple | list):
            output = output[0]
        if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] not in (1, 2):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f"gives {shape}, not one or two logits per image")
        return output[:, 0] if output.shape[1] == 1 else output[:, 1] - output[:, 0]


def build_network(config: TrainingConfig, *, seed: int | None = None) -> nn.Module:
    """The network that ``config.model`` names, with fresh weights.

    Args:
        config: ``model``, ``model_args``, ``image_size`` and ``seed`` are read.
        seed: Of the initial weights; ``config.seed`` if left out. The caller's random state is left as it was.

    Returns:
        A network from ``(N, 1, H, W)`` in 0…1 to logits ``(N,)``.

    Raises:
        BadModel: If the name is unknown (the nearest one is named), its arguments do not fit, or it cannot take
            images of ``image_size``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed if seed is None else seed)
        arguments: dict[str, Any] = dict(config.model_args)
        if config.model == SMALL_RESNET:
            try:
                network: nn.Module = SmallResNet(**arguments)
            except (TypeError, ValueError) as error:
                raise BadModel(config.model, str(error), "its one argument is channels, three numbers") from error
        else:
            network = _foreign(config.model, arguments, config.image_size)
        _try_on(config.model, network, config.image_size)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _foreign(name: str, arguments: dict[str, Any], image_size: int) -> nn.Module:
    """Builds the classifier ``name``, with what we know filled into its arguments."""
    factory = _find(name)
    parameters = inspect.signature(factory).parameters
    takes_anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = {
        key: value(image_size)
        for key, value in _KNOWN_ARGUMENTS.items()
        if key in parameters or (takes_anything and key in _hidden_arguments(name))
    }
    filled = {**known, **arguments}
    unknown = [] if takes_anything else sorted(set(filled) - set(parameters))
    if unknown:
        near = difflib.get_close_matches(unknown[0], parameters, n=1)
        right = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(parameters)}"
        raise BadModel(name, f"unknown model_args key {unknown[0]!r}", right)
    try:
        backbone = factory(**filled)
    except Exception as error:
        # Any constructor of any library: whatever it dislikes is a fault of the configuration, told as such.
        raise BadModel(name, f"cannot be built: {_one_line(error)}", "set what it needs in model_args") from error
    channels = next((int(filled[k]) for k in ("in_channels", "n_input_channels") if k in filled), 3)
    return ForeignNetwork(backbone, channels)


def _hidden_arguments(name: str) -> tuple[str, ...]:
    """What constructors with ``**kwargs`` take without saying so."""
    if name.startswith("torchvision."):
        return ("num_classes",)
    return ("spatial_dims", "n_input_channels", "num_classes") if ".resnet" in name else ()


def _find(name: str) -> Callable[..., nn.Module]:
    """The class or function that ``name`` stands for."""
    package, _, attribute = name.rpartition(".")
    own = {p.strip() for p in os.environ.get(OWN_PACKAGES, "").split(",") if p.strip()}
    if name in _NAMESPACES or not package:
        raise BadModel(name, "unknown", _suggestion(name))
    module_name = _NAMESPACES.get(package)
    if module_name is None:
        if package.split(".")[0] not in own:
            right = f"{_suggestion(name)} (packages of your own are named in the environment variable {OWN_PACKAGES})"
            raise BadModel(name, "not in a known package", right)
        module_name = package
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        right = f"install it with: pip install {package.split('.')[0]}"
        raise BadModel(name, f"{package} cannot be imported ({_one_line(error)})", right) from error
    found = getattr(module, attribute, None)
    if not callable(found) or attribute.startswith("_"):
        raise BadModel(name, "unknown", _nearest(attribute, package, module))
    return found  # type: ignore[no-any-return]


def _nearest(attribute: str, package: str, module: object) -> str:
    names = [n for n, v in vars(module).items() if not n.startswith("_") and callable(v)]
    lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(attribute.lower(), lower, n=1, cutoff=0.5)
    return f"did you mean '{package}.{lower[near[0]]}'?" if near else f"{package} has no such network"


def _suggestion(name: str) -> str:
    """The nearest right name for one that has no package, or a wrong one."""
    attribute = name.rpartition(".")[2]
    if difflib.get_close_matches(name.lower(), [SMALL_RESNET], n=1, cutoff=0.5):
        return f"did you mean {SMALL_RESNET!r}?"
    try:
        near = _nearest(attribute, "monai", importlib.import_module(_NAMESPACES["monai"]))
    except ImportError:
        near = ""
    return near if near.startswith("did") else f"known: {SMALL_RESNET!r}, 'monai.NAME' or 'torchvision.NAME'"


def _try_on(name: str, network: nn.Module, image_size: int) -> None:
    """Raises BadModel unless ``network`` takes images of ``image_size``; names a size that it would take."""
    error = _fits(network, image_size)
    if error is None:
        return
    bigger = (size for size in _COMMON_SIZES if size > image_size)
    fitting = next((size for size in bigger if _fits(network, size) is None), None)
    right = f"image_size: {fitting} would do" if fitting else "it must give one logit (or two) per grey image"
    raise BadModel(name, f"does not take images of {image_size} x {image_size} ({error})", right)


def _fits(network: nn.Module, image_size: int) -> str | None:
    """What goes wrong with two images of that size; None if nothing does."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            network(torch.zeros(2, 1, image_size, image_size))
    except Exception as error:  # noqa: BLE001 - the forward pass of any library may raise anything: it does not fit
        return _one_line(error)
    finally:
        network.train(training)
    return None


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
