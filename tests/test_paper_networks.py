"""The networks of the papers, against those of torchvision and the tables of the papers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.networks import class_count, network_of
from torch import Tensor, nn

from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.dump import dump
from cnn_cli.config.load import load_config, load_text
from cnn_cli.model.build import initialize
from cnn_cli.model.modules import Auxiliary, take_auxiliary_logits
from cnn_cli.model.network import input_shape
from cnn_cli.model.summary import NetworkSummary, count_parameters, summarize

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "configs").glob("**/*.yaml"))
PAPERS = sorted((ROOT / "configs" / "paper").glob("*.yaml"))
LARGE = 5_000_000
"""Number of parameters above which a backward pass at full size takes seconds."""

TORCHVISION = ["alexnet", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] + [
    f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def paper(name: str, *arguments: str) -> nn.Sequential:
    return network_of(load_config(f"paper/{name}", arguments).config)


def summary(name: str) -> NetworkSummary:
    config = load_config(f"paper/{name}").config
    return summarize(network_of(config), input_shape(config))


def reference(name: str, device: str = "cpu") -> nn.Module:
    """Return the network of torchvision, with random weights; nothing is downloaded."""
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name.startswith(("vgg", "googlenet")) else {}
    torch.manual_seed(0)
    with torch.device(device):
        network = getattr(models, name)(weights=None, **options)
    if device == "cpu":
        _draw_statistics(network)
    return network


def _draw_statistics(network: nn.Module) -> None:
    """Draw statistics and scales, so that a missing or misplaced normalization changes the logits."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)


def _in_order(network: nn.Module) -> list[str]:
    """Return the names of the values; torchvision has its auxiliary classifiers before the last layer."""
    names = list(network.state_dict())
    beside = {
        f"{path}.{name}"
        for path, module in network.named_modules()
        if isinstance(module, Auxiliary)
        for name in module.state_dict()
    }
    chain = [name for name in names if name not in beside]
    return chain[:-2] + [name for name in names if name in beside] + chain[-2:]


def copy(source: nn.Module, target: nn.Module) -> None:
    """Copy all weights, which both networks have in the same order; their shapes must agree."""
    values, names = list(source.state_dict().values()), _in_order(target)
    assert len(values) == len(names)
    target.load_state_dict(dict(zip(names, values, strict=True)), assign=True)


def images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", 224),
        ("vgg16", 64),
        ("vgg16_bn", 64),
        ("googlenet", 96),
        ("resnet18", 96),
        ("resnet50", 96),
    ],
)
@torch.inference_mode()
def test_logits_equal_those_of_torchvision(name: str, size: int) -> None:
    theirs, ours = reference(name).eval(), paper(name)
    copy(theirs, ours)
    expected = theirs(images(size))
    assert expected.std() > 1e-3  # so that equality means something
    scale = expected.abs().max()
    torch.testing.assert_close(ours.eval()(images(size)) / scale, expected / scale, atol=1e-4, rtol=0)


