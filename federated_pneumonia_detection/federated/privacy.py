"""Differential privacy for clients, as Flower ships it, and the account of what has been spent.

Each client's update is clipped, the updates are averaged with equal weights, and Gaussian noise is added: so much that
whether one client took part can hardly be told from the weights. What is promised covers the weights alone, not the
metrics that stand beside them. `docs/how-to/strategies.md` says what that is worth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.clientapp.mod import adaptiveclipping_mod, fixedclipping_mod
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.serverapp import (
    GaussianPrivacyEvent,
    NeighboringRelation,
    PrivacyConfig,
    RdpAccountant,
    SamplingMethod,
)
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideAdaptiveClipping,
    DifferentialPrivacyClientSideFixedClipping,
    DifferentialPrivacyServerSideAdaptiveClipping,
    DifferentialPrivacyServerSideFixedClipping,
    FedAvg,
    Strategy,
)

from federated_pneumonia_detection.config import FederatedConfig
from federated_pneumonia_detection.config.strategies import clients_of_a_round
from federated_pneumonia_detection.federated.errors import AccountantMissing

__all__ = ["clip_as_ordered", "effective_noise", "make_private"]

CLIPPING = "clipping"
"""The key of a client's orders that says how it clips."""

_EQUAL = "equal-weight"
_FIXED = {
    "server_fixed": DifferentialPrivacyServerSideFixedClipping,
    "client_fixed": DifferentialPrivacyClientSideFixedClipping,
}
_ADAPTIVE = {
    "server_adaptive": DifferentialPrivacyServerSideAdaptiveClipping,
    "client_adaptive": DifferentialPrivacyClientSideAdaptiveClipping,
}
_MODS: dict[str, Mod] = {"client_fixed": fixedclipping_mod, "client_adaptive": adaptiveclipping_mod}
# Noise may make a variance of a batch norm negative, and then the network gives NaN.
_VARIANCE = "running_var"
_LEAST_OF_BEFORE = 0.1


def clip_as_ordered(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Clip what this client sends, where the server's orders say so: a mod for `@app.train(mods=[...])`.

    Of Flower's own mods one would meet evaluation too, and refuse it, were it the whole app's.
    """
    records: Collection[ConfigRecord] = message.content.config_records.values()
    mod = next((_MODS.get(str(record[CLIPPING])) for record in records if CLIPPING in record), None)
    return call_next(message, context) if mod is None else mod(message, context, call_next)


def make_private(strategy: FedAvg, config: FederatedConfig) -> Strategy:
    """Put around `strategy` what `config.privacy` asks for.

    Raises:
        AccountantMissing: a limit is set, and what would keep the account is not installed.
    """
    clients = clients_of_a_round(config.num_clients, config.fraction_train)
    accountant = _accountant(config)
    # Only so is one client's part in the mean bounded by the norm over the number of clients.
    strategy.weighted_by_key = _EQUAL
    private: Any
    if config.privacy in _FIXED:
        private = _FIXED[config.privacy](
            strategy, config.noise_multiplier, config.clipping_norm, clients, accountant=accountant
        )
    else:
        private = _ADAPTIVE[config.privacy](
            strategy,
            config.noise_multiplier,
            clients,
            initial_clipping_norm=config.clipping_norm,
            target_clipped_quantile=config.clipped_quantile,
            clip_norm_lr=config.clipping_learning_rate,
            clipped_count_stddev=_count_stddev(config, clients),
        )
        private.accountant = accountant
        private.privacy_spent = lambda: None if accountant is None else accountant.get_privacy_spent()
    _around_aggregation(private, config, clients)
    return private  # type: ignore[no-any-return]


def _around_aggregation(private: Any, config: FederatedConfig, clients: int) -> None:
    own, configure = private.aggregate_train, private.configure_train
    before: dict[str, np.ndarray] = {}

    def configured(server_round: int, arrays: ArrayRecord, *others: Any) -> Iterable[Message]:
        before.clear()
        before.update({name: array.numpy() for name, array in arrays.items() if name.endswith(_VARIANCE)})
        messages: Iterable[Message] = configure(server_round, arrays, *others)
        return messages

    def aggregated(server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        received = list(replies)
        for reply in received:
            if not reply.has_error():
                for record in reply.content.metric_records.values():
                    record[_EQUAL] = 1.0
        norm = private.clipping_norm
        arrays, metrics = own(server_round, received)
        if arrays is None:
            return arrays, metrics
        if config.privacy in _ADAPTIVE and private.accountant is not None:
            noise = effective_noise(private.noise_multiplier, private.clipped_count_stddev, norm, private.clipping_norm)
            private.accountant.compose(GaussianPrivacyEvent(noise, clients, config.num_clients))
        if metrics is not None:
            metrics["clipping_norm"] = float(norm)
        return _with_variances(arrays, before), metrics

    private.configure_train, private.aggregate_train = configured, aggregated


def effective_noise(noise_multiplier: float, count_stddev: float, clipped_at: float, noised_at: float) -> float:
    """The noise multiplier of the one Gaussian release that tells as much as a round with adaptive clipping does.

    Flower 1.41 scales the noise on the weights by the norm of the *next* round, which may be smaller than the one that
    was clipped at; and a client may change the count of those clipped by a whole one. Both are counted here.

    Args:
        noise_multiplier: on the weights, in norms.
        count_stddev: of the noise on how many were clipped.
        clipped_at: the norm that updates were clipped at.
        noised_at: the norm that the noise was scaled by.
    """
    return float(((noise_multiplier * noised_at / clipped_at) ** -2 + count_stddev**-2) ** -0.5)


def _count_stddev(config: FederatedConfig, clients: int) -> float | None:
    if config.clipped_count_stddev is not None or config.noise_multiplier == 0:
        return config.clipped_count_stddev
    return max(clients / 20, config.noise_multiplier)


def _accountant(config: FederatedConfig) -> RdpAccountant | None:
    if config.noise_multiplier == 0:
        return None
    account = PrivacyConfig(
        target_delta=config.delta,
        population_size=config.num_clients,
        neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
        # Every client is counted as if it took part in each round: an upper bound, whoever was drawn.
        sampling_method=SamplingMethod.NO_AMPLIFICATION,
        max_epsilon=config.max_epsilon,
    )
    try:
        return RdpAccountant(account)
    except ImportError:
        if config.max_epsilon is None:
            return None
        raise AccountantMissing("max_epsilon needs an account of what is spent: pip install 'flwr[dp]'") from None


def _with_variances(arrays: ArrayRecord, before: dict[str, np.ndarray]) -> ArrayRecord:
    """The same, no variance less than a tenth of what it was: made of what is public already, so nothing is spent."""
    for name, old in before.items():
        if name in arrays:
            arrays[name] = Array(np.maximum(arrays[name].numpy(), _LEAST_OF_BEFORE * old).astype(old.dtype))
    return arrays
