"""How layers are put together: the item of a list of layers, and the layers that hold layers.

The modules that these become are in `cnn_cli.model.combinators`.
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
from cnn_cli.config.fields import expected
from cnn_cli.config.layers import Layer

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
"""The form of a block's name: it becomes a part of its weights' names."""


def _as_tuple(value: Any) -> Any:
    """Behind validators that read short forms, strict pydantic no longer takes a list of JSON for a tuple."""
    return tuple(value) if isinstance(value, list) else value


Branch = Annotated[tuple["Item", ...], BeforeValidator(_as_tuple)]
"""Layers, one after the other; none is the identity."""
Chain = Annotated[tuple["Item", ...], Field(min_length=1), BeforeValidator(_as_tuple)]
"""The same, at least one."""


class Residual(Layer):
    """The sum of what the layers give and of a shortcut around them (He et al. 2015)."""

    main = "layers"
    shape = "that of the layers"
    layers: Chain
    """The layers that the shortcut passes by."""
    shortcut: Branch | None = None
    """Layers of the shortcut; an empty list: the input itself. Without it: the input where shapes are equal,
    else a 1x1 convolution with the stride that fits, and batch normalization (the paper's option B)."""


class Parallel(Layer):
    """Branches that read the same input; their outputs are joined along the channels."""

    main = "branches"
    shape = "the sum of the branches' channels; height and width must be equal"
    branches: Annotated[tuple[Branch, ...], Field(min_length=2), BeforeValidator(_as_tuple)]
    """Lists of layers; an empty list gives the input itself."""


class Repeat(Layer):
    """The same layers several times, one after the other, each time with weights of their own."""

    shape = "that of the last layer"
    times: Annotated[int, Field(ge=1, le=1000, strict=True)]
    """How often."""
    layers: Chain
    """The layers that are repeated."""


class Auxiliary(Layer):
    """A second classifier beside the chain, whose loss counts in training; in evaluation it does not run."""

    main = "layers"
    layers: Chain
    """The layers from here to one logit a class; the chain goes on from the same input."""
    weight: Annotated[float, Field(ge=0, le=10)] = 0.3
    """What its loss is multiplied by before it is added to the network's."""


class Block(Layer):
    """Layers under one name, which the summary shows as one row; `model.blocks` defines and names them."""

    shape = "that of the last layer"
    name: Annotated[str, Field(pattern=NAME, max_length=50)]
    """Its name."""
    layers: Chain
    """Its layers."""


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
        """The way that people write it: a bare name where there are no parameters."""
        parameters = self.layer.model_dump(mode="json", exclude_none=True)
        return {self.name: parameters} if parameters else self.name


def vocabulary() -> dict[str, type[Layer]]:
    """The class of every layer, by its name in a YAML."""
    kinds = {name: get_args(field.annotation) for name, field in Item.model_fields.items()}
    return {name: next(kind for kind in found if kind is not None) for name, found in kinds.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Item):
        return value.name, value.parameters
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _refuse_several_keys(value: Any) -> Any:
    if isinstance(value, dict):
        names = ", ".join(map(str, value)) or "none"
        raise ValueError(f"a layer is a map with one name, but here are {len(value)}: {names}")
    return value


for _combinator in (Residual, Parallel, Repeat, Auxiliary, Block):  # they were declared before the item
    _combinator.model_rebuild()
Item.model_rebuild()
