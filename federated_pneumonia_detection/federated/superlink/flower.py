"""Flower's command line, called for its answers: submit a run, ask how it is, stop it, admit a node."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from federated_pneumonia_detection.federated.errors import SuperLinkRefused
from federated_pneumonia_detection.federated.roster import clear_reason
from federated_pneumonia_detection.federated.superlink.commands import environment, program
from federated_pneumonia_detection.federated.superlink.directory import Federation

__all__ = ["Flower"]

_NAME = "federation"  # in the configuration that `Federation.save` writes
_ANSWERS_WITHIN_S = 60.0
_REACHED_WITHIN_S = 5.0


class Flower:
    """A federation's SuperLink, asked by Flower's own command line.

    Args:
        federation: which one.
    """

    def __init__(self, federation: Federation) -> None:
        self._federation = federation

    def is_there(self) -> bool:
        """Whether the SuperLink answers by the certificate of our authority."""
        host, _, port = self._federation.address.rpartition(":")
        context = ssl.create_default_context(cafile=str(self._federation.ca))
        try:
            with (
                socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_WITHIN_S) as plain,
                context.wrap_socket(plain, server_hostname=host.strip("[]")),
            ):
                return True
        except (OSError, ValueError):
            return False

    def submit(self, app: Path, ticket: Path) -> int:
        """Hand a run in; Flower's number of it.

        Raises:
            SuperLinkRefused: the SuperLink did not take it.
        """
        return int(self._ask("run", str(app), _NAME, "--run-config", f"ticket={_quoted(str(ticket))}")["run-id"])

    def status(self, run: int) -> str:
        """A run's status, as `running` or `finished:failed`.

        Raises:
            SuperLinkRefused: the SuperLink does not answer.
        """
        runs = self._ask("ls", _NAME, "--run-id", str(run))["runs"]
        return str(runs[0]["status"]) if runs else "unknown"

    def stop(self, run: int) -> None:
        """End a run; nothing happens where it has ended.

        Raises:
            SuperLinkRefused: the SuperLink does not answer.
        """
        self._ask("stop", str(run), _NAME)

    def admit(self, public_key: Path, name: str) -> None:
        """Let whoever holds the key's other half be a node.

        Raises:
            SuperLinkRefused: the SuperLink does not take it.
        """
        if name in self._federation.nodes.values():
            raise SuperLinkRefused(f"{name} is admitted already; dismiss it first, or call this one otherwise")
        node = self._ask("supernode", "register", str(public_key), _NAME, "--name", name)["node-id"]
        self._federation.nodes[str(node)] = name
        self._federation.save()

    def dismiss(self, name: str) -> None:
        """Take a hospital's admission back; its node is turned away from now on.

        Raises:
            SuperLinkRefused: it was not admitted, or the SuperLink does not answer.
        """
        node = next((node for node, called in self._federation.nodes.items() if called == name), None)
        if node is None:
            raise SuperLinkRefused(f"no {name} is admitted; `fpd federation nodes` lists who is")
        self._ask("supernode", "unregister", node, _NAME)
        del self._federation.nodes[node]
        self._federation.save()

    def nodes(self) -> list[tuple[str, str]]:
        """The admitted hospitals, each with its state: `registered` (never seen), `online` or `offline`.

        Raises:
            SuperLinkRefused: the SuperLink does not answer.
        """
        found = self._ask("supernode", "list", _NAME)["nodes"]
        return [
            (self._federation.nodes.get(str(node["node-id"]), str(node["node-id"])), str(node["status"]))
            for node in found
            if node["status"] != "unregistered"
        ]

    def _ask(self, *arguments: str) -> dict[str, Any]:
        command = [program("flwr"), *arguments, "--format", "json"]
        try:
            done = subprocess.run(
                command,
                env=environment(self._federation.flower_home),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ANSWERS_WITHIN_S,
                check=False,
                # A Ctrl-C is for us alone.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise self._refused(arguments, f"no answer within {_ANSWERS_WITHIN_S:g} s") from None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise self._refused(arguments, clear_reason(done.stderr or done.stdout)) from None
        if not isinstance(answer, dict) or not answer.get("success", True):
            told = answer.get("error-message") if isinstance(answer, dict) else None
            raise self._refused(arguments, clear_reason(str(told or done.stderr)))
        return answer

    def _refused(self, arguments: Sequence[str], words: str) -> SuperLinkRefused:
        told = f"the SuperLink at {self._federation.address} said no to `flwr {arguments[0]}`"
        return SuperLinkRefused(f"{told}: {words}")


def _quoted(text: str) -> str:
    from federated_pneumonia_detection.federated.superlink.commands import node_config_argument

    return node_config_argument({"": text}).removeprefix("=")
