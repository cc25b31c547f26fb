"""What a notebook sees."""

import warnings

with warnings.catch_warnings():
    # Importing typer touches names that click is about to drop; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    import typer  # noqa: F401
