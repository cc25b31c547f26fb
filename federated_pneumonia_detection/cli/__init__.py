"""`fpd`, the command line: one file for each family of commands, and heavy imports only inside the commands."""

from federated_pneumonia_detection.cli.main import main

__all__ = ["main"]
