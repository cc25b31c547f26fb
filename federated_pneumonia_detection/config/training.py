"""What a training can be told, once: the same models read YAML, HTTP bodies, forms and the command line.

The defaults are the recipe chosen for PneumoniaMNIST on training and validation data alone: a small residual network,
24 epochs, one cycle of the learning rate, light augmentation. Numbers are strict: `"10"`, `10.5` and `true` are no
whole number, and no infinity or NaN is taken anywhere.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from federated_pneumonia_detection.config.errors import ConfigError
from federated_pneumonia_detection.config.explain import explain
from federated_pneumonia_detection.config.strategies import Misfit, Strategy, StrategySettings, misfits
from federated_pneumonia_detection.config.yaml_reading import read_yaml

__all__ = [
    "CentralizedRequest",
    "ExperimentName",
    "FederatedConfig",
    "FederatedRequest",
    "Kind",
    "TrainingConfig",
    "check_experiment_name",
    "commented_yaml",
    "config_class",
    "dump_config",
    "load_config",
    "make_config",
    "schema",
]

Kind: TypeAlias = Literal["centralized", "federated"]

JsonValue: TypeAlias = str | int | float | bool | None


def check_experiment_name(name: str) -> str:
    r"""Return `name` if it can stand in a title and cannot be mistaken for a path.

    Raises:
        ValueError: `name` is empty, longer than 200 characters, not printable, or holds `/`, `\` or `..`.
    """
    if not 1 <= len(name) <= 200:
        raise ValueError(f"it has {len(name)} characters; a name has 1 to 200")
    if not name.isprintable():
        raise ValueError("it holds a character that cannot be printed; use letters, digits, spaces and punctuation")
    for bad in ("/", "\\", ".."):
        if bad in name:
            raise ValueError(f"it holds {bad!r}; a name is no path, leave that out")
    if not name.strip():
        raise ValueError("it holds only spaces; a name has at least one letter or digit")
    return name


ExperimentName = Annotated[
    str, Field(description="1 to 200 printable characters, no path."), AfterValidator(check_experiment_name)
]
SourcePath = Annotated[
    Annotated[str, Field(min_length=1, max_length=4096)] | None,
    Field(
        description="An npz, a folder, a CSV or a zip on the server, or the word phantoms; "
        "null: FPD_DATA, the cache, the publisher, phantoms."
    ),
]
NumClients = Annotated[int, Field(ge=1, le=10_000, description="Hospitals that take part.")]
NumRounds = Annotated[int, Field(ge=1, le=100_000, description="How often the hospitals' weights are put together.")]
LocalEpochs = Annotated[int, Field(ge=1, le=10_000, description="Epochs each hospital trains within one round.")]
Partition = Annotated[
    Literal["iid", "dirichlet", "patient"],
    Field(
        description="How training images are dealt out: iid (evenly), dirichlet (classes unevenly), "
        "patient (no patient at two hospitals)."
    ),
]
Alpha = Annotated[
    float, Field(gt=0, le=1_000_000, description="For dirichlet: the smaller, the more the hospitals differ.")
]
Engine = Annotated[
    Literal["local", "ray", "superlink"],
    Field(
        description="local (in the training process, no Ray), ray (Flower's simulation) or superlink (hospitals on "
        "machines of their own, with images of their own)."
    ),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


class TrainingConfig(_Strict):
    """How a network is trained on one machine (and, within a round, at each hospital)."""

    epochs: int = Field(default=24, ge=1, le=100_000, description="How often the training images are seen.")
    batch_size: int = Field(default=64, ge=1, le=65_536, description="Images in one step of the optimiser.")
    learning_rate: float = Field(
        default=3e-3,
        gt=0,
        le=10,
        description="Greatest learning rate; it rises to it and falls again (one cycle, AdamW).",
    )
    weight_decay: float = Field(
        default=0.05, ge=0, le=10, description="AdamW's weight decay, on matrices and filters only."
    )
    label_smoothing: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="0.05 trains towards 0.025 and 0.975 instead of 0 and 1; 0 switches it off.",
    )
    class_weights: bool = Field(
        default=True,
        description="Weigh each class by the inverse of its frequency, so that the rarer one counts as much.",
    )
    image_size: int = Field(default=28, ge=8, le=1024, description="Side in pixels to which every image is brought.")
    model: str = Field(
        default="small_resnet",
        min_length=1,
        max_length=200,
        description="The network: small_resnet, or the name of any MONAI or torch classifier, "
        "as monai.networks.nets.DenseNet121.",
    )
    model_args: dict[str, JsonValue | list[JsonValue]] = Field(
        default={}, description="Keyword arguments for that network."
    )
    augment: bool = Field(
        default=True, description="Small random rotations, shifts, zooms, contrast, brightness and noise in training."
    )
    ema: bool = Field(
        default=True,
        description="Use a running average of the weights for validation and as the result (smoother, better).",
    )
    test_time_augmentation: bool = Field(
        default=True, description="Average over seven slightly moved views in the final test."
    )
    drop_duplicates: bool = Field(
        default=True, description="Leave out training images that occur twice, or again in validation or test."
    )
    threshold: float = Field(
        default=0.5, ge=0, le=1, description="From this probability on an image is called pneumonia."
    )
    early_stopping_patience: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Stop after so many epochs without a better validation loss; null: never.",
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="The same seed gives the same run.")
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$",
        description="auto (a GPU where there is one), cpu, cuda, cuda:1, mps.",
    )
    num_workers: int = Field(
        default=0, ge=0, le=256, description="Processes that load images; 0: the training process itself."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads torch may use; null: half the cores, at most four (waiting threads cost more than "
        "they bring).",
    )


class _Rounds(TrainingConfig):
    num_clients: NumClients = 3
    num_rounds: NumRounds = 3
    local_epochs: LocalEpochs = 1
    partition: Partition = "iid"
    alpha: Alpha = 0.5
    fraction_train: float = Field(
        default=1.0, gt=0, le=1, description="Share of the hospitals that train in each round."
    )
    engine: Engine = "local"


class FederatedConfig(StrategySettings, _Rounds):
    """How hospitals train together. Within a round each trains by the keys of a centralised run (but for `epochs`)."""

    @model_validator(mode="after")
    def _fits_together(self) -> FederatedConfig:
        if problems := misfits(self):
            raise Misfit(problems)
        return self


class CentralizedRequest(_Strict):
    """Body of `POST /api/centralized/train`. Everything may be left out."""

    source_path: SourcePath = None
    experiment_name: ExperimentName = "pneumonia"
    epochs: int | None = Field(default=None, ge=1, le=100_000, description="Wins over config.epochs.")
    config: TrainingConfig = Field(default=TrainingConfig(), description="Everything else.")

    def resolved(self) -> TrainingConfig:
        """The configuration to train with: `config`, with what stands outside it put over it."""
        return self.config if self.epochs is None else self.config.model_copy(update={"epochs": self.epochs})


class FederatedRequest(_Strict):
    """Body of `POST /api/federated/train`. Everything may be left out; what stands outside `config` wins."""

    source_path: SourcePath = None
    experiment_name: ExperimentName = "federated"
    epochs: int | None = Field(
        default=None, ge=1, le=10_000, description="Another word for local_epochs, which wins where both are given."
    )
    num_clients: NumClients = 3
    num_rounds: NumRounds = 3
    local_epochs: LocalEpochs = 1
    partition: Partition = "iid"
    alpha: Alpha = 0.5
    strategy: Strategy = "fedavg"
    engine: Engine = "local"
    config: FederatedConfig = Field(default=FederatedConfig(), description="Everything else.")

    @model_validator(mode="before")
    @classmethod
    def _outside_wins(cls, given: Any) -> Any:
        """Put what stands outside `config` into it, so that its parts are seen to fit together."""
        if not isinstance(given, dict) or not isinstance(config := given.get("config", {}), dict):
            return given
        outside = {} if given.get("epochs") is None else {"local_epochs": given["epochs"]}
        outside |= {name: given[name] for name in _OUTSIDE if name in given}
        # What is wrong outside is told there, and not once more.
        fine = {name: value for name, value in outside.items() if _is_fine(name, value)}
        return {**given, "config": {**config, **fine}}

    def resolved(self) -> FederatedConfig:
        """The configuration to train with: `config`, with what was given outside it put over it."""
        return self.config


_OUTSIDE = ("num_clients", "num_rounds", "local_epochs", "partition", "alpha", "strategy", "engine")


def _is_fine(name: str, value: Any) -> bool:
    field = FederatedConfig.model_fields[name]
    try:
        TypeAdapter[Any](cast(Any, Annotated[field.annotation, field])).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def config_class(kind: Kind) -> type[TrainingConfig]:
    """The model that a configuration of `kind` is read into."""
    return FederatedConfig if kind == "federated" else TrainingConfig


def make_config(values: Mapping[str, Any], kind: Kind, *, where: str = "") -> TrainingConfig:
    """Return the configuration of `kind` with `values`, and defaults for the rest.

    Raises:
        ConfigError: a key is unknown or a value out of its range; all of them are in `problems`.
    """
    try:
        return config_class(kind).model_validate(dict(values))
    except ValidationError as error:
        problems = explain(error.errors(include_url=False), config_class(kind), where=where)
        raise ConfigError.of(problems) from None


def load_config(path: str | Path | None, kind: Kind = "centralized") -> TrainingConfig:
    """Return the configuration in the YAML file `path`; the defaults for `None`.

    Returns:
        a `FederatedConfig` where `kind` is `federated`.

    Raises:
        ConfigError: the file cannot be read, is no YAML mapping, or holds a wrong key or value.
    """
    if path is None:
        return config_class(kind)()
    return make_config(read_yaml(Path(path)), kind, where=str(path))


def dump_config(config: TrainingConfig) -> str:
    """Return `config` as YAML that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def commented_yaml(kind: Kind = "centralized") -> str:
    """Return all keys of `kind` with their defaults, each under the sentence that explains it."""
    lines = [f"# Configuration of a {kind} training. Every key may be left out; the values are the defaults."]
    for name, field in config_class(kind).model_fields.items():
        lines.append("")
        lines += textwrap.wrap(field.description or "", 100, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"{name}: {json.dumps(field.get_default(call_default_factory=True))}")
    return "\n".join(lines) + "\n"


def schema(kind: Kind = "centralized") -> dict[str, Any]:
    """Return the JSON Schema of a configuration of `kind`, help texts and limits included."""
    return config_class(kind).model_json_schema()
