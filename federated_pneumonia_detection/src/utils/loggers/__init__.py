"""The guide's import paths for the loggers: re-exports, nothing else."""
