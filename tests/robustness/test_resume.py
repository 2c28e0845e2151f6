"""Runs that are stopped again and again, by signals and kills at random steps, end with the same bytes."""

import random
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from robustness.fuzz import generator
from robustness.runs import figures, leftovers, weights, write_config
from robustness.server import Server
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(1800)]

CONFIG = """\
name: small
data: {name: synthetic, validation: 60, synthetic: {train: 460, test: 100}}
model:
  layers:
    - conv: {out: 6, kernel: 5, stride: 2}
    - norm: batch
    - relu
    - auxiliary: {layers: [global_pool: avg, flatten, linear: classes], weight: 0.3}
    - residual: [conv: {out: 6, kernel: 3, padding: same}, norm: batch]
    - flatten
    - dropout: 0.3
    - linear: classes
train: {epochs: 6, batch_size: 24, threads: 1, lr: 0.003}
output: {plot: false}
"""
AUGMENT = (
    "data.augment={rotate: 12, scale: 0.1, shear: 0.2, translate: 2, elastic: 20, thickness: 0.5, "
    "blur: 0.5, noise: 0.1, cutout: 6, mixup: 0.3}"
)
SETTINGS = {
    "plain": (),
    "augmentation": (AUGMENT,),
    "averages": ("train.ema=0.9", "train.accumulate=3", "train.clip_norm=1", "train.label_smoothing=0.1"),
    "outliers": ("data.outliers=0.5", AUGMENT),
    "drawn": ("data.drawn=0.3", "data.outliers=0.3"),
    "patience": ("train.patience=2", "train.epochs=20", "train.lr=0.02"),
    "sgd": (
        *("train.optimizer=sgd", "train.schedule=step", "train.step_epochs=3", "train.lr=0.1"),
        "train.weight_decay=0.01",
    ),
    "bfloat16": ("train.precision=bfloat16", "train.channels_last=true"),
    "no validation": ("data.validation=0", "train.ema=0.8"),
    "folder": ("data.name=own", "data.channels=3", "data.size=32", "data.validation=12", AUGMENT),
    "two threads": ("train.threads=2", AUGMENT),
    "deterministic": ("train.deterministic=true", "train.schedule=cosine"),
}
"""Settings that keep something from step to step."""

STOP = """
import os
import cnn_cli.training.loop as loop
real, count = loop.TrainingLoop._take_step, 0
def counted(self, *arguments):
    global count
    count += 1
    if count == {step}:
        os.kill(os.getpid(), {number})
    return real(self, *arguments)
loop.TrainingLoop._take_step = counted
"""
"""Python that sends a signal to its own process before a step."""

STOPS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
"""A signal -> the exit code that it causes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three classes of colored shapes."""
    folder, draws = tmp_path_factory.mktemp("images"), generator("shapes")
    for name in ("line", "ellipse", "rectangle"):
        (folder / name).mkdir()
        for number in range(40):
            image = Image.new("RGB", (50, 40), (250, 240, 230))
            left, red = draws.randint(5, 20), draws.randint(0, 90)
            draw = ImageDraw.Draw(image)
            getattr(draw, name)((left, 8, left + 20, 34), fill=(red, 10, 60))
            image.save(folder / name / f"{number}.png")
    return folder


def test_a_resumed_run_ends_with_the_same_bytes(
    trials: Trials, server: Server, images: Path, tmp_path: Path
) -> None:
    """A run that is stopped and resumed, however often, ends with the same bytes as one that is not."""
    train, draws = write_config(tmp_path, CONFIG), generator("stops")
    for name, settings in SETTINGS.items():
        if name == "folder":
            settings = (*settings, f"data.root={images}")
        reference, run = tmp_path / f"{name}-reference", tmp_path / "run"
        server.run(*train, *settings, "--out", reference).check(0)
        stops = 0
        while stops < scaled(18):
            shutil.rmtree(run, ignore_errors=True)
            stops += _stop_until_the_end(trials, server, draws, run, (*train, *settings, "--out", run), name)
            with trials.trial(f"{name}: after {stops} stops"):
                assert weights(run) == weights(reference), "other weights"
                assert figures(run) == figures(reference), "other figures"
                assert not leftovers(run)


def _stop_until_the_end(
    trials: Trials, server: Server, draws: random.Random, run: Path, start: tuple[object, ...], name: str
) -> int:
    """Start a run, stop it and resume it until it ends. Return the number of stops."""
    for stops in range(100):
        number, step = draws.choice(list(STOPS)), draws.randint(1, 40)
        resumes = (run / "state.safetensors").exists()
        if not resumes:
            shutil.rmtree(run, ignore_errors=True)
        command = ("train", "--resume", run) if resumes else start
        ended = server.run(*command, before=STOP.format(step=step, number=int(number)))
        with trials.trial(f"{name}: {number.name} before step {step}"):
            ended.check(0, STOPS[number])
        if ended.code == 0 or ended.code not in STOPS.values():
            return stops
    raise AssertionError("a run of 100 stops")
