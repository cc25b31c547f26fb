"""How weights are put together: Flower's strategies by name, each with its own settings, private where asked."""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, FedProx, FedYogi, Krum, Strategy
from flwr.serverapp.strategy.fedopt import FedOpt

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.config.strategies import clients_needed
from federated_pneumonia_detection.federated.errors import TooFewAnswers, UnknownStrategy
from federated_pneumonia_detection.federated.privacy import make_private

__all__ = [
    "STRATEGIES",
    "FedAdamForNetworks",
    "FedYogiForNetworks",
    "build_strategy",
    "draw_by_seed",
    "mean_where_known",
    "settings_of",
    "strategy_of",
]


class _AveragesStatistics(FedOpt):
    """An optimiser on the server (Reddi et al., 2021) for what is trained; what is only measured is averaged.

    A batch norm's running mean and variance are measured, not trained. An optimiser's step on them can make a variance
    negative, and then the network gives NaN; so they are averaged as FedAvg does.

    Args:
        averaged: names of the arrays that are averaged.
        settings: Flower's own.
    """

    def __init__(self, *, averaged: Collection[str] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self._averaged = frozenset(averaged)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Aggregate as the optimiser does, the arrays in `averaged` as FedAvg."""
        received = list(replies)
        stepped, metrics = super().aggregate_train(server_round, received)
        if stepped is None or not self._averaged:
            return stepped, metrics
        mean, _ = FedAvg.aggregate_train(self, server_round, received)
        assert mean is not None  # the same replies gave `stepped`
        chosen = {key: mean[key] if key in self._averaged else array for key, array in stepped.items()}
        return ArrayRecord(chosen), metrics


class FedAdamForNetworks(_AveragesStatistics, FedAdam):
    """Flower's FedAdam, which leaves what is measured to averaging."""


class FedYogiForNetworks(_AveragesStatistics, FedYogi):
    """Flower's FedYogi, which leaves what is measured to averaging."""


def mean_where_known(replies: list[RecordDict], weighted_by_key: str) -> MetricRecord:
    """The clients' training metrics, weighted, each over the clients that have it.

    A client that holds one class has no AUROC; Flower's own mean would have none either. A loss that is NaN stays NaN.
    """
    records = [record for reply in replies for record in reply.metric_records.values()]
    mean = MetricRecord()
    for key in records[0] if records else ():
        if not key.startswith("train_") and key != "learning_rate":
            continue
        pairs = [(cast(float, r[weighted_by_key]), cast(float, r[key])) for r in records]
        known = [(weight, value) for weight, value in pairs if key == "train_loss" or not math.isnan(value)]
        if total := sum(weight for weight, _ in known):
            mean[key] = sum(weight * value for weight, value in known) / total
    return mean


# Every strategy takes these: low minima, because Flower waits without end for nodes it has not got.
_COMMON: Mapping[str, Any] = {
    "fraction_train": 1.0,
    "fraction_evaluate": 0.0,
    "min_train_nodes": 1,
    "min_evaluate_nodes": 0,
    "min_available_nodes": 1,
    "train_metrics_aggr_fn": mean_where_known,
}

_OPTIMISER: Mapping[str, Any] = {"eta": 0.01, "eta_l": 0.01, "beta_1": 0.9, "beta_2": 0.99, "tau": 1e-3, "averaged": ()}

STRATEGIES: Mapping[str, tuple[Callable[..., FedAvg], Mapping[str, Any]]] = {
    "fedavg": (FedAvg, {}),
    "fedprox": (FedProx, {"proximal_mu": 0.01}),
    "fedadam": (FedAdamForNetworks, _OPTIMISER),
    "fedyogi": (FedYogiForNetworks, _OPTIMISER),
    "fedmedian": (FedMedian, {}),
    "krum": (Krum, {"num_malicious_nodes": 0}),
}
"""Each strategy by name, with its own settings and their defaults."""


def build_strategy(name: str, **settings: Any) -> FedAvg:
    """Make the strategy `name`.

    Args:
        name: `fedavg`, `fedprox`, `fedadam`, `fedyogi`, `fedmedian` or `krum`.
        settings: `fraction_train` and Flower's other common ones, and the strategy's own: `proximal_mu` of FedProx;
            `eta`, `beta_1`, `beta_2`, `tau` of FedAdam and FedYogi, and `averaged`, the arrays they leave to
            averaging; `num_malicious_nodes` of Krum.

    Raises:
        UnknownStrategy: there is no such strategy or setting; the nearest one is named.
    """
    if name not in STRATEGIES:
        raise UnknownStrategy(f"there is no strategy {name!r}; {_nearest(name, STRATEGIES)}")
    factory, own = STRATEGIES[name]
    known = {**_COMMON, **own}
    for setting in settings:
        if setting not in known:
            raise UnknownStrategy(f"{name} has no setting {setting!r}; {_nearest(setting, known)}")
    return factory(**{**known, **settings})


def settings_of(config: FederatedConfig, *, averaged: Collection[str] = ()) -> dict[str, Any]:
    """The settings that `config` gives to its strategy."""
    common = {"fraction_train": config.fraction_train}
    if config.strategy == "fedprox":
        return {**common, "proximal_mu": config.proximal_mu}
    if config.strategy in ("fedadam", "fedyogi"):
        return {
            **common,
            "eta": config.server_learning_rate,
            "eta_l": config.learning_rate,
            "beta_1": config.server_beta_1,
            "beta_2": config.server_beta_2,
            "tau": config.server_tau,
            "averaged": averaged,
        }
    if config.strategy == "krum":
        return {**common, "num_malicious_nodes": config.malicious_clients}
    return common


def strategy_of(config: FederatedConfig, *, averaged: Collection[str] = ()) -> Strategy:
    """The strategy that `config` asks for, private where it asks for that.

    Args:
        config: of the run.
        averaged: names of the arrays that are measured, not trained.

    Raises:
        AccountantMissing: a privacy budget is set, and what would keep account of it is not installed.
    """
    strategy = build_strategy(config.strategy, **settings_of(config, averaged=averaged))
    needed = clients_needed(config.strategy, config.malicious_clients)
    if needed > 1:
        _refuse_fewer(strategy, config.strategy, needed)
    return strategy if config.privacy == "none" else make_private(strategy, config)


def _refuse_fewer(strategy: Strategy, name: str, needed: int) -> None:
    """Let too few updates end the run: Flower's would make a model of any number, and protect nobody."""
    aggregate = strategy.aggregate_train

    def aggregated(server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        received = list(replies)
        answered = sum(not reply.has_error() for reply in received)
        if 0 < answered < needed:
            raise TooFewAnswers(server_round, name, answered, needed)
        return aggregate(server_round, received)

    strategy.aggregate_train = aggregated  # type: ignore[method-assign]


def draw_by_seed(strategy: Strategy, seed: int) -> None:
    """Let the strategy draw the same clients in each round each time; the process's own random state stays as it is."""
    configure = strategy.configure_train

    def configured(server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        state = random.getstate()
        random.seed(f"{seed}/{server_round}")
        try:
            return list(configure(server_round, arrays, config, grid))
        finally:
            random.setstate(state)

    strategy.configure_train = configured  # type: ignore[method-assign]


def _nearest(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(wrong.lower(), names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
