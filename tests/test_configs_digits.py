"""The architectures at digit size: each is what its header says, and is accurate on MNIST."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.networks import network_of
from test_accuracy import train
from torch import nn

from cnn_cli.config.dump import dump
from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Config
from cnn_cli.model.modules import Auxiliary, LocalResponseNorm, Parallel, Residual
from cnn_cli.model.summary import count_parameters
from cnn_cli.resources import packaged

CONFIGS = packaged("configs")
BARS = {
    "alexnet": 0.993,
    "zfnet": 0.993,
    "vgg": 0.993,
    "googlenet": 0.993,
    "resnet": 0.993,
    "mlp": 0.98,
}
"""The accuracy on the test set of MNIST that each must reach."""


def config(name: str) -> Config:
    """Load a shipped config, such as `vgg` or `paper/vgg16`, by its path: one in ./configs could hide it."""
    return load_config(str(CONFIGS / f"{name}.yaml")).config


def network(name: str) -> nn.Sequential:
    """Build a shipped network, without values in its weights."""
    return network_of(config(name))


def kinds(module: nn.Module, *classes: type[nn.Module]) -> list[nn.Module]:
    """Return the modules of these classes, in the order of the network."""
    return [part for part in module.modules() if isinstance(part, classes)]


def widths(module: nn.Module) -> list[int]:
    """Return the output channels of every convolution."""
    return [conv.out_channels for conv in kinds(module, nn.Conv2d)]


def kernels(module: nn.Module) -> list[int]:
    """Return the side of the square kernel of every convolution."""
    return [conv.kernel_size[0] for conv in kinds(module, nn.Conv2d)]


# --- all of them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted(CONFIGS.glob("**/*.yaml")), ids=lambda path: str(path.relative_to(CONFIGS))
)
def test_a_config_is_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 120


def header(path: Path) -> str:
    """Return the comment at the top of a config."""
    comment = re.match(r"(#.*\n)+", path.read_text())
    return comment[0] if comment else ""


@pytest.mark.parametrize("name", BARS)
def test_the_header_gives_the_parameters(name: str) -> None:
    title = header(CONFIGS / f"{name}.yaml").splitlines()[0]
    assert title.endswith(f"{count_parameters(network(name)):,} parameters")


OTHERS = {CONFIGS / f"{name}.yaml" for name in ("finetune", "line", "best-gpu")}
OF_MNIST = sorted(set(CONFIGS.glob("*.yaml")) - OTHERS)
"""The configs that are trained on MNIST; the others: own data, composed lines, one that waits for a GPU."""


@pytest.mark.parametrize("path", OF_MNIST, ids=lambda path: path.stem)
def test_the_header_gives_the_command_the_accuracy_the_time_and_the_hardware(path: Path) -> None:
    text = header(path)
    command = re.search(r"^# Command:  cnn (train|bench) --config (\S+)\.yaml(.*)$", text, re.MULTILINE)
    assert command
    assert command[2] == path.stem
    settings = [word for word in command[3].split() if "=" in word]
    assert load_config(str(path), settings).config.data.name in ("auto", "mnist")
    assert re.search(r"^# Accuracy: \d\d\.\d\d % on the test set of MNIST", text, re.MULTILINE)
    assert re.search(r"^# Time:     [\d.]+ (to \d+ )?(s|minutes)\b[^#]*\n?.*\bcores?\b", text, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("paper/*.yaml")), ids=lambda path: path.stem)
def test_the_header_of_a_papers_network_gives_a_command(path: Path) -> None:
    assert f"\n# Command:  cnn summary paper/{path.stem}\n" in header(path)


@pytest.mark.parametrize("name", BARS)
def test_all_are_trained_alike_so_that_they_can_be_compared(name: str) -> None:
    """Only the number of epochs and the memory layout may differ; the data is that of lenet."""
    ours, vgg, lenet = map(config, (name, "vgg", "lenet"))
    assert ours.data == lenet.data
    free = {"epochs": 0, "channels_last": False}
    assert ours.train.model_copy(update=free) == vgg.train.model_copy(update=free)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", BARS)
def test_its_accuracy_on_mnist(name: str, tmp_path: Path, mnist_folder: Path) -> None:
    assert train(str(CONFIGS / f"{name}.yaml"), 1, tmp_path / name, mnist_folder) >= BARS[name]


# --- one by one, against the papers -------------------------------------------------------------------------


def test_alexnet_is_the_papers_but_narrower() -> None:
    ours, paper = network("alexnet"), network("paper/alexnet-2012")
    assert [part * width for part, width in zip((3, 4, 3, 3, 4), widths(ours), strict=True)] == widths(paper)
    assert kernels(ours)[1:] == kernels(paper)[1:] == [5, 3, 3, 3]
    units, theirs = ([layer.out_features for layer in kinds(net, nn.Linear)] for net in (ours, paper))
    assert [8 * width for width in units[:2]] == theirs[:2]
    for kind, count in ((LocalResponseNorm, 2), (nn.MaxPool2d, 3), (nn.Dropout, 2)):
        assert len(kinds(ours, kind)) == len(kinds(paper, kind)) == count
    assert {layer.p for layer in kinds(ours, nn.Dropout)} == {0.5}
    assert {(pool.kernel_size, pool.stride) for pool in kinds(ours, nn.MaxPool2d)} == {((3, 3), (2, 2))}
    assert not kinds(ours, nn.BatchNorm2d)
    end = sum(map(count_parameters, kinds(ours, nn.Linear))) / count_parameters(ours)
    assert f"{end:.0%}".replace("%", " %") in (CONFIGS / "alexnet.yaml").read_text()


def test_zfnet_is_alexnet_but_for_kernel_and_stride_of_the_first_two_layers() -> None:
    def layers(name: str) -> list[str]:
        return dump(config(name)).partition("\nmodel:\n")[2].partition("\ntrain:\n")[0].splitlines()

    changed = [pair for pair in zip(layers("alexnet"), layers("zfnet"), strict=True) if len(set(pair)) == 2]
    found = [[re.findall(r"(?:kernel|stride): (\d)", line) for line in pair] for pair in changed]
    assert found == [[["5", "2"], ["3", "1"]], [["5", "1"], ["5", "2"]]]
    for pair in changed:
        assert len({re.sub(r"(kernel|stride): \d", "", line) for line in pair}) == 1


def test_vgg_is_the_first_stages_of_the_papers_at_a_quarter() -> None:
    def stages(name: str) -> list[list[int]]:
        return [widths(part) for part in network(name) if kinds(part, nn.Conv2d)]

    assert [[4 * width for width in stage] for stage in stages("vgg")] == stages("paper/vgg16")[:3]
    ours = network("vgg")
    assert set(kernels(ours)) == {3}
    assert {(pool.kernel_size, pool.stride) for pool in kinds(ours, nn.MaxPool2d)} == {((2, 2), (2, 2))}
    assert len(kinds(ours, nn.MaxPool2d)) == 3
    assert len(kinds(ours, nn.Linear)) == 3


def test_googlenet_is_the_first_inceptions_of_the_papers_stages_at_a_quarter() -> None:
    ours, paper = network("googlenet"), network("paper/googlenet-2014")
    inceptions, (a3, _, a4, _, _, _, _, a5, _) = kinds(ours, Parallel), kinds(paper, Parallel)
    for inception, published in zip(inceptions, (a3, a4, a5), strict=True):
        assert [4 * width for width in widths(inception)] == widths(published)
        assert [kernels(branch) for branch in inception] == [[1], [1, 3], [1, 5], [1]]
        for branch in (inception[1], inception[2]):
            reduce, _ = kinds(branch, nn.Conv2d)
            assert reduce.out_channels < reduce.in_channels
    assert not kinds(ours, Auxiliary)


def test_resnet_has_6n_plus_2_layers() -> None:
    ours = network("resnet")
    blocks = kinds(ours, Residual)
    beside = {conv for block in blocks for conv in kinds(block.shortcut, nn.Conv2d)}
    chain = [layer for layer in kinds(ours, nn.Conv2d, nn.Linear) if layer not in beside]
    assert len(chain) == 6 * 3 + 2
    assert [widths(block)[:2] for block in blocks] == [[16] * 2] * 3 + [[32] * 2] * 3 + [[64] * 2] * 3
    assert {conv.kernel_size for conv in chain[:-1]} == {(3, 3)}
    assert round(count_parameters(ours) / 1e6, 2) == 0.27  # the paper's table 6


def test_mlp_has_no_convolution_and_no_pooling() -> None:
    ours = network("mlp")
    assert not kinds(ours, nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    layers = kinds(ours, nn.Linear)
    assert layers[0].in_features == 28 * 28
    assert all(a.out_features == b.in_features for a, b in pairwise(layers))


def test_best_has_two_branches() -> None:
    ours = network("best")
    (branches,) = kinds(ours, Parallel)
    small, large = branches
    convolutions = [(conv.kernel_size[0], conv.stride[0]) for conv in kinds(small, nn.Conv2d)]
    assert convolutions == [(3, 1), (3, 1), (5, 2)] * 2
    assert kernels(large) == [5] * 5  # M5's, which has 32, 64, 96, 128 and 160 maps
    assert all(ours < 32 * place for place, ours in enumerate(widths(large), 1))
    assert not kinds(ours, nn.MaxPool2d, nn.AvgPool2d)
    assert count_parameters(ours) * 4 < 5e6  # bytes: it ships with the program


def test_reader_is_the_first_branch_of_best_but_wider() -> None:
    (branches,) = kinds(network("best"), Parallel)
    small, ours = branches[0], network("reader")
    first, second = widths(small)[:3], widths(small)[3:]
    assert widths(ours) == [*(width * 3 // 2 for width in first), *(2 * width for width in second)]
    assert kernels(ours) == kernels(small)
    assert kinds(ours, nn.Linear)[0].out_features == 2 * kinds(small, nn.Linear)[0].out_features
