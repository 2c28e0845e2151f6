"""Every setting of a run, documented once: the command line, the JSON schema and the docs are made from here.

The config knows nothing of torch. It is frozen: what was checked is what runs and what the checkpoint stores.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.config.fields import MAX_CHANNELS, MAX_SIDE, AboveZero, Scales, Shares, expected
from cnn_cli.config.network import NAME, Item


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Count = Annotated[int, Field(ge=0, strict=True)]
Positive = Annotated[int, Field(ge=1, strict=True)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


MNIST_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
"""Those of torchvision.datasets.MNIST; written down, since torchvision takes a second to import."""


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise expected("auto, cpu, mps, cuda or cuda:NUMBER")
    return name


class Synthetic(Section):
    """The built-in digits, which the program draws."""

    train: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 60_000
    """Number of images drawn for training and validation."""
    test: Annotated[int, Field(ge=10, le=1_000_000, strict=True)] = 10_000
    """Number of images drawn for the test, with random draws of their own."""
    seed: Count = 0
    """Seed of the drawing. The run's own seed does not change the data."""


class Folder(Section):
    """Your own images, in a folder with one subfolder per class (`data.name: folder`)."""

    broken: Literal["stop", "skip"] = "stop"
    """What to do with a file that is not a readable image: `stop` with an error, or `skip` it with a warning."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the images that is held out for the test, where the folder has no subfolder `test`."""
    seed: Count = 0
    """Seed of that choice. The run's own seed does not change the data."""


