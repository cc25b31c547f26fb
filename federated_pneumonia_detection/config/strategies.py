"""The settings of federated strategies and of differential privacy: what each takes, and what it needs of a run.

A setting of a strategy that was not chosen must stay at its default; anything else would be a wish that nobody heeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from federated_pneumonia_detection.config.errors import Problem

__all__ = [
    "SETTINGS",
    "Misfit",
    "Privacy",
    "Strategy",
    "StrategySettings",
    "clients_needed",
    "clients_of_a_round",
    "misfits",
]

Strategy = Annotated[
    Literal["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "krum"],
    Field(
        description="How the hospitals' weights are put together: fedavg (their mean), fedprox (each is held to the "
        "global model), fedadam and fedyogi (the server has an optimiser of its own), fedmedian and krum (a few wrong "
        "hospitals do no harm)."
    ),
]
Privacy = Annotated[
    Literal["none", "server_fixed", "server_adaptive", "client_fixed", "client_adaptive"],
    Field(
        description="Differential privacy, as Flower has it: updates are clipped on the server or at the client, at a "
        "fixed norm or one that adapts, and the server adds noise. With fedavg and fedprox."
    ),
]

_OPTIMISER = ("server_learning_rate", "server_beta_1", "server_beta_2", "server_tau")
_NOISE = ("noise_multiplier", "clipping_norm", "delta")
_ADAPTIVE = ("clipped_quantile", "clipping_learning_rate", "clipped_count_stddev")

SETTINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "strategy": {
        "fedavg": (),
        "fedprox": ("proximal_mu",),
        "fedadam": _OPTIMISER,
        "fedyogi": _OPTIMISER,
        "fedmedian": (),
        "krum": ("malicious_clients",),
    },
    "privacy": {
        "none": (),
        "server_fixed": (*_NOISE, "max_epsilon"),
        "client_fixed": (*_NOISE, "max_epsilon"),
        "server_adaptive": (*_NOISE, *_ADAPTIVE),
        "client_adaptive": (*_NOISE, *_ADAPTIVE),
    },
}
"""Which settings each strategy, and each kind of privacy, has."""

_BOUNDED = ("fedavg", "fedprox")
"""Strategies whose result each client can move by so much and no more: noise can hide that."""


def _for(choice: str, name: str) -> dict[str, Any]:
    """What the schema says beside a setting: for which choices a form should ask for it."""
    return {"x-for": {choice: [each for each, settings in SETTINGS[choice].items() if name in settings]}}


class StrategySettings(BaseModel):
    """Which strategy puts the weights together, which privacy is promised, and the settings of each."""

    strategy: Strategy = "fedavg"
    proximal_mu: float = Field(
        default=0.01,
        ge=0,
        le=1000,
        description="For fedprox: how strongly a hospital is held to the global model.",
        json_schema_extra=_for("strategy", "proximal_mu"),
    )
    server_learning_rate: float = Field(
        default=0.01,
        gt=0,
        le=10,
        description="For fedadam and fedyogi: the server's learning rate.",
        json_schema_extra=_for("strategy", "server_learning_rate"),
    )
    server_beta_1: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="For fedadam and fedyogi: how much of its last step the server keeps.",
        json_schema_extra=_for("strategy", "server_beta_1"),
    )
    server_beta_2: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="For fedadam and fedyogi: how slowly its sense of each weight's scale changes.",
        json_schema_extra=_for("strategy", "server_beta_2"),
    )
    server_tau: float = Field(
        default=1e-3,
        gt=0,
        le=1,
        description="For fedadam and fedyogi: the greater, the less weights are treated differently.",
        json_schema_extra=_for("strategy", "server_tau"),
    )
    malicious_clients: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="For krum: against how many wrong hospitals to hold; f of them need 2f + 3 in each round.",
        json_schema_extra=_for("strategy", "malicious_clients"),
    )
    privacy: Privacy = "none"
    noise_multiplier: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="For privacy: the noise's deviation, in clipping norms; 1 or more for a promise worth having.",
        json_schema_extra=_for("privacy", "noise_multiplier"),
    )
    clipping_norm: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="For privacy: how far one hospital may move the weights in a round; where adaptive, at first.",
        json_schema_extra=_for("privacy", "clipping_norm"),
    )
    delta: float = Field(
        default=1e-5,
        gt=0,
        lt=1,
        description="For privacy: the chance that epsilon's promise does not hold; less than one in the hospitals.",
        json_schema_extra=_for("privacy", "delta"),
    )
    max_epsilon: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="For fixed clipping: the run ends before it has spent more than this; null: no limit.",
        json_schema_extra=_for("privacy", "max_epsilon"),
    )
    clipped_quantile: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="For adaptive clipping: the share of the updates that shall be below the norm.",
        json_schema_extra=_for("privacy", "clipped_quantile"),
    )
    clipping_learning_rate: float = Field(
        default=0.2,
        gt=0,
        le=10,
        description="For adaptive clipping: how fast the norm adapts.",
        json_schema_extra=_for("privacy", "clipping_learning_rate"),
    )
    clipped_count_stddev: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="For adaptive clipping: the noise on how many were clipped, more than half the noise multiplier; "
        "null: a twentieth of a round's hospitals, and at least the noise multiplier.",
        json_schema_extra=_for("privacy", "clipped_count_stddev"),
    )


class Misfit(ValueError):
    """Settings that do not fit together; each problem names its key."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def clients_of_a_round(num_clients: int, fraction: float) -> int:
    """How many clients train in each round, counted as Flower counts."""
    return max(1, int(num_clients * fraction))


