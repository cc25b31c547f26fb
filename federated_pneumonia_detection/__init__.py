"""Train chest X-ray pneumonia detectors, centralised or federated, and watch them live.

Research software, not a medical device. `import federated_pneumonia_detection as fpd` brings all public names, each
loaded when it is first used: a training process that logs takes on neither torch nor a web framework nor pandas. The
types stand in `__init__.pyi`; the parts are named in `docs/architecture.md`.
"""

__version__ = "0.1.0"

_HOME = {
    "ProgressLogger": "progress",
    "FederatedProgressLogger": "progress",
    "WebSocketProgressLogger": "progress",
    "WebSocketFederatedProgressLogger": "progress",
    "ConnectionManager": "hub",
    "CentralizedTrainer": "training",
    "MetricsCollectorCallback": "training",
    "prepare_trainer_and_callbacks_pl": "training",
    "FederatedTrainer": "federated",
    "FederatedMetricsCollector": "federated",
    "current_progress": "federated",
    "progress_mod": "federated",
    "watch_batches": "federated",
    "watch_strategy": "federated",
    "Run": "notebook",
    "run": "notebook",
    "runs": "notebook",
    "watch": "notebook",
}
"""Which part each public name comes from."""

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        part = import_module(f"{__name__}.{home}")
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] == __name__:
            raise
        extra = "server" if home in ("hub", "notebook") else "all"
        raise ModuleNotFoundError(
            f"{__name__}.{name} needs {missing.name}, which is not installed here; "
            f"`pip install federated-pneumonia-detection[{'notebook' if home == 'notebook' else extra}]` brings it",
            name=missing.name,
        ) from missing
    # From now on it is found without coming here.
    value: object = getattr(part, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
