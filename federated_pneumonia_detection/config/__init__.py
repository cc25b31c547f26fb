"""What can be configured, as pydantic models with their help texts: one truth for YAML, HTTP, forms and commands."""

from federated_pneumonia_detection.config.errors import ConfigError, Problem
from federated_pneumonia_detection.config.explain import explain
from federated_pneumonia_detection.config.training import (
    CentralizedRequest,
    ExperimentName,
    FederatedConfig,
    FederatedRequest,
    Kind,
    TrainingConfig,
    check_experiment_name,
    commented_yaml,
    config_class,
    dump_config,
    load_config,
    make_config,
    schema,
)

__all__ = [
    "CentralizedRequest",
    "ConfigError",
    "ExperimentName",
    "FederatedConfig",
    "FederatedRequest",
    "Kind",
    "Problem",
    "TrainingConfig",
    "check_experiment_name",
    "commented_yaml",
    "config_class",
    "dump_config",
    "explain",
    "load_config",
    "make_config",
    "schema",
]
