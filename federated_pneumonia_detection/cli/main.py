"""The `fpd` program: its commands, and the one place where an error becomes one line and an exit code.

Nothing is imported here that Python has not imported by then: Ctrl-C in the middle of an import is to be clean, too.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` itself takes a while to import
if TYPE_CHECKING:
    import click

__all__ = ["main"]


def main() -> None:
    """Run `fpd` with the arguments of the process, and exit with what it returns."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us is gone (`fpd runs | head`); there is nobody left to tell, not even at the last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        # At its end Python looks once more at every object there is, and a run that was stopped would stay for seconds.
        import gc

        gc.freeze()


def _run() -> int:
    try:
        import click

        from federated_pneumonia_detection.cli.commands import app
        from federated_pneumonia_detection.cli.errors import CANCELLED, MISUSED, one_line
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.split(".")[0] == "federated_pneumonia_detection":
            raise
        return _tell(
            f"the command line needs {missing.name}, which is not installed here; "
            "install federated-pneumonia-detection[server], or [all] to train as well"
        )
    # What a pipe or a file takes it gets line by line, so that whoever reads it sees a run live.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        code = app(prog_name="fpd", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        # Where typer draws the help itself it has done so by now, and the error is empty.
        if error.format_message().strip():
            error.show()
        return MISUSED
    except click.UsageError as error:
        return _tell(_usage(error), MISUSED)
    except click.ClickException as error:
        return _tell(error.format_message(), error.exit_code)
    except click.Abort:
        return CANCELLED
    except BrokenPipeError:
        raise
    except Exception as error:  # the outermost edge: what we know becomes one line, the rest stays loud
        told = one_line(error)
        if told is None:
            raise
        return _tell(told)
    return code if isinstance(code, int) else 0


def _tell(words: str, code: int = 1) -> int:
    from federated_pneumonia_detection.cli.lines import printable

    print(f"fpd: {printable(words)}", file=sys.stderr)  # noqa: T201
    return code


def _usage(error: click.UsageError) -> str:
    """What was wrong with the arguments, and where to look."""
    # Both click and typer name the nearest command; once is enough.
    told = error.format_message()
    head, mark, rest = told.partition(" Did you mean ")
    if mark:
        told = f"{head}{mark}{rest.split(' Did you mean ')[0]}"
    command = error.ctx.command_path if error.ctx is not None else "fpd"
    told = told.rstrip()
    return f"{told}{'' if told[-1:] in '.?!' else '.'} See `{command} --help`."