def clients_needed(strategy: str, malicious_clients: int = 0) -> int:
    """Of how many answers at least the strategy makes a model that it can answer for."""
    if strategy == "krum":
        return 2 * malicious_clients + 3
    return 3 if strategy == "fedmedian" else 1


def misfits(config: Any) -> list[Problem]:
    """What in a `FederatedConfig` does not fit together.

    Args:
        config: anything with its attributes and `model_fields`.
    """
    return [*_unheeded(config), *_too_few(config), *_no_privacy(config)]


def _unheeded(config: Any) -> list[Problem]:
    problems = []
    for choice, settings in SETTINGS.items():
        chosen = getattr(config, choice)
        for name in dict.fromkeys(name for names in settings.values() for name in names):
            value = getattr(config, name)
            if name in settings[chosen] or value == type(config).model_fields[name].default:
                continue
            owners = _listed([each for each, names in settings.items() if name in names])
            whose = "differential privacy" if chosen == "none" else owners
            wrong = f"{value} is a setting of {whose}, and the {choice} is {chosen}"
            problems.append(Problem(name, wrong, f"leave it out, or choose {owners}"))
    return problems


def _too_few(config: Any) -> list[Problem]:
    have = clients_of_a_round(config.num_clients, config.fraction_train)
    need = clients_needed(config.strategy, config.malicious_clients)
    if have >= need:
        return []
    of = "" if have == config.num_clients else f" of {config.num_clients}"
    if config.strategy == "fedmedian":
        return [Problem("num_clients", f"{have}{of} train in a round; a median needs 3", "take more, or fedavg")]
    against = f" against {config.malicious_clients} malicious" if config.malicious_clients else ""
    wrong = f"{have}{of} train in a round; krum{against} needs {need}"
    return [Problem("num_clients", wrong, "take more, or fewer malicious_clients" if against else "take more")]


def _no_privacy(config: Any) -> list[Problem]:
    if config.privacy == "none":
        return []
    problems = []
    if config.strategy not in _BOUNDED:
        wrong = f"{config.privacy} does not go with {config.strategy}, which no clipping bounds"
        problems.append(Problem("privacy", wrong, f"choose {_listed(_BOUNDED)}"))
    if config.max_epsilon is not None and config.noise_multiplier == 0:
        problems.append(
            Problem("max_epsilon", "without noise no budget holds", "take a noise_multiplier greater than 0")
        )
    stddev = config.clipped_count_stddev
    if stddev is not None and config.noise_multiplier >= 2 * stddev:
        wrong = f"{stddev} is too little for a noise_multiplier of {config.noise_multiplier}"
        problems.append(Problem("clipped_count_stddev", wrong, f"take more than {config.noise_multiplier / 2:g}"))
    return problems


def _listed(names: Any) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else str(last)
