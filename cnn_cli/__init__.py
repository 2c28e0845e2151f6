"""cnn: train, evaluate and use convolutional networks that are described in YAML."""

from typing import TYPE_CHECKING

from cnn_cli.version import __version__

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

if TYPE_CHECKING:
    from cnn_cli.api.images import ImageLike
    from cnn_cli.api.reader import ImageReader, load
    from cnn_cli.api.runs import evaluate, train
    from cnn_cli.errors import CnnError, ConfigError, DataError
    from cnn_cli.reading.image_text import Digit, ImageText, Line
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.records import EpochRecord
    from cnn_cli.training.run import RunResult
else:  # a type checker that saw this would accept every name
    _MODULES = {
        "ImageLike": "api.images",
        **dict.fromkeys(("load", "ImageReader"), "api.reader"),
        **dict.fromkeys(("train", "evaluate"), "api.runs"),
        **dict.fromkeys(("CnnError", "ConfigError", "DataError"), "errors"),
        "Prediction": "reading.predict",
        **dict.fromkeys(("Digit", "ImageText", "Line"), "reading.image_text"),
        "Evaluation": "training.evaluation",
        "EpochRecord": "training.records",
        "RunResult": "training.run",
    }

    def __getattr__(name):
        """Import a name when it is first used (PEP 562): the import of the package loads nothing."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
