"""Blocks are replaced by their layers; networks that do not fit are refused, with place and shapes."""

# ruff: noqa: E501 - a message is one line

import time
from pathlib import Path

import pytest
from helpers.networks import network_of

from cnn_cli.config.dump import dump
from cnn_cli.config.load import load_config, load_text, placed
from cnn_cli.errors import ConfigError
from cnn_cli.model.network import network_for

UNIT = "    unit: {parameters: [out], layers: [conv: {out: $out, kernel: 3}, relu]}\n"
END = "    - flatten\n    - linear: classes\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder."""
    monkeypatch.chdir(tmp_path)


def write(blocks: str, layers: str, name: str = "my") -> Path:
    path = Path(f"{name}.yaml")
    path.write_text("model:\n" + (f"  blocks:\n{blocks}" if blocks else "") + f"  layers:\n{layers}")
    return path


def failure(blocks: str, layers: str) -> str:
    """Return the message of a network that cannot be built, without the name of the file."""
    write(blocks, layers)
    with pytest.raises(ConfigError) as caught:  # noqa: PT012 - two steps may refuse it
        loaded = load_config("my")
        with placed(loaded):
            network_of(loaded.config)
    return caught.value.message.replace("my.yaml:", "")


# Blocks, layers before `flatten` and a linear layer, and the whole message.
WRONG = [
    (
        "",
        "    - conv: {out: 4, kernel: 5}\n    - pool: 30\n",
        "4:13 model.layers[1].pool: a 30x30 window does not fit the 4x24x24 input",
    ),
    (
        "",
        "    - parallel: [[conv: {out: 4, kernel: 3}], [relu, pool: 2]]\n",
        "3:7 model.layers[0].parallel: the branches cannot be joined: they give 4x26x26, 1x14x14",
    ),
    (
        "",
        "    - parallel: [[relu], [relu, conv: {out: 4, kernel: 40}]]\n",
        "3:33 model.layers[0].parallel[1][1].conv: a 40x40 window does not fit the 1x28x28 input",
    ),
    (
        "",
        "    - parallel: {branches: [[relu], [conv: {out: 4, kernel: 40}]]}\n",
        "3:38 model.layers[0].parallel.branches[1][0].conv: a 40x40 window does not fit the 1x28x28 input",
    ),
    (
        "",
        "    - parallel: [[relu]]\n",
        '3:7 model.layers[0].parallel.branches: must be a list of at least 2 items, not [["relu"]]',
    ),
    (
        "",
        "    - parallel: [relu, tanh]\n",
        "3:18 model.layers[0].parallel[0]: must be a list, not 'relu'\n3:24 model.layers[0].parallel[1]: must be a list, not 'tanh'",
    ),
    (
        "",
        "    - residual:\n        layers: [conv: {out: 4, kernel: 3}]\n        shortcut: []\n",
        "5:9 model.layers[0].residual.shortcut: the shortcut gives 1x28x28, but the layers give 4x26x26",
    ),
    (
        "",
        "    - residual:\n        layers: [conv: {out: 4, kernel: 3}]\n        shortcut: [conv: {out: 4, kernel: 1}]\n",
        "5:9 model.layers[0].residual.shortcut: the shortcut gives 4x28x28, but the layers give 4x26x26",
    ),
    (
        "",
        "    - residual: [conv: {out: 4, kernel: 3}]\n",
        "3:7 model.layers[0].residual: no shortcut leads from 1x28x28 to the 4x26x26 of the layers",
    ),
    (
        "",
        "    - residual: [relu, conv: {out: 4, kernel: 3, groups: 2}]\n",
        "3:58 model.layers[0].residual[1].conv.groups: 2 groups do not divide 1 input and 4 output channels",
    ),
    (
        "",
        "    - residual: [flatten]\n",
        "3:7 model.layers[0].residual: no shortcut leads from 1x28x28 to the 784 of the layers",
    ),
    (
        "",
        "    - linear: 4\n",
        "3:15 model.layers[0].linear: needs a vector, but its input is 1x28x28: put `flatten` before it",
    ),
    (
        "",
        "    - conv: {out: 6, kernel: 3}\n    - conv: {out: 8, kernel: 3, groups: 4}\n",
        "4:41 model.layers[1].conv.groups: 4 groups do not divide 6 input and 8 output channels",
    ),
    ("", "    - norm: group\n", "3:13 model.layers[0].norm.groups: 32 groups do not divide 1 channels"),
    (
        "",
        "    - norm: {groups: 4}\n",
        "3:7 model.layers[0].norm: groups is a setting of group, but kind is batch",
    ),
    ("", "    - conv: {out: 0, kernel: 3}\n", "3:19 model.layers[0].conv.out: must be at least 1, not 0"),
    (
        "",
        "    - conv: {out: 1000000, kernel: 3}\n",
        "3:19 model.layers[0].conv.out: must be at most 65536, not 1000000",
    ),
    (
        "",
        "    - residual: []\n",
        "3:7 model.layers[0].residual.layers: must be a list of at least 1 item, not []",
    ),
    (
        "",
        "    - repeat: {times: 2, layers: []}\n",
        "3:26 model.layers[0].repeat.layers: must be a list of at least 1 item, not []",
    ),
    (
        "",
        "    - repeat: {times: 0, layers: [relu]}\n",
        "3:23 model.layers[0].repeat.times: must be at least 1, not 0",
    ),
    (
        "",
        "    - repeat: {layers: [relu]}\n",
        "3:7 model.layers[0].repeat.times: is missing, and it has no default",
    ),
    (
        "",
        "    - repeat: {times: 1000, layers: [repeat: {times: 1000, layers: [relu]}]}\n",
        "3:69 model.layers[0].repeat.layers[0].repeat.layers[0].relu: is layer number 10,001, more than the limit of 10,000",
    ),
    (
        "",
        "    - repeat: {times: 9, layers: [relu, pool: 2]}\n",
        "3:47 model.layers[0].repeat.layers[1].pool: a 2x2 window does not fit the 1x1x1 input",
    ),
    (
        "",
        "    - auxiliary: [flatten, linear: 4]\n",
        "3:7 model.layers[0].auxiliary: the branch ends with 4, but the data has 10 classes: end it with `linear: classes`",
    ),
    (
        "",
        "    - flatten\n    - lrn\n",
        "4:7 model.layers[1].lrn: needs an image but its input is a vector of 784",
    ),
    (
        "",
        "    - residual: [covn: {out: 3}]\n",
        "3:18 model.layers[0].residual[0]: unknown key 'covn' (did you mean 'conv'?)",
    ),
    (
        "",
        "    - residual: [relu, conv: {out: 3, kernle: 3}]\n",
        "3:24 model.layers[0].residual[1].conv.kernel: is missing, and it has no default\n3:39 model.layers[0].residual[1].conv: unknown key 'kernle' (did you mean 'kernel'?)",
    ),
    (
        "    a: [relu, b]\n    b: [residual: [a]]\n",
        "    - a\n",
        "4:20: the blocks use each other in a circle: a -> b -> a",
    ),
    ("    a: [a]\n", "    - a\n", "3:9: the blocks use each other in a circle: a -> a"),
    (
        UNIT,
        "    - relu\n    - unit: 4\n    - pool: 13\n    - unit: 8\n",
        "3:40 model.layers[3].unit.layers[0].conv: a 3x3 window does not fit the 4x2x2 input (block 'unit' used at 8:7)",
    ),
    (UNIT, "    - unit: 0\n", "5:13 model.layers[0].unit.layers[0].conv.out: must be at least 1, not 0"),
    (UNIT, "    - unit: {outt: 3}\n", "5:14: block 'unit' has no parameter 'outt' (did you mean 'out'?)"),
    (UNIT, "    - unit\n", "5:7: block 'unit' needs a value for 'out'"),
    (
        "    unit: {parameters: [out], layers: [conv: {out: $width, kernel: 3}]}\n",
        "    - unit: 3\n",
        "3:52: block 'unit' has no parameter 'width'; known parameters: out",
    ),
    (
        "    relu: [tanh]\n",
        "    - relu\n",
        "3:5 model.blocks.relu: a layer has this name already; choose another",
    ),
    (
        "    3x3: [tanh]\n",
        "    - relu\n",
        "3:5 model.blocks.3x3: a block's name has letters, digits and _, and begins with a letter",
    ),
    ("    a: []\n", "    - relu\n", "3:5 model.blocks.a: must be a list of at least 1 layer"),
    (
        "    a: {parameters: [x]}\n",
        "    - relu\n",
        "3:5 model.blocks.a.layers: is missing, and it has no default",
    ),
    (
        "    a: {layer: [relu]}\n",
        "    - relu\n",
        "3:9 model.blocks.a: unknown key 'layer' (did you mean 'layers'?)",
    ),
    (
        "    a: {steps: 3, layers: [relu]}\n",
        "    - relu\n",
        "3:9 model.blocks.a: unknown key 'steps'; known keys: parameters, layers",
    ),
    (
        "    inception: [relu]\n",
        "    - inceptoin\n",
        "5:7: there is no layer or block 'inceptoin' (did you mean 'inception'?)",
    ),
    ("    a: {parameters: [x, y], layers: [relu]}\n", "    - a: 3\n", "5:10: block 'a' takes a map of x, y"),
    ("    a: [relu]\n", "    - a: 3\n", "5:10: block 'a' takes no value"),
    (
        "    a: {parameters: [x, x], layers: [relu]}\n",
        "    - a\n",
        "3:25 model.blocks.a.parameters: there are two parameters 'x'",
    ),
    ("", "    - linear: $x\n", "3:15 model.layers[0].linear.out: must be a whole number, not '$x'"),
]


