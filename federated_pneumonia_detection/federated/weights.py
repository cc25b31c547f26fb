"""A network's weights as they travel: what is learnt or measured, and not what is only counted."""

from __future__ import annotations

import torch
from flwr.app import ArrayRecord

__all__ = ["load_weights", "statistics_of", "weights_of"]


def weights_of(network: torch.nn.Module) -> ArrayRecord:
    """The weights, and the batch norms' statistics with them; counters of batches are left out.

    A counter differs between clients by as much as they have images. In a distance (Krum), a norm (clipping) or an
    optimiser's step it would outweigh everything that was learnt.
    """
    state = network.cpu().state_dict()
    return ArrayRecord({name: tensor for name, tensor in state.items() if _travels(tensor)})


def load_weights(network: torch.nn.Module, arrays: ArrayRecord) -> None:
    """Put weights that have travelled into `network`.

    Raises:
        RuntimeError: they are not of this network.
    """
    known = network.state_dict()
    stay = {name: tensor for name, tensor in known.items() if not _travels(tensor)}
    network.load_state_dict({**stay, **arrays.to_torch_state_dict()})


def statistics_of(network: torch.nn.Module) -> list[str]:
    """Names of the arrays that travel and are measured in training, not trained."""
    return [name for name, tensor in network.named_buffers() if _travels(tensor)]


def _travels(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point()
