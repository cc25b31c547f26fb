import pytest

from federated_pneumonia_detection.config.errors import ConfigError
from federated_pneumonia_detection.config.yaml_reading import parse_yaml, read_yaml

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# only a comment\n", {}),
        ("a: 3e-3", {"a": 0.003}),
        ("a: 1e5", {"a": 1e5}),
        ("a: -.5", {"a": -0.5}),
        ("a: 010", {"a": 10}),
        ("a: no", {"a": "no"}),
        ("a: off", {"a": "off"}),
        ("a: true", {"a": True}),
        ("a: null", {"a": None}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: {b: [1, 2.5, x]}", {"a": {"b": [1, 2.5, "x"]}}),
        ("a: 'ünïcode'", {"a": "ünïcode"}),
    ],
)
def test_plain_yaml_is_read_as_it_looks(text, value):
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "where", "wrong", "right"),
    [
        pytest.param("a: [1", "line 1", "expected", "key: value", id="not closed"),
        pytest.param("a: b: c", "line 1", "mapping values", "key: value", id="not YAML"),
        pytest.param("epochs:\n\t- 1", "line 2", "\\t", "spaces, not tabs", id="tabs"),
        pytest.param("- 1\n- 2", "conf.yaml", "it is a list", "key: value", id="a list"),
        pytest.param("just words", "conf.yaml", "one piece of text", "key: value", id="a word"),
        pytest.param("17", "conf.yaml", "one value", "key: value", id="a number"),
        pytest.param("a: 1\nb: 2\na: 3", "line 3", "'a' is there twice", "keep one", id="a key twice"),
        pytest.param("a: {b: 1, b: 2}", "line 1", "'b' is there twice", "keep one", id="a nested key twice"),
        pytest.param("a: !!python/object:os.system x", "line 1", "tag", "no !tags", id="a Python object"),
        pytest.param("a: !!python/object/apply:os.system ['true']", "line 1", "tag", "no !tags", id="a Python call"),
        pytest.param(BOMB, "line 2", "alias", "write the value out", id="anchor bomb"),
        pytest.param("1: 2", "conf.yaml", "key 1 is no word", "words", id="a key that is a number"),
        pytest.param("{" * 5000, "conf.yaml", "nested too deeply", "key: value", id="nested"),
        pytest.param("a: \0", "conf.yaml", "special characters", "plain UTF-8", id="NUL"),
        pytest.param("a: 1\n---\na: 2", "line 2", "another document", "key: value", id="two documents"),
    ],
)
def test_what_is_no_plain_mapping_is_told_in_one_line(text, where, wrong, right):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, where="conf.yaml")
    error = caught.value
    assert where in error.where
    assert wrong in error.wrong
    assert right in error.right
    assert "\n" not in str(error)


def test_a_file_is_read_with_its_byte_order_mark(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_bytes(b"\xef\xbb\xbfepochs: 3\n")
    assert read_yaml(path) == {"epochs": 3}


@pytest.mark.parametrize(
    ("content", "wrong", "right"),
    [
        pytest.param(b"a: \xff\xfe", "byte 3 is not UTF-8", "save it as UTF-8", id="not UTF-8"),
        pytest.param("a: 1".encode("utf-16"), "byte 0 is not UTF-8", "save it as UTF-8", id="UTF-16"),
        pytest.param(b"a: 1\n" * 300_000, "larger than 1 MiB", "few dozen lines", id="too large"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, wrong, right):
    path = tmp_path / "conf.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert caught.value.where == str(path)
    assert wrong in caught.value.wrong
    assert right in caught.value.right


def test_a_file_that_is_not_there_and_a_directory_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        read_yaml(tmp_path)