@pytest.mark.parametrize(("blocks", "layers", "message"), WRONG)
def test_wrong_networks(blocks: str, layers: str, message: str) -> None:
    assert failure(blocks, layers + END) == message


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            "    - relu\n",
            "3:7 model.layers[0].relu: the network ends with 1x28x28, but the data has 10 classes: "
            "end with `linear: classes`",
        ),
        (
            "    - flatten\n    - linear: 12\n",
            "4:15 model.layers[1].linear: the network ends with 12, but the data has 10 classes: "
            "end with `linear: classes`",
        ),
    ],
)
def test_a_network_ends_with_one_logit_per_class(layers: str, message: str) -> None:
    assert failure("", layers) == message


def test_a_network_for_other_classes_than_the_datas_is_not_trained() -> None:
    path = write("", END)
    path.write_text(path.read_text().replace("model:\n", "model:\n  classes: 1000\n"))
    loaded = load_config("my")
    with pytest.raises(ConfigError) as caught, placed(loaded):
        network_for(loaded.config, 10)
    assert caught.value.message == (
        "my.yaml:2:12 model.classes: is 1000, but the data has 10 classes: set model.classes=10"
    )


def test_blocks_of_blocks_stop_before_they_fill_the_memory() -> None:
    many = "".join(f"    a{i}: [{', '.join([f'a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    start = time.process_time()
    assert failure("    a0: [relu]\n" + many, "    - a11\n").endswith("more than 20,000 values")
    deep = "".join(f"    b{i}: [residual: [b{i - 1}]]\n" for i in range(1, 60))
    assert failure("    b0: [relu]\n" + deep, "    - b59\n").endswith("more than 64 levels deep")
    lists = "".join(f"    c{i}: {{parameters: [x], layers: [c{i - 1}: [$x, $x]]}}\n" for i in range(1, 30))
    base = "    c0: {parameters: [x], layers: [parallel: $x]}\n"
    assert "more than" in failure(base + lists, "    - c29: [relu]\n")
    assert time.process_time() - start < 5


def test_a_mistake_in_a_block_is_reported_once() -> None:
    uses = "    - unit: 4\n" * 5
    assert failure(UNIT.replace("kernel", "kernle"), uses + END).count("\n") == 1  # one missing, one unknown


# --- what blocks become -------------------------------------------------------------------------------------


def test_a_block_is_its_layers_with_the_values_of_its_parameters() -> None:
    blocks = (
        "    pair: {parameters: [a, b: 8], layers: [unit: $a, unit: {out: $b}]}\n"
        "    end: [flatten, linear: classes]\n"
    )
    write(UNIT + blocks, "    - pair: 4\n    - pair: {b: 6, a: 5}\n    - end\n")
    loaded = load_config("my")
    network = network_of(loaded.config)
    assert [name for name, _ in network.named_children()] == ["pair1", "pair2", "end1"]
    outs = [tuple(w.shape[:2]) for name, w in network.named_parameters() if name.endswith("conv1.weight")]
    assert outs == [(4, 1), (8, 4), (5, 8), (6, 5)]
    assert "pair2.unit1.conv1.weight" in network.state_dict()
    assert load_text(dump(loaded.config), "dumped").config == loaded.config
    assert "blocks" not in dump(loaded.config)


def test_blocks_merge_with_those_of_a_base_and_take_overrides() -> None:
    write(UNIT, "    - unit: 4\n" + END, "below")
    Path("my.yaml").write_text(
        "base: below\nmodel: {blocks: {unit: {layers: [conv: {out: $out, kernel: 5}, tanh]}}}\n"
    )
    first = load_config("my", ["model.layers[0].unit=7"]).config.model.layers[0]
    (conv, parameters), (activation, _) = first.parameters["layers"]
    assert (conv, parameters["out"], parameters["kernel"], activation) == ("conv", 7, (5, 5), "tanh")


def test_a_parameter_may_stand_for_layers() -> None:
    blocks = "    twice: {parameters: [layers], layers: [repeat: {times: 2, layers: $layers}]}\n"
    write(UNIT + blocks, "    - twice: [unit: 3, relu]\n" + END)
    network = network_of(load_config("my").config)
    assert [name for name, _ in network[0].named_children()] == ["unit1", "relu1", "unit2", "relu2"]
