"""Asking a node what its client is called, before anything can go wrong that must be told by name."""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, RecordDict

from federated_pneumonia_detection.federated.records import Site

__all__ = ["answer_who", "ask_who", "begun_run", "who_answered"]

_WHO, _BEGIN = "who", "begin"


def ask_who(node_id: int, run_id: str) -> Message:
    """The message that asks a node for its client's name, and tells it that a run begins, or goes on."""
    content = RecordDict({_BEGIN: ConfigRecord({"run-id": run_id})})
    return Message(content, dst_node_id=node_id, message_type="query")


def begun_run(message: Message) -> str:
    """The run that begins, out of `ask_who`'s message."""
    return str(message.content.config_records[_BEGIN]["run-id"])


def answer_who(message: Message, context: Context) -> Message:
    """The node's answer."""
    return Message(RecordDict({_WHO: ConfigRecord({"client-id": Site.of(context).client_id})}), reply_to=message)


def who_answered(reply: Message) -> str:
    """The name in the answer."""
    return str(reply.content.config_records[_WHO]["client-id"])