class Augmentation(Section):
    """Random changes of every training image, drawn anew in every epoch. Zero switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest rotation to either side, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of size: 0.1 draws factors from 0.9 to 1.1, height and width apart."""
    shear: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Largest slant: pixels to the side for each pixel of height."""
    translate: Annotated[float, Field(ge=0, le=64)] = 0.0
    """Largest shift in either direction, in pixels."""
    elastic: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Strength of the elastic distortion (Simard, Steinkraus, Platt 2003): displacements drawn from -1..1 are
    smoothed, then multiplied by this. The paper has 34, with a sigma of 4, for digits of 29x29."""
    elastic_sigma: Annotated[float, Field(gt=0, le=100)] = 4.0
    """Standard deviation, in pixels, of the Gaussian that smooths the displacements: small makes strokes
    tremble, large bends the whole digit."""
    thickness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest change of the strokes: at 1 they become thicker or thinner by up to a pixel on either side."""
    blur: Annotated[float, Field(ge=0, le=16)] = 0.0
    """Largest standard deviation of a Gaussian blur, in pixels."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest standard deviation of normal noise, as a share of the way from paper to ink."""
    cutout: Annotated[int, Field(ge=0, le=MAX_SIDE, strict=True)] = 0
    """Side, in pixels, of a square that is blanked (DeVries & Taylor 2017)."""
    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Images of a batch, and their labels, are mixed with each other by a share from Beta(mixup, mixup)
    (Zhang et al. 2017, who use 0.1 to 0.4)."""

    @model_validator(mode="after")
    def _sigma_is_used(self) -> Self:
        if not self.elastic and self.elastic_sigma != type(self).model_fields["elastic_sigma"].default:
            raise ValueError("elastic_sigma is a setting of the elastic distortion, but elastic is 0")
        return self


class Data(Section):
    """What the network learns from."""

    name: Literal[
        "mnist",
        "fashion-mnist",
        "kmnist",
        "emnist-digits",
        "emnist-letters",
        "qmnist",
        "usps",
        "svhn",
        "cifar10",
        "folder",
        "synthetic",
    ] = "mnist"
    """The data set: a published one, a `folder` of your own images, or the built-in `synthetic` digits."""
    root: str | None = None
    """Folder that holds the data or receives the download. Default: $CNN_DATA, else the user's cache folder. For
    `folder`: the folder of the images."""
    preprocessing: PreprocessingKind | None = None
    """What is done to an image before the network reads it. `digit`: the ink is found on its background and
    normalized to 28x28 as MNIST's digits are. `photo`: the middle square of the whole image is scaled to
    `data.size`. Default: what the data set needs; `photo` for a folder."""
    download: bool = True
    """Download a published data set that is not in `root`. `false`, or CNN_OFFLINE=1 in the environment, never
    uses the network."""
    mirrors: Annotated[tuple[str, ...], Field(min_length=1)] = MNIST_MIRRORS
    """Web folders with the four files of MNIST, tried in this order."""
    fallback: Literal["none", "synthetic"] = "none"
    """What to use if a data set of digits is not available: nothing (an error), or the built-in digits (with a
    warning)."""
    validation: Count | None = None
    """Number of training images held out to choose the best epoch, in proportion to the classes. Default: one
    tenth, at most 5,000. With 0 the network learns from all images, and the last weights are kept."""
    channels: Literal[1, 3] = 1
    """Channels of the network's input. With 3, a gray image is repeated three times."""
    size: Annotated[int, Field(ge=8, le=MAX_SIDE, strict=True)] = 28
    """Height and width of the network's input, in pixels. Digits of 28x28 are padded with background if it is
    larger; photos are scaled."""
    mean: Shares | None = None
    """Mean of the pixels (0 = background, 1 = ink), which is subtracted; `[red, green, blue]` for color. Default:
    measured on the training images, per channel."""
    std: Scales | None = None
    """Standard deviation of the pixels, which the difference is divided by. Default: measured likewise."""
    augment: Augmentation = Augmentation()
    """Random changes of the training images."""
    outliers: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Outlier exposure (Hendrycks et al. 2019): images that are not digits (letters, signs, scribbles, patches),
    per training image; 0.5 adds half as many. The program draws them; the network learns to be unsure of them.
    For digits only."""
    touching: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Digits cut out of rows of touching digits, per training image; 0.3 adds three for every ten. The program
    composes the rows from training images; wrong pieces join the outliers, if there are any. For digits only."""
    synthetic: Synthetic = Synthetic()
    """How many built-in digits are drawn, and from which seed."""
    folder: Folder = Folder()
    """How a folder of images is read."""

    @model_validator(mode="after")
    def _folder_is_named(self) -> Self:
        if self.name == "folder" and self.root is None:
            raise ValueError("name is folder, so root must name the folder of the images")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        for key in ("mean", "std"):
            numbers = getattr(self, key)
            if numbers and len(numbers) not in (1, self.channels):
                raise ValueError(f"{key} has {len(numbers)} numbers, but channels is {self.channels}")
        return self


BlockName = Annotated[str, Field(pattern=NAME, max_length=50)]


class BlockDefinition(Section):
    """Layers under a name of one's own, which the network's layers may use like a layer.

    Used as `name`, or as `name: {a: 64, b: 128}` where it has parameters; the value of the only one that must
    be given may stand alone: `name: 64`. Where it has none, a definition may be the list of its layers alone.
    """

    parameters: tuple[str | dict[str, Any], ...] = ()
    """Names, or `name: value` for one with a default; the layers write `$name` where its value belongs."""
    layers: tuple[Any, ...]
    """Its layers; they may use other blocks."""


class Model(Section):
    """The network."""

    classes: Annotated[int, Field(ge=2, le=MAX_CHANNELS, strict=True)] | None = None
    """Logits that the network gives. Without it: one for each class of the data."""
    blocks: Annotated[dict[BlockName, BlockDefinition], Field(exclude=True)] = {}
    """Blocks of layers by name. Loading writes out what they stand for, so a checked config has none left."""

    layers: Annotated[tuple[Item, ...], Field(min_length=1)]
    """The layers from the image to one logit for each class."""


