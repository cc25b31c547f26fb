"""The trackers people use today, and what they are built of, beside our loggers: `python -m benchmarks.peers`.

Each peer is a module of its own, run in an environment of its own (`.venv-peers`, made from `constraints.txt`).
"""

from __future__ import annotations

from benchmarks.peers.bare import BARE
from benchmarks.peers.mlflow_sqlite import MlflowSqlite
from benchmarks.peers.ours import OURS
from benchmarks.peers.peer import Peer
from benchmarks.peers.tensorboardx import TensorboardX
from benchmarks.peers.trackio_local import TrackioLocal
from benchmarks.peers.wandb_offline import WandbOffline

__all__ = ["BARE", "OURS", "PACKAGES", "PEERS"]

PACKAGES: tuple[Peer, ...] = (TrackioLocal(), TensorboardX(), WandbOffline(), MlflowSqlite())
"""What one would use instead."""
PEERS: tuple[Peer, ...] = (*OURS, *PACKAGES, *BARE)
