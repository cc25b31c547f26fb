import pytest
from pydantic import ValidationError

from federated_pneumonia_detection.config import (
    CentralizedRequest,
    ConfigError,
    FederatedConfig,
    FederatedRequest,
    TrainingConfig,
    commented_yaml,
    config_class,
    dump_config,
    explain,
    load_config,
    make_config,
    schema,
)
from federated_pneumonia_detection.config.yaml_reading import parse_yaml

KINDS = ("centralized", "federated")
RECIPE = {
    "epochs": 24,
    "batch_size": 64,
    "image_size": 28,
    "learning_rate": 3e-3,
    "weight_decay": 0.05,
    "label_smoothing": 0.05,
    "class_weights": True,
    "early_stopping_patience": None,
    "threshold": 0.5,
    "device": "auto",
}


def test_the_defaults_are_the_recipe():
    values = TrainingConfig().model_dump()
    assert {key: values[key] for key in RECIPE} == RECIPE


def test_three_hospitals_take_part_in_three_rounds_unless_told_otherwise():
    config = FederatedConfig()
    assert (config.num_clients, config.num_rounds, config.local_epochs) == (3, 3, 1)
    assert (config.partition, config.strategy, config.engine) == ("iid", "fedavg", "local")


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_help_text(kind):
    for name, described in schema(kind)["properties"].items():
        assert len(described.get("description", "")) > 10, name


@pytest.mark.parametrize("kind", KINDS)
def test_the_commented_yaml_names_every_key_and_is_read_back_as_the_defaults(kind):
    text = commented_yaml(kind)
    assert set(parse_yaml(text)) == set(config_class(kind).model_fields)
    assert make_config(parse_yaml(text), kind) == config_class(kind)()


@pytest.mark.parametrize("kind", KINDS)
def test_a_dumped_configuration_is_read_back_equal(kind, tmp_path):
    config = make_config({"learning_rate": 1e-5, "model_args": {"spatial_dims": 2, "x": [1, None]}}, kind)
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    assert load_config(path, kind) == config


def test_no_path_gives_the_defaults():
    assert load_config(None) == TrainingConfig()
    assert load_config(None, "federated") == FederatedConfig()


WRONG = [
    ("epochs: -1", "epochs", "it is -1", "a whole number, 1 to 100000"),
    ("epochs: 0", "epochs", "it is 0", "a whole number, 1 to 100000"),
    ("epochs: 'ten'", "epochs", "it is 'ten'", "a whole number"),
    ("epochs: '10'", "epochs", "it is '10'", "a whole number"),
    ("epochs: 1.5", "epochs", "it is 1.5", "a whole number"),
    ("epochs: true", "epochs", "it is true", "a whole number"),
    ("epochs: null", "epochs", "it is null", "a whole number"),
    ("epochs: [1]", "epochs", "it is a list", "a whole number"),
    ("epochs: 1000000000000", "epochs", "it is 1000000000000", "1 to 100000"),
    ("learning_rate: '0.1'", "learning_rate", "it is '0.1'", "a number"),
    ("learning_rate: 0", "learning_rate", "it is 0", "more than 0"),
    ("learning_rate: .inf", "learning_rate", "not a finite number", "a number"),
    ("learning_rate: .nan", "learning_rate", "not a finite number", "a number"),
    ("label_smoothing: 1.0", "label_smoothing", "it is 1.0", "less than 1"),
    ("threshold: 1.5", "threshold", "it is 1.5", "0 to 1"),
    ("augment: 1", "augment", "it is 1", "true or false"),
    ("ema: off", "ema", "it is 'off'", "true or false"),
    ("device: tpu", "device", "it is 'tpu'", "cuda"),
    ("model: ''", "model", "it is ''", "1 to 200 characters"),
    ("model_args: 3", "model_args", "it is 3", "an object"),
    ("seed: -1", "seed", "it is -1", "0 to 4294967295"),
    ("image_size: 4", "image_size", "it is 4", "8 to 1024"),
    ("early_stopping_patience: 0", "early_stopping_patience", "it is 0", "a whole number, 1 to"),
    ("partition: random", "partition", "it is 'random'", "'iid', 'dirichlet' or 'patient'"),
    ("alpha: 0", "alpha", "it is 0", "more than 0"),
    ("epoch: 3", "epoch", "no such key", "did you mean 'epochs'?"),
    ("learnign_rate: 0.1", "learnign_rate", "no such key", "did you mean 'learning_rate'?"),
    ("num_client: 3", "num_client", "no such key", "did you mean 'num_clients'?"),
    ("zzz: 3", "zzz", "no such key", "the keys are epochs, batch_size"),
]


@pytest.mark.parametrize(("text", "key", "wrong", "right"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_value_is_told_with_file_key_and_what_would_be_right(text, key, wrong, right, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, "federated")
    error = caught.value
    assert error.where == f"{path}: {key}"
    assert wrong in error.wrong
    assert right in error.right
    assert "\n" not in str(error)


def test_several_mistakes_are_counted_and_named_in_the_one_line():
    with pytest.raises(ConfigError) as caught:
        make_config({"epochs": -1, "seed": "x", "foo": 1}, "centralized")
    assert len(caught.value.problems) == 3
    assert str(caught.value).endswith("(and 2 more: seed, foo)")


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "a\\b", "..", "", "a" * 201, "a\nb", "a\0", "\x1b[1m", " ", "\u202ea", "\ud800"]
)
@pytest.mark.parametrize("model", [CentralizedRequest, FederatedRequest])
def test_an_experiment_name_that_could_be_a_path_or_a_trick_is_refused(name, model):
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"experiment_name": name})
    (problem,) = explain(caught.value.errors(), model)
    assert problem.where == "experiment_name"
    assert str(problem).isprintable()


