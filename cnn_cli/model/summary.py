"""The summary of a network: shapes, parameters, multiply-adds and receptive fields of its layers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from cnn_cli.model.build import measure
from cnn_cli.model.modules import NORMALIZATION, Auxiliary, ChannelAffine, Parallel, Residual
from cnn_cli.model.shapes import Shape


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network."""

    name: str
    output_shape: Shape
    """Shape of one output: (C, H, W) or (units,)."""
    kernel: tuple[int, int] | None
    stride: tuple[int, int] | None
    padding: tuple[int, int] | None
    """Zeros on each side."""
    parameters: int
    multiply_adds: int
    """Multiplications followed by an addition, for one image, without auxiliary classifiers."""
    receptive_field: tuple[int, int] | None
    """Height and width, in input pixels, of the region that one output number depends on; None: the image."""
    layers: tuple["LayerSummary", ...] = ()
    """The layers inside; the figures of this layer include theirs."""


@dataclass(frozen=True)
class NetworkSummary:
    """The layers and the totals of a network."""

    input_shape: Shape
    layers: tuple[LayerSummary, ...]
    parameters: int
    normalization_parameters: int
    """The part of `parameters` that belongs to normalization layers."""
    auxiliary_parameters: int
    """The part of `parameters` that belongs to auxiliary classifiers, which only training uses."""
    multiply_adds: int


@dataclass(frozen=True)
class _Window:
    """The window that a convolution or a pooling moves over its input."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class _Field:
    """A receptive field, and the distance in input pixels between those of neighboring outputs."""

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    whole_image: bool = False
    """Whether every number depends on the whole image, as after a fully connected layer."""

    def through(self, window: _Window) -> "_Field":
        """Return the field after one more window, (kernel - 1) jumps larger (Araujo et al. 2019, eq. 2)."""
        size = (
            self.size[0] + (window.kernel[0] - 1) * window.dilation[0] * self.jump[0],
            self.size[1] + (window.kernel[1] - 1) * window.dilation[1] * self.jump[1],
        )
        jump = (self.jump[0] * window.stride[0], self.jump[1] * window.stride[1])
        return replace(self, size=size, jump=jump)


@dataclass(frozen=True)
class _State:
    """Shape and receptive field at one place of the network."""

    shape: Shape
    field: _Field


def summarize(network: nn.Sequential, input_shape: Shape) -> NetworkSummary:
    """Return the summary of a network for one image of `input_shape` (C, H, W)."""
    rows, _ = _walk(network.named_children(), _State(input_shape, _Field()), input_shape)
    return NetworkSummary(
        input_shape=input_shape,
        layers=rows,
        parameters=count_parameters(network),
        normalization_parameters=_count_of(network, NORMALIZATION),
        auxiliary_parameters=_count_of(network, (Auxiliary,)),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def _walk(
    chain: Iterable[tuple[str, nn.Module]], state: _State, image: Shape
) -> tuple[tuple[LayerSummary, ...], _State]:
    """Return the rows of a chain, and the state after it."""
    rows = []
    for name, module in chain:
        row, state = _describe(name, module, state, image)
        rows.append(row)
    return tuple(rows), state


def _describe(name: str, module: nn.Module, state: _State, image: Shape) -> tuple[LayerSummary, _State]:
    """Return the row of one layer with those inside it, and the state after it."""
    inner_rows, after = _walk_inside(module, state, image)
    if after is None:
        after = _state_after(module, state)
    window = _window(module, state.shape)
    multiply_adds = _multiply_adds(module, after.shape) + sum(row.multiply_adds for row in inner_rows)
    row = LayerSummary(
        name=name,
        output_shape=after.shape,
        kernel=window.kernel if window else None,
        stride=window.stride if window else None,
        padding=window.padding if window else None,
        parameters=count_parameters(module),
        multiply_adds=0 if isinstance(module, Auxiliary) else multiply_adds,
        receptive_field=None if after.field.whole_image else _clip(after.field.size, image),
        layers=inner_rows,
    )
    return row, after


def _walk_inside(
    module: nn.Module, state: _State, image: Shape
) -> tuple[tuple[LayerSummary, ...], _State | None]:
    """Return the rows of the layers in a combinator and the state after it; for other layers () and None."""
    children = list(module.named_children())
    match module:
        case Residual():
            *chain, (_, shortcut) = children
            rows, after = _walk(chain, state, image)
            shortcut_rows, shortcut_end = _walk(shortcut.named_children(), state, image)
            if shortcut_rows:
                row, _ = _describe("shortcut", shortcut, state, image)
                rows = (*rows, row)
            return rows, _merge(after.shape, (after, shortcut_end))
        case Parallel():
            rows = tuple(_describe(name, branch, state, image)[0] for name, branch in children)
            ends = [_walk(branch.named_children(), state, image)[1] for _, branch in children]
            return rows, _merge(measure(module, state.shape), ends)
        case Auxiliary():
            return _walk(children, state, image)[0], state
        case nn.Sequential():
            return _walk(children, state, image)
    return (), None


def _merge(shape: Shape, states: Iterable[_State]) -> _State:
    """Return the state where branches meet: that of the largest field."""
    fields = [state.field for state in states]
    size = (max(field.size[0] for field in fields), max(field.size[1] for field in fields))
    jump = (max(field.jump[0] for field in fields), max(field.jump[1] for field in fields))
    return _State(shape, _Field(size, jump, any(field.whole_image for field in fields)))


def _state_after(module: nn.Module, state: _State) -> _State:
    window = _window(module, state.shape)
    field = state.field.through(window) if window else state.field
    whole_image = field.whole_image or isinstance(module, nn.Linear)
    return _State(measure(module, state.shape), replace(field, whole_image=whole_image))


def count_parameters(module: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _count_of(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> int:
    """Return the number of trainable parameters in the modules of these types."""
    return sum(count_parameters(module) for module in network.modules() if isinstance(module, kinds))


def _window(module: nn.Module, shape: Shape) -> _Window | None:
    match module:
        case nn.Conv2d(padding=str()):  # torch's `same` for an even kernel adds one more zero on one side
            kernel, dilation = _pair(module.kernel_size), _pair(module.dilation)
            zeros = (dilation[0] * (kernel[0] - 1) + 1) // 2, (dilation[1] * (kernel[1] - 1) + 1) // 2
            return _Window(kernel, _pair(module.stride), zeros, dilation)
        case nn.Conv2d():
            sizes = (module.kernel_size, module.stride, module.padding, module.dilation)
            return _Window(*map(_pair, sizes))
        case nn.MaxPool2d() | nn.AvgPool2d():
            return _Window(_pair(module.kernel_size), _pair(module.stride), _pair(module.padding))
        case nn.AdaptiveMaxPool2d() | nn.AdaptiveAvgPool2d():
            height, width = _pair(module.output_size)
            rows, columns = _adaptive(shape[1], height), _adaptive(shape[2], width)
            return _Window((rows[0], columns[0]), (rows[1], columns[1]), (0, 0))
    return None


def _adaptive(before: int, after: int) -> tuple[int, int]:
    """Return the largest window and the stride; adaptive window i is floor(i b/a) to ceil((i+1) b/a)."""
    windows = (-(-(index + 1) * before // after) - index * before // after for index in range(after))
    return max(windows), max(1, before // after)


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
    """Return a field cut to the size of the image."""
    return min(size[0], input_shape[1]), min(size[1], input_shape[2])


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)
