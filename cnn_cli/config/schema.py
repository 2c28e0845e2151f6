"""Every setting of a run, documented once: the command line, the JSON schema and the docs are made from here.

The config is frozen: what was checked is what runs and what the checkpoint stores.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cnn_cli.config import suggestions
from cnn_cli.config.augmentation import Augmentation
from cnn_cli.config.choices import DataName, PreprocessingKind
from cnn_cli.config.fields import MAX_SIDE, AboveZero, Device, Precision, Scales, Shares
from cnn_cli.config.network import Model
from cnn_cli.config.section import Count, Fraction, Number, Positive, Section
from cnn_cli.config.sources import Lines, Own, Synthetic

MAX_THREADS = 1024
"""Upper limit of CPU threads: more than any machine has cores, and torch crashes at some larger number."""

MNIST_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
"""Those of torchvision.datasets.MNIST, copied because torchvision takes a second to import."""


class Data(Section):
    """The data that the network learns from."""

    name: DataName = "auto"
    """The data set: a published one, your `own` data, the built-in `synthetic` digits, `lines` of digits that
    the program composes, or `auto`: `own` if `root` holds data of your own, else `mnist`."""
    root: str | None = None
    """Your own data: a folder, an archive, a table or a file of arrays. Of a published data set: the folder
    that holds it, or into which it is downloaded. Default: $CNN_DATA, else the user's cache folder."""
    preprocessing: PreprocessingKind | None = None
    """What is done to an image before it enters the network. `digit`: the ink is separated from its
    background and normalized to 28x28 pixels like the digits of MNIST. `photo`: the middle square of the
    image is scaled to `data.size`. `line`: a row of digits becomes a strip that is `data.size` high; for
    `lines` alone. Default: what suits the data set; `photo` for your own data."""
    download: bool = True
    """Download a published data set that is not in `root`. With `false`, or CNN_OFFLINE=1 in the environment,
    nothing is ever downloaded."""
    mirrors: Annotated[tuple[str, ...], Field(min_length=1)] = MNIST_MIRRORS
    """URLs of folders with the four files of MNIST, tried in this order."""
    fallback: Literal["none", "synthetic"] = "none"
    """What to use if a data set of digits is not available: `none` (an error), or the built-in `synthetic`
    digits (with a warning)."""
    validation: Count | None = None
    """Number of training images held out to choose the best epoch, in proportion to the classes. Default: one
    tenth, at most 5,000. With 0, all images are used for training, and the last weights are kept."""
    channels: Literal[1, 3] = 1
    """Channels of the network's input. With 3, a gray image is repeated three times."""
    size: Annotated[int, Field(ge=8, le=MAX_SIDE, strict=True)] = 28
    """Height and width of the network's input, in pixels. Digits of 28x28 pixels are padded with background
    to a larger size; photos are scaled."""
    mean: Shares | None = None
    """Mean of the pixels (0 = background, 1 = ink), which is subtracted from them; `[red, green, blue]` for
    color. Default: measured on the training images, per channel."""
    std: Scales | None = None
    """Standard deviation of the pixels, by which the difference is divided. Default: measured likewise."""
    balance: bool = False
    """Draw every class equally often. An epoch keeps its number of images: small classes repeat images,
    large classes leave images out, others in each epoch."""
    augment: Augmentation = Augmentation()
    """Random changes of the training images."""
    outliers: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Outlier exposure (Hendrycks et al. 2019): number of images that are not digits (letters, signs,
    scribbles, patches) per training image; 0.5 adds half as many. The program draws them, and the network
    learns to be unsure about them. For digits only."""
    drawn: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Number of digits that the program draws in other styles, per training image: other hands (the 1 with
    flag and foot, the crossed 7), print, pixel fonts, displays. For digits only."""
    proposed: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Number of digits, per training image, that are put into images (tight, small, noisy, light on dark) and
    found there again; with `outliers`, wrong hypotheses about these images, and what is found in images
    without a digit, are added to them. For digits only."""
    synthetic: Synthetic = Synthetic()
    """Number and seed of the built-in digits."""
    own: Own = Own()
    """How your own data is read."""
    lines: Lines = Lines()
    """Number and width of the composed lines, and what they are made of."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one input of the network."""
        return self.channels, self.size, self.width or self.size

    @property
    def width(self) -> int | None:
        """Width of the network's input in pixels; None if it is as wide as high."""
        return self.lines.width if self.name == "lines" else None

    @model_validator(mode="after")
    def _own_data_is_named(self) -> Self:
        if self.name == "own" and self.root is None:
            raise ValueError("name is own, so root must name the folder or file of your data")
        return self

    @property
    def may_be_own(self) -> bool:
        """Whether it may be your own data, which can have its own validation images."""
        return self.name == "own" or (self.name == "auto" and self.root is not None)

    @model_validator(mode="after")
    def _lines_are_strips(self) -> Self:
        if self.name != "lines" and self.preprocessing == "line":
            raise ValueError(f"preprocessing is line, but {self.name} holds no lines")
        if self.name == "lines" and self.preprocessing not in (None, "line"):
            raise ValueError(f"preprocessing is {self.preprocessing}, but lines need line")
        if self.name == "lines" and (self.channels != 1 or self.augment.mixup):
            raise ValueError("lines have one channel and no augment.mixup")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        for key in ("mean", "std"):
            numbers = getattr(self, key)
            if numbers and len(numbers) not in (1, self.channels):
                raise ValueError(f"{key} has {len(numbers)} numbers, but channels is {self.channels}")
        return self


