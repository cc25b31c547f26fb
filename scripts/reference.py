"""The reference pages that are made from code: messages, configuration, command line, HTTP."""

from __future__ import annotations

import inspect
import tempfile
import types
import typing
from pathlib import Path
from typing import Any

import click
import msgspec
import typer

from federated_pneumonia_detection.cli.commands import app as commands
from federated_pneumonia_detection.config import config_class
from federated_pneumonia_detection.progress import messages
from federated_pneumonia_detection.server import numbers

GENERATED = "<!-- Generated from the code by `make generate`; change the docstrings there. -->\n"

ON_EVERY = ("timestamp", "client_id", "run_id", "offset", "received")
"""Fields that stand once at the top of the page and not in each table."""


def type_words(kind: Any) -> str:
    """A field's type as a reader of JSON would say it."""
    if kind in (msgspec.UnsetType, type(None)):
        return "null" if kind is type(None) else ""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(word for part in typing.get_args(kind) if (word := type_words(part)))
    if typing.get_origin(kind) is list:
        return f"list of {type_words(typing.get_args(kind)[0])}"
    if kind == messages.Metrics:
        return "object of numbers"
    if typing.get_origin(kind) is dict:
        return "object"
    return {int: "integer", float: "number", str: "text", bool: "boolean", Any: "any"}.get(kind, str(kind))


def one_paragraph(doc: str | None) -> str:
    """A docstring as running text."""
    return " ".join(inspect.cleandoc(doc or "").split())


def messages_page() -> str:
    """Every message type with its keys."""
    lines = [GENERATED, "# Messages\n", one_paragraph(messages.__doc__), ""]
    lines += ["On every message: " + one_paragraph(messages.Message.__doc__), ""]
    lines += [
        "`NaN` and infinities are not JSON; they travel as `null` in `metrics`. The same definitions as",
        "[JSON Schema](messages.schema.json), and as TypeScript in `dashboard/src/client/messages.generated.ts`.",
        "",
    ]
    for name, kind in messages.MESSAGE_TYPES.items():
        lines += [f"## `{name}`\n", one_paragraph(kind.__doc__), "", "| key | type |", "|---|---|"]
        hints = typing.get_type_hints(kind)
        own = [f for f in msgspec.structs.fields(kind) if f.name not in ON_EVERY]
        if "round" not in vars(kind).get("__annotations__", {}):
            own = [field for field in own if field.name != "round"]
        lines += [f"| `{field.encode_name}` | {type_words(hints[field.name])} |" for field in own] + [""]
    lines += ["## Any other type\n", one_paragraph(messages.Custom.__doc__), ""]
    return "\n".join(lines)


def configuration_page() -> str:
    """Every key of a configuration."""
    lines = [GENERATED, "# Configuration\n"]
    lines += [
        "One set of keys for the YAML file (`--config`), the HTTP body (`config`) and the form of the page.",
        "`fpd config init` writes the file with every key explained.\n",
    ]
    central = config_class("centralized").model_fields
    for title, kind in (("Every training", "centralized"), ("Federated, beside those", "federated")):
        fields = config_class(kind).model_fields  # type: ignore[arg-type]
        own = {name: f for name, f in fields.items() if kind == "centralized" or name not in central}
        lines += [f"## {title}\n", "| key | default | what |", "|---|---|---|"]
        for name, field in own.items():
            default = msgspec.json.encode(field.get_default(call_default_factory=True)).decode()
            lines.append(f"| `{name}` | `{default}` | {one_paragraph(field.description)} |")
        lines.append("")
    return "\n".join(lines)


def _command(name: str, command: click.Command) -> list[str]:
    """One command, or a group with its commands."""
    if isinstance(command, click.Group):
        inner = sorted(command.commands.items())
        return [line for sub, made in inner for line in _command(f"{name} {sub}", made)]
    context = click.Context(command, info_name=name)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join([name, *(p.make_metavar(context) for p in arguments)])
    lines = [f"## `{usage}`\n", one_paragraph(command.help), ""]
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    if options or arguments:
        lines += ["| | default | what |", "|---|---|---|"]
    for parameter in (*arguments, *options):
        words = parameter.make_metavar(context) if isinstance(parameter, click.Argument) else ", ".join(parameter.opts)
        default = parameter.default
        shown = "" if default is None or callable(default) or default == [] else f"`{default}`"
        lines.append(f"| `{words}` | {shown} | {one_paragraph(getattr(parameter, 'help', ''))} |")
    return [*lines, ""]


def cli_page() -> str:
    """Every command of `fpd`."""
    root = typer.main.get_command(commands)
    return "\n".join([GENERATED, "# Command line\n", one_paragraph(root.help), "", *_command("fpd", root)])


def http_page() -> str:
    """Every path of the server, from its OpenAPI."""
    from federated_pneumonia_detection.server import ServerSettings
    from federated_pneumonia_detection.server.app import create_app, make_service

    # In a directory of its own: a server may hold the database of this one.
    with tempfile.TemporaryDirectory() as folder:
        service = make_service(ServerSettings(log_dir=Path(folder, "logs")))
        api = create_app(service=service).openapi()
        service.close()
    lines = [GENERATED, "# HTTP and WebSocket\n", one_paragraph(api["info"].get("description")), ""]
    for path, methods in api["paths"].items():
        for method, told in methods.items():
            lines += [f"## `{method.upper()} {path}`\n", told.get("description") or told.get("summary", ""), ""]
            parameters = told.get("parameters", [])
            if parameters:
                lines += ["| parameter | where | what |", "|---|---|---|"]
            for parameter in parameters:
                what = one_paragraph(parameter.get("description") or parameter["schema"].get("description"))
                lines.append(f"| `{parameter['name']}` | {parameter['in']} | {what} |")
            lines.append("")
    return "\n".join(lines)


def metrics_page() -> str:
    """What `/metrics` tells."""
    lines = [GENERATED, "# Metrics\n", one_paragraph(numbers.__doc__), ""]
    lines += [
        "`GET /metrics` answers in Prometheus' text format; `fpd doctor` reads it and says what is wrong.",
        "",
        "| name | kind | what it is |",
        "|---|---|---|",
    ]
    for name, meaning in numbers.NUMBERS.items():
        lines.append(f"| `{name}` | {'counter' if name.endswith('_total') else 'gauge'} | {meaning} |")
    lines += [
        '| `fpd_runs{status="…"}` | gauge | Runs by status. |',
        "| `process_…` | | CPU seconds, resident memory, open files, start time of the server's process. |",
    ]
    return "\n".join(lines) + "\n"