@pytest.mark.parametrize("name", ["pneumonia", "a", "a" * 200, "Réseau 3 (β)", "lung \N{LUNGS}", "CON", "a.b-c_d"])
def test_an_ordinary_experiment_name_is_taken_as_it_is(name):
    assert CentralizedRequest(experiment_name=name).experiment_name == name


def test_what_stands_outside_config_wins():
    request = CentralizedRequest.model_validate({"epochs": 3, "config": {"epochs": 7, "seed": 5}})
    assert request.resolved() == TrainingConfig(epochs=3, seed=5)


def test_a_default_outside_config_does_not_win():
    request = FederatedRequest.model_validate({"num_rounds": 5, "config": {"num_clients": 9, "num_rounds": 2}})
    assert request.resolved() == FederatedConfig(num_clients=9, num_rounds=5)


def test_epochs_of_a_federated_request_are_local_epochs_unless_these_are_given_too():
    assert FederatedRequest(epochs=2).resolved().local_epochs == 2
    assert FederatedRequest(epochs=2, local_epochs=4).resolved().local_epochs == 4


def test_a_misspelt_key_inside_the_config_of_a_request_names_the_nearest():
    with pytest.raises(ValidationError) as caught:
        FederatedRequest.model_validate({"config": {"batchsize": 3}})
    (problem,) = explain([{**caught.value.errors()[0], "loc": ("body", "config", "batchsize")}], FederatedRequest)
    assert str(problem) == "config.batchsize: there is no such key; did you mean 'batch_size'?"


def test_a_configuration_cannot_be_changed_by_whoever_holds_it():
    with pytest.raises(ValidationError):
        TrainingConfig().epochs = 3  # type: ignore[misc]


MISFITS = [
    ({"strategy": "fedporx"}, "strategy", "did you mean 'fedprox'"),
    ({"strategy": "fedprox", "proximal_nu": 0.1}, "proximal_nu", "did you mean 'proximal_mu'"),
    ({"proximal_mu": 0.3}, "proximal_mu", "a setting of fedprox, and the strategy is fedavg"),
    (
        {"strategy": "krum", "server_tau": 0.1},
        "server_tau",
        "a setting of fedadam or fedyogi, and the",
    ),
    ({"noise_multiplier": 2.0}, "noise_multiplier", "a setting of differential privacy, and the privacy is none"),
    ({"privacy": "client_adaptive", "max_epsilon": 3.0}, "max_epsilon", "a setting of server_fixed or client_fixed"),
    ({"privacy": "server_fixd"}, "privacy", "did you mean 'server_fixed'"),
    ({"privacy": "server_fixed", "strategy": "fedadam"}, "privacy", "choose fedavg or fedprox"),
    ({"privacy": "server_fixed", "noise_multiplier": 0.0, "max_epsilon": 1.0}, "max_epsilon", "no budget holds"),
    ({"privacy": "server_adaptive", "clipped_count_stddev": 0.5}, "clipped_count_stddev", "take more than 0.5"),
    ({"strategy": "krum", "malicious_clients": 1}, "num_clients", "krum against 1 malicious needs 5"),
    ({"strategy": "krum", "num_clients": 8, "fraction_train": 0.25}, "num_clients", "2 of 8 train in a round"),
    ({"strategy": "fedmedian", "num_clients": 2}, "num_clients", "a median needs 3"),
]


@pytest.mark.parametrize(("given", "where", "told"), MISFITS)
def test_settings_that_do_not_fit_the_strategy_are_refused_at_their_key(given, where, told):
    with pytest.raises(ConfigError) as raised:
        make_config(given, "federated", where="f.yaml")
    (problem,) = raised.value.problems
    assert problem.where == f"f.yaml: {where}"
    assert told in str(problem)


def test_what_stands_outside_a_request_and_what_stands_in_its_config_are_seen_together():
    request = FederatedRequest.model_validate({"strategy": "fedprox", "config": {"proximal_mu": 0.3}})
    assert request.resolved().proximal_mu == 0.3

    with pytest.raises(ValidationError) as raised:
        FederatedRequest.model_validate({"strategy": "krum", "num_clients": 2, "config": {"proximal_mu": 0.3}})
    problems = explain(raised.value.errors(include_url=False), FederatedRequest)
    assert [problem.where for problem in problems] == ["config.proximal_mu", "config.num_clients"]


def test_what_is_wrong_outside_is_told_once():
    with pytest.raises(ValidationError) as raised:
        FederatedRequest.model_validate({"strategy": "fedlol", "num_clients": 0, "config": {}})
    assert [error["loc"] for error in raised.value.errors()] == [("num_clients",), ("strategy",)]


def test_the_schema_says_for_which_strategy_a_setting_is():
    properties = schema("federated")["properties"]
    assert properties["proximal_mu"]["x-for"] == {"strategy": ["fedprox"]}
    assert properties["max_epsilon"]["x-for"] == {"privacy": ["server_fixed", "client_fixed"]}
    assert "x-for" not in properties["strategy"]
