"""How Flower's programs are started: SuperLink, SuperNode, its command line. Command lines and environments only."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from flwr.app.user_config import UserConfigValue

from federated_pneumonia_detection.federated.errors import EngineMissing
from federated_pneumonia_detection.federated.superlink.directory import Federation

__all__ = ["LAUNCHER", "environment", "node_config_argument", "program", "superlink_command", "supernode_command"]

LAUNCHER = "flower-superexec"
"""What SuperLink and SuperNode start their apps by; neither notices when it is gone."""

_POLL_S = "0.1"
"""How often Flower's SuperExec looks for work; its own default is a second."""


def program(name: str) -> str:
    """Where one of Flower's programs lies: beside this Python, else on the path.

    Raises:
        EngineMissing: it is not installed.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise EngineMissing(f"{name} is not installed here: pip install 'federated-pneumonia-detection[federated]'")
    return found


def environment(home: Path) -> dict[str, str]:
    """What Flower's programs find in their environment: a home of their own, no telemetry, our programs first."""
    given = dict(os.environ)
    given |= {
        "FLWR_HOME": str(home.resolve()),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        # A run's name is told by its messages; a variable of the shell that started the node would win over them.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)]),
        "NO_COLOR": "1",
    }
    given.setdefault("FLWR_SUPEREXEC_TASK_POLL_INTERVAL", _POLL_S)
    given.pop("FPD_RUN_ID", None)
    return given


def superlink_command(federation: Federation, host: str, port: int) -> list[str]:
    """The command that starts the coordinator's SuperLink: TLS, registered nodes only, nothing installed on request."""
    return [
        program("flower-superlink"),
        *("--host", host, "--port", str(port)),
        *("--ssl-ca-certfile", str(federation.ca)),
        *("--ssl-certfile", str(federation.certificate)),
        *("--ssl-keyfile", str(federation.certificate_key)),
        "--enable-supernode-auth",
        *("--database", str(federation.database)),
        "--disable-runtime-dependency-installation",
    ]


def supernode_command(
    *, superlink: str, ca: Path, key: Path, port: int, node_config: Mapping[str, UserConfigValue]
) -> list[str]:
    """The command that starts a hospital's SuperNode.

    Args:
        superlink: the SuperLink's address, as `superlink.example.org:9443`.
        ca: the authority's certificate.
        key: the node's private key.
        port: for the node's own processes, on 127.0.0.1.
        node_config: what the hospital's operator has decided.
    """
    return [
        program("flower-supernode"),
        *("--superlink", superlink),
        *("--root-certificates", str(ca)),
        *("--auth-supernode-private-key", str(key)),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--node-config", node_config_argument(node_config)),
    ]


def node_config_argument(values: Mapping[str, UserConfigValue]) -> str:
    """A node's configuration as its command line takes it: `key=value`, values as in TOML."""
    return " ".join(f"{key}={_toml(value)}" for key, value in values.items())


def _toml(value: UserConfigValue) -> str:
    if isinstance(value, str):
        # Flower takes a string up to the next quotation mark, escaped or not: no mark and no backslash stands in ours.
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in value) + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)