class Train(Section):
    """How the network is trained."""

    epochs: Count = 12
    """Number of passes over the training set. Zero evaluates the untrained network."""
    batch_size: Positive = 128
    """Number of images in a batch."""
    accumulate: Positive = 1
    """Number of batches whose gradients are averaged for one step: a larger batch with the same memory."""
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = "adamw"
    """Optimizer: `sgd` with momentum, `adam`, `adamw` with decoupled weight decay, or `muon` (Jordan et al.
    2024): for kernels and weight matrices steps that are equally long in all directions, for the rest those
    of `adamw`."""
    lr: AboveZero = 1e-3
    """Learning rate: the maximum of the schedule."""
    momentum: Fraction = 0.9
    """Momentum of `sgd`: the share of the last step that is added to the next one."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay of the moving averages of `adam`, `adamw` and `muon`: of the gradient and of its square."""
    weight_decay: Number = 0.0
    """Weight decay, for all weights but biases and normalization."""
    schedule: Literal["constant", "step", "cosine", "one_cycle"] = "one_cycle"
    """Schedule of the learning rate: `constant`, `step` (drops every `step_epochs`), `cosine` (falls to zero
    along a cosine) or `one_cycle` (rises and falls along cosines, Smith & Topin 2017)."""
    warmup: Fraction = 0.2
    """Share of all steps during which the learning rate rises to `lr`."""
    restarts: tuple[Positive, ...] = ()
    """For `cosine` and `one_cycle` only: epochs after which the schedule begins again (warm restarts,
    Loshchilov & Hutter 2017). A run that is resumed with more epochs has one where it would have ended."""
    step_epochs: Positive = 10
    """For `step` only: epochs from one drop of the learning rate to the next."""
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """For `step` only: factor of the learning rate at each drop."""
    label_smoothing: Fraction = 0.0
    """Share of the target probability that is spread evenly over all classes (Szegedy et al. 2015)."""
    class_weights: Literal["none", "balanced"] = "none"
    """Factor of the loss of an image by its class: `none`, or `balanced`, n / (k n_c) for a class with n_c of
    the n images of k classes."""
    clip_norm: Number = 0.0
    """Maximum norm of the gradient; a larger gradient is scaled down to it. Zero: no limit."""
    ema: Fraction = 0.0
    """Decay per step of the exponential moving average of the weights, which is evaluated and kept. Zero: no
    average."""
    patience: Count = 0
    """Number of epochs without a better validation after which training stops early. Zero: never."""
    start: Annotated[str, Field(min_length=1)] | None = None
    """Trained weights to start from: a checkpoint file, a run's folder, or the name of a network that ships.
    Its network, preprocessing and augmentation are the base of this config. Default: random weights."""
    freeze: tuple[str, ...] = ()
    """Layers that keep the weights of `start`, by the names of `cnn summary`: `[part1, part2.unit1]`. They
    compute as in an evaluation: no dropout, and the statistics of their batch normalization stay."""
    device: Device = "auto"
    """Device: `auto` (the best one), `cpu`, `cuda` or `gpu`, `cuda:1` or `1` (a GPU by number), `mps`."""
    precision: Precision = "auto"
    """Number format of the forward pass: `float32` (or `fp32`, `float`), `bfloat16` (or `bf16`), or `auto`:
    bfloat16 on a GPU that supports it, else float32."""
    channels_last: bool = False
    """Store the channels of a pixel next to each other in memory: often faster for wide convolutions."""
    threads: Annotated[int, Field(ge=0, le=MAX_THREADS, strict=True)] = 0
    """Number of CPU threads. Zero: one per core."""
    graph: bool = False
    """On CUDA, record a step once and replay it (a CUDA graph): faster for small networks, whose kernels take
    less time than Python takes to start them. Elsewhere it changes nothing."""
    deterministic: bool = False
    """Refuse operations whose result differs from run to run (CUDA). The CPU is deterministic in any case."""

    @model_validator(mode="after")
    def _settings_are_used(self) -> Self:
        """Refuse a setting that the chosen optimizer or schedule ignores, because it would have no effect."""
        for option, users, chooser in _USED_BY:
            chosen = getattr(self, chooser)
            changed = getattr(self, option) != type(self).model_fields[option].default
            if changed and chosen not in users:
                raise ValueError(f"{option} is a setting of {' and '.join(users)}, but {chooser} is {chosen}")
        if self.graph and self.accumulate > 1:
            raise ValueError("graph records steps of one batch, but accumulate is more than 1")
        if self.freeze and self.start is None:
            raise ValueError("freeze keeps the weights of `start`, which is not set")
        return self

    @model_validator(mode="after")
    def _restarts_lie_within(self) -> Self:
        if any(after <= before for before, after in pairwise((*self.restarts, self.epochs))):
            raise ValueError(
                f"restarts must rise, and stay below the {self.epochs} epochs (one cycle: train.restarts=[])"
            )
        return self


