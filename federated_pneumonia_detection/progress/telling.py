"""What a logger has to tell the person who runs the training, in the process's own log."""

from __future__ import annotations

__all__ = ["tell"]


def tell(text: str) -> None:
    """Log a warning. Not `warnings.warn`: where warnings are errors, a log call would raise."""
    try:
        # Imported when needed: nearly no training needs it, and every one pays for what is imported.
        import logging

        logging.getLogger("federated_pneumonia_detection.progress").warning("%s", text)
    except Exception:  # noqa: BLE001 - at the interpreter's end nothing of this need be there any more
        pass
