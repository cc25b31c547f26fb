"""What a logger has to tell the person who runs the training, in the process's own log."""

from __future__ import annotations

__all__ = ["tell"]


def tell(text: str) -> None:
    """Log a warning, on one line. Not `warnings.warn`: where warnings are errors, a log call would raise."""
    try:
        # Imported when needed: nearly no training needs it, and every one pays for what is imported.
        import logging

        logging.getLogger("federated_pneumonia_detection.progress").warning("%s", _printable(text))
    except Exception:  # noqa: BLE001 - at the interpreter's end nothing of this need be there any more
        pass


def _printable(text: str) -> str:
    # What somebody called a run must not make a line of the log of its own, nor move a terminal's cursor.
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