_USED_BY = (
    ("momentum", ("sgd",), "optimizer"),
    ("betas", ("adam", "adamw", "muon"), "optimizer"),
    ("step_epochs", ("step",), "schedule"),
    ("step_factor", ("step",), "schedule"),
    ("restarts", ("cosine", "one_cycle"), "schedule"),
)


class Output(Section):
    """The files that a run writes."""

    folder: str = "checkpoints"
    """Folder in which every run gets a folder of its own, named after the config."""
    plot: bool = True
    """Draw the learning curve into the folder of the run."""


class Config(Section):
    """Everything that decides the result of a run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "network"
    """Name of the network, and of the folder of the run. Default: the name of the config file."""
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    """Seed of all random numbers: weights, validation split, order of the images, augmentation, dropout."""
    data: Data = Data()
    """The data."""
    model: Model
    """The network."""
    train: Train = Train()
    """Training."""
    output: Output = Output()
    """The files that are written."""

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.train.patience and self.data.validation == 0 and not self.data.may_be_own:
            raise ValueError("train.patience waits for a better validation, but data.validation is 0")
        if self.data.balance and self.train.class_weights != "none":
            raise ValueError("data.balance and train.class_weights both even out the classes: choose one")
        return self

    @model_validator(mode="after")
    def _recorded_steps_are_alike(self) -> Self:
        if self.train.graph and self.data.augment.mixup:
            raise ValueError("train.graph records a step without mixup, but data.augment.mixup is not 0")
        return self

    @model_validator(mode="after")
    def _lines_have_texts(self) -> Self:
        if self.data.name == "lines":
            train = self.train
            for name, is_set in (
                ("train.label_smoothing", train.label_smoothing),
                ("train.class_weights", train.class_weights != "none"),
                ("data.balance", self.data.balance),
            ):
                if is_set:
                    raise ValueError(f"{name} is about the class of an image, and a line has a text")
            if train.graph:
                raise ValueError("train.graph records a step, and the loss of lines computes on the CPU too")
        return self


def settings_named(name: str) -> list[str]:
    """Return the dotted keys of the settings of that name, here or in other trainers.

    Both `epochs` and `max_epochs` give ["train.epochs"].
    """
    return suggestions.settings_named(Config, name)
