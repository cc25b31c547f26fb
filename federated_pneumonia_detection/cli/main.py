"""The `fpd` program: its commands, and the one place where an error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


def main() -> None:
    """Run `fpd` with the arguments of the process, and exit with what it returns."""
    try:
        from federated_pneumonia_detection.cli.commands import app
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.split(".")[0] == "federated_pneumonia_detection":
            raise
        sys.exit(
            f"fpd: the command line needs {missing.name}, which is not installed here; "
            "install federated-pneumonia-detection[server], or [all] to train as well"
        )
    from federated_pneumonia_detection.cli.errors import one_line

    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us is gone (`fpd runs | head`); there is nobody left to tell, not even at the last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the outermost edge: what we know becomes one line, the rest stays loud
        told = one_line(error)
        if told is None:
            raise
        print(f"fpd: {told}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
