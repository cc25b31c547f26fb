"""The guide's code blocks, in their order, taken from the guide itself so that they are tested as printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).parent.parent / "guide" / "websocket-integration-guide.md"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the heading it stands under and its text."""

    language: str
    heading: str
    text: str


def blocks(language: str | None = None) -> list[Block]:
    """Every block of the guide, or those of one language."""
    found, heading = [], ""
    for match in re.finditer(
        r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<text>.*?)^```", GUIDE.read_text(), re.M | re.S
    ):
        if match["heading"]:
            heading = match["heading"]
        else:
            found.append(Block(match["language"], heading, match["text"]))
    return [block for block in found if language in (None, block.language)]


def block(language: str, heading: str, *, containing: str = "") -> Block:
    """The one block of that language under that heading, or the one among them that contains a text."""
    found = [b for b in blocks(language) if b.heading.startswith(heading) and containing in b.text]
    assert len(found) == 1, f"{len(found)} {language} blocks under {heading!r} contain {containing!r}"
    return found[0]