@torch.no_grad()
def test_auxiliary_logits_equal_those_of_torchvision() -> None:
    theirs, ours = reference("googlenet").train(), paper("googlenet").train()
    copy(theirs, ours)
    for module in (*theirs.modules(), *ours.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # the statistics of both networks would change
    expected = theirs(images(96))
    logits = ours(images(96))
    first, second = take_auxiliary_logits(ours)
    torch.testing.assert_close(logits, expected.logits, atol=1e-4, rtol=1e-4)
    for (weight, found), expected_logits in zip(
        (first, second), (expected.aux_logits1, expected.aux_logits2), strict=True
    ):
        assert weight == 0.3
        torch.testing.assert_close(found, expected_logits, atol=1e-4, rtol=1e-4)
    assert not list(take_auxiliary_logits(ours))


@pytest.mark.parametrize("name", TORCHVISION)
def test_parameter_counts_are_those_of_torchvision(name: str) -> None:
    theirs = reference(name, "meta")
    assert count_parameters(paper(name)) == count_parameters(theirs)


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_the_header_gives_the_paper_and_the_parameters(path: Path) -> None:
    header = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
    assert re.search(r"arXiv \d{4}\.\d{4,5}|figure \d", header)
    assert f"{count_parameters(paper(path.stem)):,}" in header


@pytest.mark.parametrize(
    ("name", "parameters", "auxiliary"),
    [
        ("alexnet", 61_100_840, 0),
        ("vgg16", 138_357_544, 0),
        ("googlenet", 6_624_904, 6_379_984),
        ("resnet18", 11_689_512, 0),
        ("resnet50", 25_557_032, 0),
        ("resnet50-2015", 25_557_032, 0),
    ],
)
def test_published_parameter_counts(name: str, parameters: int, auxiliary: int) -> None:
    found = summary(name)
    assert (found.parameters - found.auxiliary_parameters, found.auxiliary_parameters) == (
        parameters,
        auxiliary,
    )


def table(name: str) -> list[tuple[str, int]]:
    """Return the output and the parameters of every layer that has weights."""
    return [
        ("x".join(map(str, row.output_shape)), row.parameters)
        for row in summary(name).layers
        if row.parameters
    ]


FULLY_CONNECTED = [
    ("4096", 256 * 6 * 6 * 4096 + 4096),
    ("4096", 4096 * 4096 + 4096),
    ("1000", 4096 * 1000 + 1000),
]


def test_alexnet_of_2012_layer_by_layer() -> None:
    """Krizhevsky et al. 2012, figure 2: kernels of 11x11x3, 5x5x48, 3x3x256, 3x3x192 and 3x3x192."""
    assert table("alexnet-2012") == [
        ("96x55x55", 96 * 11 * 11 * 3 + 96),
        ("256x27x27", 256 * 5 * 5 * 48 + 256),
        ("384x13x13", 384 * 3 * 3 * 256 + 384),
        ("384x13x13", 384 * 3 * 3 * 192 + 384),
        ("256x13x13", 256 * 3 * 3 * 192 + 256),
        *FULLY_CONNECTED,
    ]


def test_zfnet_layer_by_layer() -> None:
    """Zeiler & Fergus 2013, figure 3: maps of 110, 55, 26, 13 and 6 pixels."""
    assert table("zfnet") == [
        ("96x110x110", 96 * 7 * 7 * 3 + 96),
        ("256x26x26", 256 * 5 * 5 * 96 + 256),
        ("384x13x13", 384 * 3 * 3 * 256 + 384),
        ("384x13x13", 384 * 3 * 3 * 384 + 384),
        ("256x13x13", 256 * 3 * 3 * 384 + 256),
        *FULLY_CONNECTED,
    ]
    sizes = [row.output_shape[1] for row in summary("zfnet").layers if row.kernel]
    assert sizes == [110, 55, 26, 13, 13, 13, 13, 6]


def test_lenet5_layer_by_layer() -> None:
    """LeCun et al. 1998, section II.B, where C3 has 1,516 and the output no trainable parameters."""
    counts = [parameters for _, parameters in table("lenet5")]
    assert counts == [156, 12, 16 * 6 * 25 + 16, 32, 48_120, 10_164, 850]
    assert sum(counts) - (2_416 - 1_516) - 850 == 60_000


# Szegedy et al. 2014, table 1: output, its columns, and its "params" in units of 1024.
INCEPTIONS = [
    ("256x28x28", 192, (64, 96, 128, 16, 32, 32), 159),
    ("480x28x28", 256, (128, 128, 192, 32, 96, 64), 380),
    ("512x14x14", 480, (192, 96, 208, 16, 48, 64), 364),
    ("512x14x14", 512, (160, 112, 224, 24, 64, 64), 437),
    ("512x14x14", 512, (128, 128, 256, 24, 64, 64), 463),
    ("528x14x14", 512, (112, 144, 288, 32, 64, 64), 580),
    ("832x14x14", 528, (256, 160, 320, 32, 128, 128), 840),
    ("832x7x7", 832, (256, 160, 320, 32, 128, 128), 1072),
    ("1024x7x7", 832, (384, 192, 384, 48, 128, 128), 1388),
]


def test_googlenet_of_2014_layer_by_layer() -> None:
    rows = [row for row in summary("googlenet-2014").layers if row.name.startswith("inception")]
    for row, (output, before, columns, published) in zip(rows, INCEPTIONS, strict=True):
        one, reduce3, three, reduce5, five, pool = columns
        weights = before * (one + reduce3 + reduce5 + pool) + reduce3 * three * 9 + reduce5 * five * 25
        assert "x".join(map(str, row.output_shape)) == output
        assert row.parameters == weights + sum(columns)
        assert (
            abs(weights / 1024 - published) / published < 0.08
        )  # the table is rounded loosely: see the header


def test_the_paper_has_the_stride_on_the_first_1x1() -> None:
    def strides(name: str) -> list[int]:
        stage = next(row for row in summary(name).layers if row.name == "stage2")
        residual = stage.layers[0].layers[0]
        return [row.stride[0] for row in residual.layers if row.kernel and row.stride]

    assert strides("resnet50") == [1, 2, 1]
    assert strides("resnet50-2015") == [2, 1, 1]


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("alexnet", 0.71),
        ("vgg11", 7.61),
        ("vgg16", 15.47),
        ("vgg19", 19.63),
        ("googlenet", 1.5),
        ("resnet18", 1.81),
        ("resnet34", 3.66),
        ("resnet50", 4.09),
        ("resnet101", 7.8),
        ("resnet152", 11.51),
    ],
)
def test_multiply_adds_are_those_of_torchvisions_documentation(name: str, billions: float) -> None:
    assert summary(name).multiply_adds / 1e9 == pytest.approx(billions, abs=0.0051)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("alexnet", 195),
        ("vgg16", 212),
        ("resnet50-2015", 483),
        # v1.5 has less: in three stages one 3x3 comes before the stride, which takes away 2 * (4 + 8 + 16).
        ("resnet50", 483 - 56),
        ("resnet101", 1027 - 56),
        ("resnet152", 1507 - 56),
    ],
)
def test_receptive_fields_are_the_published_ones(name: str, pixels: int) -> None:
    """Araujo et al. 2019 (distill.pub), table 1: before the average; the image is larger."""
    before = nn.Sequential(*_before_average(paper(name)))
    assert summarize(before, (3, 2048, 2048)).layers[-1].receptive_field == (pixels, pixels)


