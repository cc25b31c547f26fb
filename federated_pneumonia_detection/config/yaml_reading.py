"""YAML as people write it, read without surprises: text goes in, a mapping comes out, or one clear error.

Stricter than PyYAML's safe loader where that is lenient (a key given twice, aliases that multiply), and closer to
YAML 1.2 where 1.1 astonishes: `3e-3` is a number, and `no`, `off` and `yes` are words.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from federated_pneumonia_detection.config.errors import ConfigError

__all__ = ["MAX_CONFIG_BYTES", "parse_yaml", "read_yaml"]

MAX_CONFIG_BYTES = 1 << 20

# The safe loader's own patterns take `3e-3` for text and `off` for False.
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(~|null|Null|NULL|)$")


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's core scalars, no aliases and no key twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base declares it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # An alias is the one construct by which a small file becomes a huge value.
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it bare
            raise yaml.constructor.ConstructorError(None, None, "an alias (*name) is used", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


_INIT = "fpd config init"


def parse_yaml(text: str, *, where: str = "the configuration", written_by: str = _INIT) -> dict[str, Any]:
    """Return the mapping that `text` holds; an empty text is an empty mapping.

    Args:
        text: the YAML.
        where: what an error calls it.
        written_by: the command that shows such a file as it should be.

    Raises:
        ConfigError: `text` is no YAML, is no mapping, has a key twice, a tag, an alias or keys that are no words.
    """
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        raise ConfigError(place, _one_line(error.problem or str(error)), _advice(error)) from None
    except yaml.YAMLError as error:
        raise ConfigError(where, _one_line(str(error)), "write plain UTF-8 text, one `key: value` a line") from None
    except (ValueError, RecursionError) as error:
        wrong = "it is nested too deeply" if isinstance(error, RecursionError) else _one_line(str(error))
        raise ConfigError(where, wrong, "write one `key: value` a line") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "one piece of text" if isinstance(value, str) else "one value"
        raise ConfigError(where, f"it is {kind}", f"write one `key: value` a line, as `{written_by}` does")
    for key in value:
        if not isinstance(key, str):
            raise ConfigError(where, f"the key {key!r} is no word", "keys are words, as `epochs`")
    return value


def read_yaml(path: Path, *, written_by: str = _INIT) -> dict[str, Any]:
    """Return the mapping in the file `path`.

    Args:
        path: the file.
        written_by: the command that shows such a file as it should be.

    Raises:
        ConfigError: the file cannot be read, is larger than 1 MiB, is not UTF-8, or `parse_yaml` refuses it.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(where, "there is no such file", f"`{written_by}` writes one") from None
    except IsADirectoryError:
        raise ConfigError(where, "it is a directory", "name the YAML file itself") from None
    except OSError as error:
        raise ConfigError(where, f"it cannot be read ({error.strerror})", "name a readable YAML file") from None
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError(where, "it is larger than 1 MiB", "a configuration has a few dozen lines")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(where, f"byte {error.start} is not UTF-8", "save it as UTF-8 text") from None
    return parse_yaml(text, where=where, written_by=written_by)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _advice(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem or "\\t" in problem:
        return "indent with spaces, not tabs"
    if "tag" in problem:
        return "write plain numbers, words, lists and mappings, no !tags"
    if "twice" in problem:
        return "keep one of them"
    if "alias" in problem:
        return "write the value out"
    return "write one `key: value` a line"
