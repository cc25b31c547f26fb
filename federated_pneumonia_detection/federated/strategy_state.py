"""What a strategy has learnt from round to round, kept and given back; and rounds counted on from an earlier one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp.strategy import Result, Strategy

__all__ = ["ACCOUNT", "count_on", "give_back", "strategy_state"]

ACCOUNT = "accountant"
"""The key of what has been spent of a privacy budget."""

# What Flower's strategies carry from round to round: the moments of FedAdam, FedYogi and FedAdagrad, the momentum of
# FedAvgM, the norm of adaptive clipping. What else stands in them is set anew in each round.
_CARRIED = ("m_t", "v_t", "momentum_vector", "clipping_norm")
_ROUNDS = ("configure_train", "configure_evaluate", "aggregate_train", "aggregate_evaluate")


def strategy_state(strategy: Strategy) -> dict[str, Any]:
    """What `strategy`, and the one that it wraps, would carry into the next round, as tensors and numbers."""
    carried = {name: _to_tensors(value) for name in _CARRIED if (value := getattr(strategy, name, None)) is not None}
    if (accountant := getattr(strategy, "accountant", None)) is not None:
        carried[ACCOUNT] = accountant.state_dict()
    inner = getattr(strategy, "strategy", None)
    return {**carried, "strategy": strategy_state(inner)} if isinstance(inner, Strategy) else carried


def give_back(strategy: Strategy, state: dict[str, Any]) -> None:
    """Let `strategy` carry on with what `strategy_state` gave."""
    for name in _CARRIED:
        if name in state and hasattr(strategy, name):
            setattr(strategy, name, _to_arrays(state[name]))
    if ACCOUNT in state and (accountant := getattr(strategy, "accountant", None)) is not None:
        accountant.load_state_dict(state[ACCOUNT])
    inner = getattr(strategy, "strategy", None)
    if isinstance(inner, Strategy) and "strategy" in state:
        give_back(inner, state["strategy"])


def count_on(strategy: Strategy, done: int) -> None:
    """Let `strategy` begin with the round after `done`: all that is told of a round, and to clients, has that number.

    Flower counts each start from 1. To be called before whatever watches the strategy is put around it.
    """
    if done == 0:
        return
    begin = strategy.start

    # With the signature of Flower's own: whoever watches the strategy reads from it how many rounds there are.
    @functools.wraps(begin)
    def start(*args: Any, **kwargs: Any) -> Result:
        call = inspect.signature(begin).bind(*args, **kwargs)
        call.apply_defaults()
        call.arguments["num_rounds"] -= done
        call.arguments["evaluate_fn"] = _evaluated_on(call.arguments["evaluate_fn"], done)
        for name in _ROUNDS:
            setattr(strategy, name, _counted_on(getattr(strategy, name), done))
        return begin(*call.args, **call.kwargs)

    strategy.start = start  # type: ignore[method-assign]


def _counted_on(call: Callable[..., Any], done: int) -> Callable[..., Any]:
    def counted(server_round: int, *args: Any, **kwargs: Any) -> Any:
        return call(server_round + done, *args, **kwargs)

    return counted


def _evaluated_on(
    evaluate: Callable[[int, ArrayRecord], MetricRecord | None] | None, done: int
) -> Callable[[int, ArrayRecord], MetricRecord | None] | None:
    if evaluate is None:
        return None
    # Flower first evaluates what it begins with, as round 0.
    return lambda server_round, arrays: evaluate(server_round + done if server_round else 0, arrays)


def _to_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_tensors(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return torch.from_numpy(np.array(value))
    return value


def _to_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_to_arrays(inner) for inner in value]
    return value.numpy() if isinstance(value, torch.Tensor) else value
