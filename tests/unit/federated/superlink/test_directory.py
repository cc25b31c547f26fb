"""The coordinator's directory, and the command lines that are made of it."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from flwr.common.config import parse_config_args

from federated_pneumonia_detection.federated.errors import FederatedError
from federated_pneumonia_detection.federated.superlink.app_directory import write_app
from federated_pneumonia_detection.federated.superlink.commands import (
    environment,
    node_config_argument,
    superlink_command,
    supernode_command,
)
from federated_pneumonia_detection.federated.superlink.directory import Federation, NoFederation, check_client_id


def test_what_was_made_is_read_back_and_keys_are_private(tmp_path: Path) -> None:
    made = Federation.create(tmp_path / "fed", address="localhost:9443", hosts=("superlink.example.org",))
    read = Federation.open(tmp_path / "fed")
    assert (read.address, read.hosts) == (made.address, ["superlink.example.org", "localhost", "127.0.0.1", "::1"])
    for private in (read.certificate_key, tmp_path / "fed" / "ca.key"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    flower = tomllib.loads((read.flower_home / "config.toml").read_text())["superlink"]["federation"]
    assert flower == {"address": "localhost:9443", "root-certificates": str(read.ca.resolve())}


def test_a_federation_is_never_written_over(tmp_path: Path) -> None:
    before = Federation.create(tmp_path, address="localhost:9443").ca.read_bytes()
    with pytest.raises(FederatedError, match="holds a federation already"):
        Federation.create(tmp_path, address="localhost:9443")
    assert Federation.open(tmp_path).ca.read_bytes() == before


def test_no_federation_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoFederation, match="fpd federation up"):
        Federation.open(tmp_path)
    (tmp_path / "federation.json").write_text("[]")
    with pytest.raises(NoFederation, match="cannot be read"):
        Federation.open(tmp_path)


@pytest.mark.parametrize("name", ["hospital_a", "St.Mary-2", "7"])
def test_names_of_hospitals(name: str) -> None:
    assert check_client_id(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", "ä", "a" * 65, "a\n"])
def test_what_is_no_name_of_a_hospital(name: str) -> None:
    with pytest.raises(FederatedError, match="cannot be a hospital's name"):
        check_client_id(name)


def test_flower_reads_a_node_configuration_as_it_was_meant() -> None:
    given = {
        "data": '/srv/x-rays of "St. Mary\'s"\\2024=new',
        "log-dir": "/var/log/ä",
        "partition-id": 2,
        "alpha": 0.5,
        "flag": True,
    }
    assert parse_config_args([node_config_argument(given)]) == given


def test_the_superlink_demands_tls_and_admitted_nodes(tmp_path: Path) -> None:
    federation = Federation.create(tmp_path, address="localhost:9443")
    command = superlink_command(federation, "127.0.0.1", 9443)
    assert "--enable-supernode-auth" in command
    assert "--insecure" not in command
    assert "--disable-runtime-dependency-installation" in command
    node = supernode_command(superlink="a:1", ca=federation.ca, key=tmp_path / "k", port=9, node_config={"data": "x"})
    assert "--insecure" not in node
    assert node[-2:] == ["--node-config", 'data="x"']


def test_flowers_programs_keep_to_a_home_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPD_RUN_ID", "somebody's")
    given = environment(tmp_path)
    assert given["FLWR_HOME"] == str(tmp_path.resolve())
    assert given["FLWR_TELEMETRY_ENABLED"] == "0"
    assert "FPD_RUN_ID" not in given


def test_the_app_holds_no_code_but_two_names(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app")
    components = tomllib.loads((app / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["components"]
    assert components == {"serverapp": "fpd_app.server_app:app", "clientapp": "fpd_app.client_app:app"}
    assert {path.name for path in (app / "fpd_app").iterdir()} == {"__init__.py", "server_app.py", "client_app.py"}