def _before_average(network: nn.Sequential) -> Iterator[nn.Module]:
    for module in network:
        if any(isinstance(part, nn.AdaptiveAvgPool2d) for part in module.modules()):
            return
        yield module


# --- every shipped config -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_config_is_short_and_its_dump_loads_back(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 80
    config = load_config(str(path), parent_of=parent_of).config
    assert load_text(dump(config), "dumped").config == config


def step(path: Path) -> None:
    """Run one forward and backward pass at the size of the config; every weight gets a gradient."""
    config = load_config(str(path), parent_of=parent_of).config
    network = network_of(config).train()
    initialize(network, 0)
    inputs = torch.randn(2, *input_shape(config), generator=torch.Generator().manual_seed(0))
    logits = network(inputs)
    assert logits.shape[:2] == (2, class_count(config) + (config.data.name == "lines"))  # and the blank
    (
        logits.square().mean() + sum(beside.square().mean() for _, beside in take_auxiliary_logits(network))
    ).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def is_large(path: Path) -> bool:
    return count_parameters(network_of(load_config(str(path), parent_of=parent_of).config)) > LARGE


SMALL = [path for path in SHIPPED if not is_large(path)]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_forward_and_backward(path: Path) -> None:
    step(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(set(SHIPPED) - set(SMALL)), ids=lambda path: path.stem)
def test_forward_and_backward_of_large_networks(path: Path) -> None:
    step(path)
