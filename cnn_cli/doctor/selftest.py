"""The self test: read ten digits that the program draws, and train for one step."""

import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.doctor.result import REINSTALL, CheckResult
from cnn_cli.errors import CnnError
from cnn_cli.reading.predict import Prediction, predict
from cnn_cli.reading.reader import open_reader
from cnn_cli.reading.sources import ImageSource

ENLARGEMENT = 4
"""Pixels of the drawn image for each of the 28x28: an image as people have them."""

MIN_RIGHT = 9
"""Of ten digits. A working installation reads all of these ten; one is left to the rounding of processors."""

STEP = (
    *("data.name=synthetic", "data.synthetic.train=72", "data.synthetic.test=10", "data.validation=8"),
    *("train.epochs=1", "train.batch_size=64", "output.plot=false"),
)
"""Settings that make a run of one step."""


def read_digits() -> CheckResult:
    """Read ten drawn digits with the network that ships."""
    from cnn_cli.data.synthetic import draw  # NumPy only: an installation without torch has it too

    started = time.perf_counter()
    images, labels = draw(10, seed=5)
    sources = [
        ImageSource(f"digit {label}", _png(image)) for image, label in zip(images, labels, strict=True)
    ]
    try:
        answers = list(predict(open_reader([shipped()]), sources))
    except CnnError as error:
        return CheckResult("reading", "problem", error.message, error.hint or REINSTALL)
    right = sum(
        isinstance(answer, Prediction) and answer.label == str(label)
        for answer, label in zip(answers, labels, strict=True)
    )
    what = f"{right} of 10 drawn digits are read right, in {time.perf_counter() - started:.1f} s"
    if right < MIN_RIGHT:
        return CheckResult("reading", "problem", what, REINSTALL)
    return CheckResult("reading", "ok", what)


def train_step() -> CheckResult:
    """Train `lenet` for one step on drawn digits, and read its checkpoint."""
    from cnn_cli.config.load import load_config
    from cnn_cli.resources import packaged
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.start import open_run

    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = [*STEP, f"data.root={folder}"]
            config = load_config(str(packaged("configs") / "lenet.yaml"), settings).config
            compute = compute_for(config.train)
            with compute.processes.joined():
                run = open_run(config, compute)
                result = run.execute(RunFolder(Path(folder)), lambda _: None, lambda: None)
            file.read(result.checkpoint)
    except CnnError as error:
        return CheckResult("training", "problem", error.message, error.hint)
    except OSError as error:
        what = f"{error.filename or tempfile.gettempdir()}: {error.strerror}"
        return CheckResult("training", "problem", what, "name another folder: TMPDIR=FOLDER")
    loss, seconds = result.history[0].train_loss, time.perf_counter() - started
    what = f"one step of lenet on {compute.describe()}: loss {loss:.2f}, in {seconds:.1f} s"
    return CheckResult("training", "ok", what)


def _png(pixels: np.ndarray) -> bytes:
    """Return an image uint8 [H, W] as a PNG, enlarged."""
    content = io.BytesIO()
    Image.fromarray(pixels.repeat(ENLARGEMENT, 0).repeat(ENLARGEMENT, 1)).save(content, "PNG")
    return content.getvalue()
