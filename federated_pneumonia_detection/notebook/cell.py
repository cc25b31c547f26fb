"""The cell that shows a run: a widget whose front end is built of the page's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from federated_pneumonia_detection.notebook.errors import NoCell
from federated_pneumonia_detection.notebook.relay import Relay

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as missing:
    raise NoCell(
        f"showing a run in a cell needs {missing.name}, which is not installed here; "
        "`pip install federated-pneumonia-detection[notebook]` brings it"
    ) from None

__all__ = ["RunCell", "cell_of"]

FRONT_END = Path(__file__).with_name("page") / "cell.js"
"""Built by `make page`, carried by the wheel."""


class RunCell(anywidget.AnyWidget):
    """A run in a cell. `close()` ends it.

    Attributes:
        run_id: which run.
        url: the server that the browser asks first; empty where there is none, and the kernel sends all.
        told: all that the kernel has told, as of some moment; what came since is sent by itself.
    """

    run_id = traitlets.Unicode().tag(sync=True)
    url = traitlets.Unicode().tag(sync=True)
    told: Any = traitlets.List().tag(sync=True)

    def __init__(self, run_id: str, where: str | Path) -> None:
        super().__init__(run_id=run_id, url=where if isinstance(where, str) else "")
        self._relay = Relay(run_id, where, send=self._say, whole=self._say_all)
        self.on_msg(self._heard)
        if not self.url:
            self._relay.start()

    def close(self) -> None:
        """Take it off the screen, and follow the run no longer."""
        self._relay.stop()
        super().close()

    def _say(self, begin: int, messages: list[dict[str, Any]]) -> None:
        self.send({"from": begin, "messages": messages})

    def _say_all(self, messages: list[dict[str, Any]]) -> None:
        self.told = list(messages)

    def _heard(self, _: object, content: Any, __: object) -> None:
        # A view asks for what it lacks: at its beginning, where its browser does not reach the server, or after a gap.
        have = content.get("have") if isinstance(content, dict) else None
        if isinstance(have, int):
            self._relay.start()
            self._relay.repeat(max(0, have))


def cell_of(run_id: str, where: str | Path) -> RunCell:
    """The cell for a run.

    Raises:
        NoCell: its front end was not built.
    """
    if not FRONT_END.is_file():
        raise NoCell(f"{FRONT_END} is not there; `make page` builds it, and the wheel has it")
    RunCell._esm = FRONT_END.read_text(encoding="utf-8")
    return RunCell(run_id, where)
