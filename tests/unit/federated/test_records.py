from __future__ import annotations

from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Context, RecordDict

from federated_pneumonia_detection.config import ConfigError, FederatedConfig
from federated_pneumonia_detection.federated.records import Order, Site


def test_what_the_server_says_arrives_as_it_was_said() -> None:
    order = Order("r1", "demo", FederatedConfig(num_rounds=7, model_args={"channels": [4, 4, 8]}))
    record = order.to_record()
    record["server-round"], record["proximal-mu"] = 3, 0.5

    assert Order.from_record(record) == Order("r1", "demo", order.config, round_num=3, proximal_mu=0.5)
    assert record["total-rounds"] == 7


def test_a_configuration_of_another_version_is_refused_by_name() -> None:
    record = ConfigRecord({"run-id": "r1", "experiment": "demo", "config": '{"batch_sizes": 3}', "server-round": 1})

    with pytest.raises(ConfigError, match="batch_sizes"):
        Order.from_record(record)


def context(**node_config: object) -> Context:
    return Context(1, 77, dict(node_config), RecordDict(), {})  # type: ignore[arg-type]


def test_what_an_operator_set_arrives_as_it_was_set() -> None:
    site = Site(2, 5, "/var/log/x", source="/data/x.npz", scheme="dirichlet", alpha=0.1, seed=9)

    assert Site.of(context(**site.to_node_config())) == site
    assert site.client_id == "client_2"


def test_a_node_that_nobody_set_up_logs_where_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    site = Site.of(context())

    assert site.log_dir == str(tmp_path / "logs" / "progress")
    assert (site.client_id, site.source, site.scheme) == ("client_77", None, None)
