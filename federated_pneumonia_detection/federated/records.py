"""What the server tells a client, and what a client's operator has set: how both travel in Flower's own records.

An `Order` comes from the server with every training message. A `Site` is the operator's: it comes from the node's
configuration and from nowhere else, so no server can name a path on a hospital's machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flwr.app import ConfigRecord, Context
from flwr.app.user_config import UserConfig, UserConfigValue

from federated_pneumonia_detection.config import FederatedConfig, make_config
from federated_pneumonia_detection.federated.roster import node_name

__all__ = ["Order", "Site"]

_DEFAULT_LOG_DIR = "logs/progress"


@dataclass(frozen=True)
class Order:
    """What a client is to do, and in which run and round. The round and `proximal_mu` are the strategy's to say."""

    run_id: str
    experiment_name: str
    config: FederatedConfig
    round_num: int = 0
    proximal_mu: float = 0.0

    def to_record(self) -> ConfigRecord:
        """The record to give a strategy, which adds what it has to say."""
        return ConfigRecord(
            {
                "run-id": self.run_id,
                "experiment": self.experiment_name,
                "total-rounds": self.config.num_rounds,
                # Beside the configuration: Flower's clipping reads no JSON.
                "clipping": self.config.privacy,
                "config": json.dumps(self.config.model_dump(mode="json")),
            }
        )

    @classmethod
    def from_record(cls, record: ConfigRecord) -> Order:
        """Read the record that came with a message.

        Raises:
            ConfigError: the server sent a key or a value that is not ours.
        """
        config = make_config(json.loads(str(record["config"])), "federated", where="the server's configuration")
        return cls(
            run_id=str(record["run-id"]),
            experiment_name=str(record["experiment"]),
            config=cast(FederatedConfig, config),
            round_num=int(cast(int, record["server-round"])),
            proximal_mu=float(cast(float, record.get("proximal-mu", 0.0))),
        )


@dataclass(frozen=True)
class Site:
    """One client's place: what it is called, where it logs, and which images are its own.

    Attributes:
        partition: its number among the clients.
        num_partitions: how many clients there are.
        log_dir: directory of its journal.
        source: what `data.load_source` takes; `None` where nobody named one.
        scheme: how one source is dealt out between clients (`iid`, `dirichlet`, `patient`); `None` where the source is
            this client's own, as between hospitals.
        alpha: of `dirichlet`.
        seed: of the dealing out; the same at all clients.
        name: what its operator calls it; `None` for the name of its partition.
    """

    partition: int
    num_partitions: int
    log_dir: str
    source: str | None = None
    scheme: str | None = None
    alpha: float = 0.5
    seed: int = 0
    name: str | None = None

    @property
    def client_id(self) -> str:
        """What people call this client."""
        return node_name({"client-id": self.name}, self.partition)

    def to_node_config(self) -> UserConfig:
        """The node configuration that `of` reads back."""
        given: Mapping[str, UserConfigValue | None] = {
            "partition-id": self.partition,
            "num-partitions": self.num_partitions,
            "log-dir": self.log_dir,
            "data": self.source,
            "partition": self.scheme,
            "alpha": self.alpha,
            "partition-seed": self.seed,
            "client-id": self.name,
        }
        return {key: value for key, value in given.items() if value is not None}

    @classmethod
    def of(cls, context: Context) -> Site:
        """Read a node's configuration; relative directories are meant from where the client runs."""
        given = context.node_config
        source, scheme, name = given.get("data"), given.get("partition"), given.get("client-id")
        return cls(
            partition=int(given.get("partition-id", context.node_id)),
            num_partitions=int(given.get("num-partitions", 1)),
            log_dir=str(Path(str(given.get("log-dir", _DEFAULT_LOG_DIR))).absolute()),
            source=None if source is None else str(source),
            scheme=None if scheme is None else str(scheme),
            alpha=float(given.get("alpha", 0.5)),
            seed=int(given.get("partition-seed", 0)),
            name=None if name is None else str(name),
        )
