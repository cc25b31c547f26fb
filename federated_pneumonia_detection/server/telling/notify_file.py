"""The operator's file: who is told, of what, and when not. Its addresses are secrets: no log and no answer has them."""

from __future__ import annotations

import stat
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from federated_pneumonia_detection.config import ConfigError, explain
from federated_pneumonia_detection.config.yaml_reading import read_yaml
from federated_pneumonia_detection.server.telling.quiet import Quiet
from federated_pneumonia_detection.server.telling.rules import Rule, rule_of

__all__ = ["EXAMPLE", "NOTHING", "Notify", "NotifyFile", "is_read_by_others", "read_notify"]

EXAMPLE = """\
# Who is told, by Apprise's addresses (https://github.com/caronc/apprise/wiki). They are secrets: chmod 600 this file.
targets:
  mail:
    url: mailtos://user:password@example.org?to=ada@example.org
  # chat:
  #   url_file: slack.secret     # the address stands in that file, beside this one

# What they are told; without rules: failed, stalled, finished.
rules:
  - failed
  - stalled
  - finished
  # - val_auroc > 0.95
  # - {when: val_loss < 0.1, runs: "baseline*", to: [mail]}

# When nobody is told anything; it is told together when they end.
# quiet:
#   from: 22:00
#   until: 07:00
#   zone: Europe/Berlin
#   failures: through            # or held

# The page's address, for links.
# page: https://training.example.org
"""
"""A file to begin from."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _rule_words(words: str) -> str:
    rule_of(words)
    return words


def _clock(words: str) -> str:
    time.fromisoformat(words)
    return words


def _zone(words: str) -> str:
    try:
        ZoneInfo(words)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"no zone is called {words!r}; one is Europe/Berlin") from None
    return words


_RuleWords = Annotated[str, AfterValidator(_rule_words)]
_Clock = Annotated[str, Field(pattern=r"^\d\d:\d\d$"), AfterValidator(_clock)]


class TargetEntry(_Strict):
    """Where to tell: an address of Apprise, or the file that holds it."""

    url: str | None = Field(None, min_length=5, description="An address of Apprise, as mailtos://… or slack://….")
    url_file: str | None = Field(None, min_length=1, description="A file that holds it, beside this one or absolute.")


class RuleEntry(_Strict):
    """What to tell, of which runs, to whom."""

    when: _RuleWords = Field(description="finished, failed, stalled, stopped, or a line: val_auroc > 0.95.")
    runs: str = Field("*", min_length=1, max_length=200, description="A pattern for name, experiment or id.")
    to: list[str] = Field([], description="Names of targets; left out: all.")


def _as_entry(entry: object) -> object:
    """The words of a rule alone are a rule, too."""
    return {"when": entry} if isinstance(entry, str) else entry


class QuietEntry(_Strict):
    """When nobody is told anything."""

    begins: _Clock = Field(alias="from", description="As 22:00.")
    ends: _Clock = Field(alias="until", description="As 07:00.")
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(None, description="As Europe/Berlin; else the server's.")
    failures: Literal["held", "through"] = Field("held", description="Whether failures are told all the same.")


class NotifyFile(_Strict):
    """All that can stand in the file."""

    targets: dict[Annotated[str, Field(pattern=_NAME)], TargetEntry] = Field({}, description="Who is told, by name.")
    rules: list[Annotated[RuleEntry, BeforeValidator(_as_entry)]] = Field(
        [RuleEntry(when=word, runs="*", to=[]) for word in ("failed", "stalled", "finished")],
        description="What is told.",
    )
    quiet: QuietEntry | None = Field(None, description="When nobody is told anything.")
    page: str | None = Field(None, pattern=r"^https?://", description="The page's address, for links.")


class Notify(NamedTuple):
    """What the operator's file says."""

    targets: dict[str, str]
    """Addresses by name: secrets."""
    rules: tuple[Rule, ...]
    quiet: Quiet | None
    page: str | None


NOTHING = Notify({}, (), None, None)
"""Without a file."""


def read_notify(path: Path) -> Notify:
    """What the file says.

    Raises:
        ConfigError: It cannot be used. The error repeats nothing of an address.
    """
    raw = read_yaml(path, written_by="fpd notify example")
    try:
        told = NotifyFile.model_validate(raw)
    except ValidationError as error:
        errors = [_without_addresses(each) for each in error.errors(include_url=False)]
        raise ConfigError.of(explain(errors, NotifyFile, where=str(path))) from None
    addresses = {name: _address(path, name, entry) for name, entry in told.targets.items()}
    rules: dict[str, Rule] = {}
    for entry in told.rules:
        rule = _rule(entry)
        for name in rule.to:
            if name not in addresses:
                known = ", ".join(addresses) or "none is named"
                raise ConfigError(f"{path}: rules", f"no target is called {name!r}", f"they are: {known}")
        rules[rule.id] = rule
    return Notify(addresses, tuple(rules.values()), _quiet(told.quiet), told.page and told.page.rstrip("/"))


def _without_addresses(error: Any) -> dict[str, Any]:
    """What pydantic found, without what was written there where that may be an address."""
    return {**error, "input": "something else"} if error["loc"][:1] == ("targets",) else dict(error)


def _rule(entry: RuleEntry) -> Rule:
    return rule_of(entry.when, entry.runs, to=tuple(entry.to), source="file")


def _address(path: Path, name: str, entry: TargetEntry) -> str:
    where = f"{path}: targets.{name}"
    if (entry.url is None) == (entry.url_file is None):
        raise ConfigError(where, "it takes one of url and url_file", "as url: mailtos://user:password@example.org")
    if entry.url is not None:
        return entry.url
    secret = path.parent / str(entry.url_file)
    try:
        return secret.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(where, f"{secret} cannot be read ({why})", "name a readable file with one address") from None


def _quiet(entry: QuietEntry | None) -> Quiet | None:
    if entry is None:
        return None
    zone = None if entry.zone is None else ZoneInfo(entry.zone)
    begins, ends = time.fromisoformat(entry.begins), time.fromisoformat(entry.ends)
    return Quiet(begins, ends, zone, lets_failures_through=entry.failures == "through")


def is_read_by_others(path: Path) -> bool:
    """Whether more than its owner and group may read the file."""
    return bool(path.stat().st_mode & stat.S_IROTH)
