"""`/docs`: the OpenAPI document as one plain page. No script and nothing from another server, so it works offline."""

from __future__ import annotations

import json
from html import escape
from typing import Any

__all__ = ["render"]

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>API of federated_pneumonia_detection</title>
<style>
:root { color-scheme: light dark; font: 14px/20px system-ui, sans-serif; }
body { max-width: 60rem; margin: 24px auto; padding: 0 16px; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; }
pre { overflow-x: auto; padding: 8px; border: 1px solid #828C99; border-radius: 4px; }
table { border-collapse: collapse; } td, th { padding: 2px 12px 2px 0; text-align: left; vertical-align: top; }
section { border-top: 1px solid #828C99; margin-top: 24px; }
</style></head><body>
"""


def render(openapi: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = openapi["info"]
    parts = [_HEAD, f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"]
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in info.get("description", "").split("\n\n")]
    parts.append(
        '<p>The same for machines: <a href="/openapi.json">/openapi.json</a>. For people: <a href="/">/</a>.</p>'
    )
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(path, method, operation))
    parts.append("<section><h2>Schemas</h2>")
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        parts.append(f'<h3 id="{escape(name)}">{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=2))}</pre>')
    parts.append("</section></body></html>\n")
    return "".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p><b>{escape(operation.get('summary', ''))}.</b> {escape(operation.get('description', ''))}</p>",
    ]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
            f"<td>{escape(str(parameter.get('schema', {}).get('default', '')))}</td>"
            f"<td>{escape(parameter.get('description', ''))}</td></tr>"
            for parameter in parameters
        )
        parts.append(f"<table><tr><th>name</th><th>in</th><th>default</th><th></th></tr>{rows}</table>")
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    parts += [f"<p>Body: {_schema_link(body.get('schema', {}))}</p>{_example(body)}" for body in bodies]
    for status, response in operation.get("responses", {}).items():
        contents = response.get("content", {})
        kinds = ", ".join(
            f"<code>{escape(kind)}</code> {_schema_link(c.get('schema', {}))}" for kind, c in contents.items()
        )
        parts.append(f"<p><b>{escape(str(status))}</b> {escape(response.get('description', ''))} {kinds}</p>")
        parts += [_example(content) for content in contents.values()]
    parts.append("</section>")
    return "".join(parts)


def _schema_link(schema: dict[str, Any]) -> str:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return f'<a href="#{escape(name)}">{escape(name)}</a>' if name else ""


def _example(content: dict[str, Any]) -> str:
    return f"<pre>{escape(json.dumps(content['example'], indent=2))}</pre>" if "example" in content else ""
