"""Where two configs differ, and the config that a run is compared with."""

from pathlib import Path

import pytest

from cnn_cli.config.base import base_of
from cnn_cli.config.differences import Difference, config_differences, differences
from cnn_cli.config.load import load_config


def found(*arguments: str) -> list[tuple[str, object, object]]:
    first, second = load_config("lenet").config, load_config("lenet", arguments).config
    return [(d.key, d.first, d.second) for d in config_differences(first, second, {"output"})]


def test_settings_that_differ():
    assert found() == []
    assert found("train.epochs=3", "seed=7", "output.plot=false") == [("seed", 0, 7), ("train.epochs", 12, 3)]
    assert found("data.validation=100") == [("data.validation", None, 100)]
    assert found("model.layers[0].conv.out=9") == [("model.layers[0].conv.out", 6, 9)]


RELU, POOL, FLAT = "relu", {"pool": {"window": 2}}, "flatten"
CONV, WIDE = {"conv": {"out": 6, "kernel": 5}}, {"conv": {"out": 8, "kernel": 5}}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([CONV, RELU, POOL, FLAT], [CONV, RELU, FLAT], [("layers[2]", POOL, None)]),
        ([CONV, RELU, FLAT], [CONV, RELU, POOL, FLAT], [("layers[2]", None, POOL)]),
        ([CONV, RELU, POOL, FLAT], [WIDE, RELU, POOL, FLAT], [("layers[0].conv.out", 6, 8)]),
        ([CONV, RELU, FLAT], [CONV, "tanh", FLAT], [("layers[1]", "relu", "tanh")]),
        ([CONV, CONV, FLAT], [CONV, RELU, FLAT], [("layers[1]", CONV, RELU)]),
        ([CONV, RELU], [POOL, FLAT], [("layers", [CONV, RELU], [POOL, FLAT])]),
    ],
)
def test_layers_are_aligned(first, second, expected):
    result = differences({"layers": first}, {"layers": second})
    assert [(d.key, d.first, d.second) for d in result] == expected


def test_values_in_words():
    assert Difference("a", None, "x").describe() == ("-", '"x"')
    assert Difference("a", [CONV, RELU], 1.5).describe() == ("2 layers", "1.5")


def test_the_base_is_that_of_the_named_config():
    base = base_of(load_config("tiny", ["seed=3"]).config)  # tiny.yaml has `base: lenet`
    assert (base.name, base.config) == ("lenet", load_config("lenet").config)


def test_without_a_base_it_is_the_config_itself():
    base = base_of(load_config("lenet", ["seed=3"]).config)
    assert (base.name, base.config) == ("lenet", load_config("lenet").config)


@pytest.mark.parametrize("text", [None, "model: [broken", "base: nowhere\n"])
def test_without_a_usable_file_it_is_the_defaults(text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    config = load_config("lenet", ["name=mine", "train.epochs=3"]).config
    if text:
        Path("configs").mkdir()
        Path("configs/mine.yaml").write_text(text)
    base = base_of(config)
    assert base.name == "the default settings"
    changed = {difference.key for difference in config_differences(base.config, config, {"name"})}
    assert "train.epochs" in changed
    assert not any(key.startswith("model") for key in changed)
