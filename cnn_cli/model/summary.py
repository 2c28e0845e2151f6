"""What a network is made of: shapes, parameters, multiply-adds and receptive fields, read off the network."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from cnn_cli.model.build import measure
from cnn_cli.model.layers import NORMALISATION, ChannelAffine, Shape


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network."""

    name: str
    output_shape: Shape
    """Shape of one output: (C, H, W) or (units,)."""
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    padding: tuple[int, int] | None
    """Zeros a side."""
    parameters: int
    multiply_adds: int
    """Multiplications followed by an addition, for one picture."""
    receptive_field: tuple[int, int] | None
    """Height and width, in input pixels, of what one output number can depend on; None: the whole picture."""


@dataclass(frozen=True)
class NetworkSummary:
    """A network's layers and totals."""

    input_shape: Shape
    layers: tuple[LayerSummary, ...]
    parameters: int
    normalisation_parameters: int
    """The part of `parameters` that belongs to normalisation layers."""
    multiply_adds: int


@dataclass(frozen=True)
class _Window:
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class _Field:
    """A receptive field, and the distance in input pixels between the fields of neighbouring outputs."""

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)

    def through(self, window: _Window) -> "_Field":
        """The field after one more window (Araujo et al. 2019, eq. 2): it grows by (kernel - 1) jumps."""
        size = (
            self.size[0] + (window.kernel[0] - 1) * self.jump[0],
            self.size[1] + (window.kernel[1] - 1) * self.jump[1],
        )
        return _Field(size, (self.jump[0] * window.stride[0], self.jump[1] * window.stride[1]))


def summarise(network: nn.Sequential, input_shape: Shape) -> NetworkSummary:
    """Walk through the chain with one picture of `input_shape` (C, H, W); nothing is computed."""
    rows, shape, field = [], input_shape, _Field()
    mixed = False  # after a fully connected layer every number depends on the whole picture
    for name, module in network.named_children():
        output_shape, window = measure(module, shape), _window(module)
        field = field.through(window) if window else field
        mixed = mixed or isinstance(module, nn.Linear)
        rows.append(
            LayerSummary(
                name=name,
                output_shape=output_shape,
                kernel=window.kernel if window else None,
                stride=window.stride if window else None,
                padding=window.padding if window else None,
                parameters=count_parameters(module),
                multiply_adds=_multiply_adds(module, output_shape),
                receptive_field=None if mixed else _clip(field.size, input_shape),
            )
        )
        shape = output_shape
    return NetworkSummary(
        input_shape=input_shape,
        layers=tuple(rows),
        parameters=count_parameters(network),
        normalisation_parameters=sum(
            count_parameters(module) for module in network.modules() if isinstance(module, NORMALISATION)
        ),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def count_parameters(module: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in module.parameters())


def _window(module: nn.Module) -> _Window | None:
    match module:
        case nn.Conv2d(padding=str()):  # torch's own `same` for an even kernel: one zero more on one side
            return _Window(_pair(module.kernel_size), _pair(module.stride), _half(_pair(module.kernel_size)))
        case nn.Conv2d() | nn.MaxPool2d() | nn.AvgPool2d():
            return _Window(_pair(module.kernel_size), _pair(module.stride), _pair(module.padding))
    return None


def _multiply_adds(module: nn.Module, output_shape: Shape) -> int:
    match module:
        case nn.Conv2d():
            outputs, height, width = output_shape
            per_output = module.weight[0].numel()
            return outputs * height * width * per_output
        case nn.Linear():
            return module.weight.numel()
        case ChannelAffine():
            channels, height, width = output_shape
            return channels * height * width
    return 0


def _clip(size: tuple[int, int], input_shape: Shape) -> tuple[int, int]:
    """A field that reaches over the edge sees no more than the picture."""
    return min(size[0], input_shape[1]), min(size[1], input_shape[2])


def _half(kernel: tuple[int, int]) -> tuple[int, int]:
    return kernel[0] // 2, kernel[1] // 2


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)
