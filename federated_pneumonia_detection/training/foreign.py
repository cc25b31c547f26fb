"""Classifiers of others by name: MONAI's, torchvision's, or one's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from federated_pneumonia_detection.training.errors import BadModel, one_line
from federated_pneumonia_detection.training.normalisation import standardised

__all__ = ["OWN_PACKAGES", "ForeignNetwork", "build_foreign"]

# Where names may come from: a name arrives over HTTP too and must not import just anything. Packages of one's own are
# named in this environment variable, separated by commas, by whoever runs the machine.
OWN_PACKAGES = "FPD_MODEL_PACKAGES"
_NAMESPACES = {
    "monai": "monai.networks.nets",
    "monai.networks.nets": "monai.networks.nets",
    "torchvision": "torchvision.models",
    "torchvision.models": "torchvision.models",
}
_KNOWN_NAMES = "known: 'small_resnet', 'monai.NAME' or 'torchvision.NAME'"

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


def build_foreign(name: str, arguments: dict[str, Any], image_size: int) -> nn.Module:
    """Builds the classifier ``name``, with what we know filled into its arguments.

    Args:
        name: As ``monai.DenseNet121``.
        arguments: For its constructor; they win over what we would fill in.
        image_size: Side of the images.

    Raises:
        BadModel: If there is no such classifier, or it cannot be built with these arguments.
    """
    factory = _find(name)
    takes, anything = _argument_names(factory)
    filled = {key: value(image_size) for key, value in _KNOWN_ARGUMENTS.items() if key in takes} | arguments
    unknown = [] if anything else sorted(set(filled) - set(takes))
    if unknown:
        near = difflib.get_close_matches(unknown[0], takes, n=1)
        right = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(takes)}"
        raise BadModel(name, f"unknown model_args key {unknown[0]!r}", right)
    try:
        backbone = factory(**filled)
    except Exception as error:
        # Any constructor of any library: whatever it dislikes is a fault of the configuration, told as such.
        raise BadModel(name, f"cannot be built: {one_line(error)}", "set what it needs in model_args") from error
    if not isinstance(backbone, nn.Module):
        raise BadModel(name, "is no network", _KNOWN_NAMES)
    return ForeignNetwork(backbone, _channels(name, filled))


def _channels(name: str, filled: dict[str, Any]) -> int:
    """How many channels a network was told to take."""
    for key in ("in_channels", "n_input_channels"):
        if isinstance(filled.get(key), int):
            return int(filled[key])
    if isinstance(filled.get("in_shape"), list | tuple):
        return int(filled["in_shape"][0])
    return 3 if name.startswith("torchvision.") else 1


def _argument_names(factory: Callable[..., Any]) -> tuple[list[str], bool]:
    """What a constructor takes by name, inherited ones included, and whether it takes any other name as well."""
    chain: list[Any] = [factory]
    if inspect.isclass(factory):
        chain = [vars(c)["__init__"] for c in factory.__mro__ if "__init__" in vars(c) and c not in (nn.Module, object)]
    names: list[str] = []
    for function in chain:
        parameters = list(inspect.signature(function).parameters.values())
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            # Nothing is passed on to the class above.
            return [n for n in names if n != "self"], False
    if not inspect.isclass(factory):
        # Functions that pass everything on (monai.resnet18, torchvision.resnet18) do not tell what to.
        module = getattr(factory, "__module__", "")
        names += ["num_classes"] if module.startswith("torchvision.") else []
        names += ["spatial_dims", "n_input_channels", "num_classes"] if module == "monai.networks.nets.resnet" else []
    return [n for n in names if n != "self"], True


def _find(name: str) -> Callable[..., Any]:
    """The class or function that ``name`` stands for."""
    package, _, attribute = name.rpartition(".")
    if not package:
        raise BadModel(name, "unknown", _suggestion(name))
    module_name = _NAMESPACES.get(package)
    if module_name is None:
        own = {p.strip() for p in os.environ.get(OWN_PACKAGES, "").split(",") if p.strip()}
        if package.split(".")[0] not in own:
            right = f"{_suggestion(name)} (packages of your own are named in the environment variable {OWN_PACKAGES})"
            raise BadModel(name, "not in a known package", right)
        module_name = package
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        right = f"install it with: pip install {package.split('.')[0]}"
        raise BadModel(name, f"{package} cannot be imported ({one_line(error)})", right) from error
    found = getattr(module, attribute, None)
    if not callable(found) or attribute.startswith("_"):
        raise BadModel(name, "unknown", _nearest(attribute, package, module) or f"{package} has no such network")
    return found  # type: ignore[no-any-return]


def _nearest(attribute: str, package: str, module: object) -> str:
    """A question that names the nearest class or function of ``module``; empty if nothing is near."""
    # Classes come first: MONAI has aliases in small letters for many of them.
    names = sorted(n for n, v in vars(module).items() if not n.startswith("_") and callable(v))
    lower: dict[str, str] = {}
    for name in names:
        lower.setdefault(name.lower(), name)
    near = difflib.get_close_matches(attribute.lower(), lower, n=1, cutoff=0.6)
    return f"did you mean '{package}.{lower[near[0]]}'?" if near else ""


def _suggestion(name: str) -> str:
    """The nearest right name for one that has no package, or a wrong one."""
    if difflib.get_close_matches(name.lower(), ["small_resnet"], n=1, cutoff=0.5):
        return "did you mean 'small_resnet'?"
    try:
        module = importlib.import_module(_NAMESPACES["monai"])
    except ImportError:
        return _KNOWN_NAMES
    return _nearest(name.rpartition(".")[2], "monai", module) or _KNOWN_NAMES
