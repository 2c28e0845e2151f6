"""The network in a config: its blocks and items, and the layers that contain layers.

Their torch modules are in `cnn_cli.model.combinators`.
"""

from typing import Annotated, Any, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_serializer,
    model_validator,
)

from cnn_cli.config import layers as leaf
from cnn_cli.config.fields import MAX_CHANNELS, expected
from cnn_cli.config.layers import Layer
from cnn_cli.config.section import Section

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
"""The form of a block's name, which becomes a part of the names of its weights."""


def _as_tuple(value: Any) -> Any:
    """Return a list as a tuple: after validators of short forms, strict pydantic refuses a list from JSON."""
    return tuple(value) if isinstance(value, list) else value


Branch = Annotated[tuple["Item", ...], BeforeValidator(_as_tuple)]
"""Layers, one after the other; an empty list is the identity."""
Chain = Annotated[tuple["Item", ...], Field(min_length=1), BeforeValidator(_as_tuple)]
"""Layers, one after the other; at least one."""


class Residual(Layer):
    """Residual block: the sum of the output of its layers and of a shortcut around them.

    y = layers(x) + shortcut(x) (He et al. 2015, equations 1 and 2).
    """

    main = "layers"
    shape = "that of the layers' output"
    layers: Chain
    """The layers that the shortcut bypasses."""
    shortcut: Branch | None = None
    """Layers of the shortcut; an empty list is the identity. Default: the identity if the shapes are equal,
    else a 1x1 convolution with the stride that fits, and batch normalization (option B of the paper)."""


class Parallel(Layer):
    """Branches with the same input, whose outputs are concatenated along the channels.

    This is how the inception module is built (Szegedy et al. 2014, figure 2).
    """

    main = "branches"
    shape = "channels: the sum of the branches; height and width: those of the branches, which must be equal"
    branches: Annotated[tuple[Branch, ...], Field(min_length=2), BeforeValidator(_as_tuple)]
    """Lists of layers; an empty list is the identity."""


class Repeat(Layer):
    """The same layers several times in a row, each time with new weights."""

    shape = "that of the last layer's output"
    times: Annotated[int, Field(ge=1, le=1000, strict=True)]
    """Number of times."""
    layers: Chain
    """The layers to repeat."""


class Auxiliary(Layer):
    """Auxiliary classifier: a second classifier in the middle of the network, for training only.

    Its loss, times `weight`, is added to that of the network; in evaluation it is skipped. It helps deep
    networks to train (Szegedy et al. 2014, section 5).
    """

    main = "layers"
    layers: Chain
    """The layers from here to one logit per class. The network itself continues from the same input."""
    weight: Annotated[float, Field(ge=0, le=10)] = 0.3
    """Factor of its loss."""


class Block(Layer):
    """Layers with a name of their own, which the summary shows as one row; `model.blocks` defines them."""

    shape = "that of the last layer's output"
    name: Annotated[str, Field(pattern=NAME, max_length=50)]
    """The name of the block."""
    layers: Chain
    """The layers of the block."""


class Item(BaseModel):
    """One item of a network: exactly one layer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conv: leaf.Conv | None = None
    pool: leaf.Pool | None = None
    global_pool: leaf.GlobalPool | None = None
    affine: leaf.Affine | None = None
    linear: leaf.Linear | None = None
    flatten: leaf.Flatten | None = None
    norm: leaf.Norm | None = None
    lrn: leaf.Lrn | None = None
    dropout: leaf.Dropout | None = None
    relu: leaf.Relu | None = None
    leaky_relu: leaf.LeakyRelu | None = None
    gelu: leaf.Gelu | None = None
    silu: leaf.Silu | None = None
    tanh: leaf.Tanh | None = None
    scaled_tanh: leaf.ScaledTanh | None = None
    sigmoid: leaf.Sigmoid | None = None
    residual: Residual | None = None
    parallel: Parallel | None = None
    repeat: Repeat | None = None
    auxiliary: Auxiliary | None = None
    block: Block | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict) and len(value) == 1:
            return {name: {} if parameters is None else parameters for name, parameters in value.items()}
        if isinstance(value, dict | cls):
            return _refuse_several_keys(value)
        raise expected("the name of a layer or a map with one name")

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        _ = self.name
        return self

    @property
    def name(self) -> str:
        """The layer's name as the YAML writes it."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def layer(self) -> Layer:
        """The layer's parameters."""
        layer: Layer = getattr(self, self.name)
        return layer

    @property
    def parameters(self) -> dict[str, Any]:
        """The layer's parameters as plain values; an item inside becomes (name, parameters)."""
        return {field: _plain(getattr(self.layer, field)) for field in type(self.layer).model_fields}

    @model_serializer
    def _write(self) -> Any:
        """Write the item the way that people do: a bare name if there are no parameters."""
        parameters = self.layer.model_dump(mode="json", exclude_none=True)
        return {self.name: parameters} if parameters else self.name


def vocabulary() -> dict[str, type[Layer]]:
    """Return the class of every layer, by its name in a YAML."""
    return {name: get_args(field.annotation)[0] for name, field in Item.model_fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Item):
        return value.name, value.parameters
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _refuse_several_keys(value: Any) -> Any:
    if isinstance(value, dict):
        names = ", ".join(map(str, value)) or "none"
        raise ValueError(f"a layer is a map with one name, but this one has {len(value)}: {names}")
    return value


for _combinator in (Residual, Parallel, Repeat, Auxiliary, Block):  # they are declared before the item
    _combinator.model_rebuild()
Item.model_rebuild()


BlockName = Annotated[str, Field(pattern=NAME, max_length=50)]


class BlockDefinition(Section):
    """Layers with a name of your own, which `model.layers` may use like a layer.

    Write `name`, or `name: {a: 64, b: 128}` if the block has parameters. The value of the only parameter
    without a default may stand alone: `name: 64`. A block without parameters may be defined by the list of
    its layers alone.
    """

    parameters: tuple[str | dict[str, Any], ...] = ()
    """Names of parameters, or `name: value` for one with a default; the layers use `$name` for its value."""
    layers: tuple[Any, ...]
    """The layers of the block, which may use other blocks."""


class Model(Section):
    """The network."""

    classes: Annotated[int, Field(ge=2, le=MAX_CHANNELS, strict=True)] | None = None
    """Number of logits of the network. Default: one for each class of the data."""
    blocks: Annotated[dict[BlockName, BlockDefinition], Field(exclude=True)] = {}  # noqa: RUF012 (pydantic copies it)
    """Blocks of layers by name. Loading replaces their uses by their layers: a checked config has none."""
    layers: Annotated[tuple[Item, ...], Field(min_length=1)]
    """The layers from the image to one logit per class; for `lines`, to one per class and column, where
    `classes` counts the blank."""