class Train(Section):
    """How the network learns."""

    epochs: Count = 12
    """Passes over the training set. Zero evaluates the untrained network."""
    batch_size: Positive = 128
    """Images in a step of the optimizer's arithmetic."""
    accumulate: Positive = 1
    """Batches whose gradients are averaged before the optimizer steps: a larger batch for the same memory."""
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """How gradients become steps."""
    lr: AboveZero = 1e-3
    """Learning rate: the peak of the schedule."""
    momentum: Fraction = 0.9
    """Share of the last step that `sgd` carries on."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay of the running means of `adam` and `adamw`: of the gradient and of its square."""
    weight_decay: Number = 0.0
    """Pull of the weights to zero; biases and normalization are left alone."""
    schedule: Literal["constant", "step", "cosine", "one_cycle"] = "one_cycle"
    """Learning rate over the run. `one_cycle` rises and falls by cosines (Smith & Topin 2017)."""
    warmup: Fraction = 0.2
    """Share of all steps in which the learning rate rises to `lr`."""
    step_epochs: Positive = 10
    """`step` alone: epochs from one drop of the learning rate to the next."""
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """`step` alone: what the learning rate is multiplied by at each drop."""
    label_smoothing: Fraction = 0.0
    """Share of the target's probability that is spread evenly over all classes."""
    clip_norm: Number = 0.0
    """Largest norm of the gradient; a longer one is shortened to it. Zero leaves it alone."""
    ema: Fraction = 0.0
    """Decay a step of the weights' moving average, which is what is evaluated and kept. Zero: no average."""
    patience: Count = 0
    """Epochs without a better validation before training stops early. Zero never stops."""
    device: Annotated[str, AfterValidator(_device)] = "auto"
    """Where to compute: `auto` (the best there is), `cpu`, `cuda`, `cuda:1`, `mps`."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the forward pass. `auto`: bfloat16 on a GPU that has it, else float32."""
    channels_last: bool = False
    """Keep the channels of a pixel side by side in memory; often quicker for wide convolutions."""
    threads: Count = 0
    """CPU threads. Zero: as many as there are cores."""
    deterministic: bool = False
    """Refuse operations that give other bits from run to run (CUDA). The CPU is deterministic without it."""

    @model_validator(mode="after")
    def _settings_are_used(self) -> Self:
        """A setting that the chosen optimizer or schedule ignores is a misunderstanding: say so."""
        for option, users, chooser in _USED_BY:
            chosen = getattr(self, chooser)
            changed = getattr(self, option) != type(self).model_fields[option].default
            if changed and chosen not in users:
                raise ValueError(f"{option} is a setting of {' and '.join(users)}, but {chooser} is {chosen}")
        return self


_USED_BY = (
    ("momentum", ("sgd",), "optimizer"),
    ("betas", ("adam", "adamw"), "optimizer"),
    ("step_epochs", ("step",), "schedule"),
    ("step_factor", ("step",), "schedule"),
)


class Output(Section):
    """What is written where."""

    folder: str = "checkpoints"
    """Folder that receives one folder a run, named after the config."""
    plot: bool = True
    """Draw the learning curve into the run's folder."""


class Config(Section):
    """A run: everything that decides its result."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "network"
    """Name of the network, and of the run's folder. Without it: the config's file name."""
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    """Seed of every random draw: weights, validation split, order, augmentation, dropout."""
    data: Data = Data()
    """What is learned from."""
    model: Model
    """The network."""
    train: Train = Train()
    """How the network learns."""
    output: Output = Output()
    """What is written where."""

    @model_validator(mode="after")
    def _patience_has_a_validation(self) -> Self:
        if self.train.patience and self.data.validation == 0 and self.data.name != "folder":
            raise ValueError("train.patience waits for a better validation, but data.validation is 0")
        return self


def settings_named(name: str) -> list[str]:
    """The dotted keys of all settings with that last name: `epochs` gives ["train.epochs"]."""
    sections: dict[str, type[Section]] = {"data": Data, "train": Train, "output": Output}
    own = [name] if name in Config.model_fields and name not in sections else []
    return own + [f"{section}.{name}" for section, fields in sections.items() if name in fields.model_fields]
