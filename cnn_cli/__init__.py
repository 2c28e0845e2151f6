"""cnn: train, evaluate and use convolutional networks that are described in YAML."""

from typing import TYPE_CHECKING, Any

from cnn_cli.errors import CnnError, ConfigError, DataError
from cnn_cli.version import __version__

if TYPE_CHECKING:
    from cnn_cli.api.images import ImageLike
    from cnn_cli.api.reader import ImageReader, load
    from cnn_cli.api.runs import evaluate, train
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.reading.text import Digit, ImageText, Line
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.records import EpochRecord
    from cnn_cli.training.run import RunResult

__all__ = [
    "CnnError",
    "ConfigError",
    "DataError",
    "Digit",
    "EpochRecord",
    "Evaluation",
    "ImageLike",
    "ImageReader",
    "ImageText",
    "Line",
    "Prediction",
    "RunResult",
    "__version__",
    "evaluate",
    "load",
    "train",
]

_MODULES = {
    **dict.fromkeys(("load", "ImageReader"), "cnn_cli.api.reader"),
    **dict.fromkeys(("train", "evaluate"), "cnn_cli.api.runs"),
    "ImageLike": "cnn_cli.api.images",
    "Prediction": "cnn_cli.reading.predict",
    **dict.fromkeys(("ImageText", "Line", "Digit"), "cnn_cli.reading.text"),
    "Evaluation": "cnn_cli.training.evaluation",
    "EpochRecord": "cnn_cli.training.records",
    "RunResult": "cnn_cli.training.run",
}
"""Where each name is that loads NumPy or PyTorch; it is imported when it is first used (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
