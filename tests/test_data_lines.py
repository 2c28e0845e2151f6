"""Composed lines: the same for the same seed, with texts of what stands on them, from separate digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import lines
from helpers.cli import cnn

from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Data
from cnn_cli.config.sources import Lines
from cnn_cli.data.lines import characters
from cnn_cli.data.lines import compose as compose_module
from cnn_cli.data.lines.blocks import CLASSES, LONGEST, compose_lines
from cnn_cli.data.lines.characters import SIGNS, Typeface, cabinet
from cnn_cli.data.lines.clutter import cluttered, photographed
from cnn_cli.data.lines.compose import compose
from cnn_cli.data.lines.source import HELD_OUT, open_lines, training_digits
from cnn_cli.data.source import DIGITS, LabeledImages, Source
from cnn_cli.errors import ExitCode
from cnn_cli.training.datasets import split_images

SHAPE = (32, 96)


def blocks_of_ink() -> tuple[np.ndarray, np.ndarray]:
    """Return solid squares as digits 0 to 9, in MNIST's format: what a line shows is easy to count."""
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 4:24, 7:21] = 255
    return images, np.arange(20) % 10


def known() -> tuple:
    digits, labels = blocks_of_ink()
    return cabinet(digits, labels, digits, labels, 3), np.random.default_rng(5)


def test_the_same_seed_composes_the_same_lines() -> None:
    first, again, other = (compose_lines(*blocks_of_ink(), 12, seed, SHAPE) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_texts_end_at_the_first_blank_and_hold_classes() -> None:
    strips, texts = compose_lines(*blocks_of_ink(), 40, 4, SHAPE)
    assert strips.shape == (40, *SHAPE)
    assert strips.dtype == np.uint8
    assert texts.shape == (40, LONGEST)
    assert texts.min() >= -1
    assert texts.max() < len(CLASSES)
    assert ((texts >= 0).cumprod(axis=1) == (texts >= 0)).all()
    lengths = (texts >= 0).sum(axis=1)
    assert lengths.min() == 0  # a line without digits
    assert lengths.max() >= 5


def test_a_line_shows_as_many_blocks_as_its_text_has_digits() -> None:
    """Where all characters stand apart, the runs of inked columns are the digits."""
    box, rng = known()
    checked = 0
    for _ in range(90):
        ink, text = compose(box, (32, 240), rng)
        inked = np.flatnonzero(ink.max(axis=0) > 0.2)
        runs = len(np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1)) if len(inked) else 0
        widths = len(inked) / max(1, runs)
        if text.isdigit() and widths < 22 and ink.max() > 0.5:  # no two of them touch
            checked += runs == len(text)
    assert checked >= 10


def test_clutter_and_the_camera_leave_ink_between_0_and_1() -> None:
    box, rng = known()
    for _ in range(40):
        ink, _ = compose(box, SHAPE, rng)
        strip = photographed(cluttered(ink, box, rng), rng)
        assert strip.shape == SHAPE
        assert 0 <= strip.min() <= strip.max() <= 1


def test_a_typeface_draws_all_digits_alike() -> None:
    face = Typeface("segments", 7)
    heights = {face.digit(label).ink.shape[0] for label in "0235689"}
    assert max(heights) - min(heights) <= 2
    assert face.digit("1").ink.shape[1] < face.digit("8").ink.shape[1]
    assert face.sign("-", np.random.default_rng(1)).text == "-"


def test_the_corners_of_a_digit_move(monkeypatch) -> None:
    """Each time the same square has another shape, of about its size; without the change it is itself."""
    box, rng = known()
    pieces = [box.digit("3", rng, drawn=False) for _ in range(100)]
    assert len({piece.ink.tobytes() for piece in pieces}) == len(pieces)
    areas = np.array([(piece.ink > 127).sum() * piece.scale**2 for piece in pieces])
    assert np.median(areas) == pytest.approx(14 / 20, abs=0.1)
    assert 0.03 < areas.std() < 0.2
    monkeypatch.setattr(characters, "CORNERS", 0.0)
    still = box.digit("3", rng, drawn=False)
    extent = np.array(still.ink.shape)  # without what bicubic resampling rings around it
    assert tuple(extent * still.scale) == pytest.approx((1, 14 / 20))


def test_a_line_has_pale_and_dark_characters(monkeypatch) -> None:
    """A pencil is pressed unevenly: the palest of a line may have half of the ink of the darkest."""
    box, rng = known()
    monkeypatch.setattr(compose_module, "FADING", 0.0)
    shares = []
    for _ in range(90):
        ink, _text = compose(box, (32, 240), rng)
        inked = np.flatnonzero(ink.max(axis=0) > 0.2)
        runs = np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1) if len(inked) else []
        tones = [float(ink[:, run].max()) for run in runs if len(run) > 8]
        shares += [min(tones) / max(tones)] if tones else []
    assert 0.35 < min(shares) < 0.6


def test_strokes_fade_in_parts(monkeypatch) -> None:
    """Within squares of full ink, tones vary where strokes fade; elsewhere only their edges are pale."""
    box, rng = known()
    monkeypatch.setattr(compose_module, "STYLES", {"data": 1.0})
    pale = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(compose_module, "FADING", share)
        inks = [compose(box, (32, 240), rng)[0] for _ in range(30)]
        inked = [ink[ink > 0.1] / ink.max() for ink in inks if ink.max() > 0]
        pale.append(np.median([(tones < 0.6 * np.quantile(tones, 0.9)).mean() for tones in inked]))
    assert pale[0] < 0.35
    assert pale[1] > pale[0] + 0.2


def test_full_strips_have_more_digits(monkeypatch) -> None:
    """With every line going on, twelve digits or more fit where a line of three was written."""
    box, rng = known()
    monkeypatch.setattr(compose_module, "WITH_SIGNS", 0.0)
    monkeypatch.setattr(compose_module, "WITH_LETTERS", 0.0)
    monkeypatch.setattr(compose_module, "WITHOUT_DIGITS", 0.0)
    lengths = []
    for full in (0.0, 1.0):
        monkeypatch.setattr(compose_module, "FULL", full)
        lengths.append([len(compose(box, (32, 600), rng)[1]) for _ in range(60)])
    assert max(lengths[0]) == compose_module.DIGITS_PER_LINE[1]
    assert min(lengths[0]) == compose_module.DIGITS_PER_LINE[0]
    assert np.mean(np.array(lengths[1]) == compose_module.MOST) > 0.7  # wide gaps fill the strip


def test_the_two_networks_that_ship_have_the_same_validation_digits() -> None:
    """The second reading is measured with digits that neither of the two has seen."""
    images = torch.zeros(600, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(600) // 250, torch.arange(600) % 250
    labeled = LabeledImages(images, torch.arange(600) % 10)
    source = Source("mnist", "mnist", DIGITS, lambda: labeled, lambda: labeled)
    config = load_config("reader").config
    few = config.model_copy(update={"data": config.data.model_copy(update={"validation": 60})})
    of_reader, of_lines = split_images(few, source)[1], training_digits(source)[1]
    assert torch.equal(of_reader.take(slice(None)), of_lines.take(slice(None)))
    assert config.data.validation == HELD_OUT


def test_the_parts_of_a_source_are_made_of_separate_digits() -> None:
    def digits() -> LabeledImages:
        return LabeledImages(torch.zeros(100, 1, 28, 28, dtype=torch.uint8), torch.arange(100) % 10)

    source = Source("mnist", "mnist", DIGITS, digits, digits)
    data = Data(name="lines", size=32, lines=lines.config().data.lines)
    opened = open_lines(data, source)
    assert (opened.name, opened.requested, opened.preprocessing) == ("lines", "lines", "line")
    assert opened.classes == (*DIGITS, *SIGNS)
    train, validation = training_digits(source)
    assert (len(train), len(validation)) == (90, 10)


def test_fewer_lines_of_each_part() -> None:
    fewer = Lines(train=500, validation=20, width=64).of_each(100)
    assert (fewer.train, fewer.validation, fewer.test, fewer.width) == (100, 20, 100, 64)


def test_a_fallback_is_told_by_the_name() -> None:
    images = LabeledImages(torch.zeros(10, 1, 28, 28, dtype=torch.uint8), torch.arange(10))
    source = Source("synthetic", "mnist", DIGITS, lambda: images, lambda: images)
    opened = open_lines(Data(name="lines", size=32), source)
    assert opened.is_fallback
    assert opened.name == "lines of synthetic digits"


def test_commands_about_data_do_not_compose_all_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    counts = []

    def counted(pixels, labels, count, seed, size):
        counts.append(count)
        return compose_lines(pixels, labels, count, seed, size)

    monkeypatch.setattr("cnn_cli.data.lines.source.compose_lines", counted)
    settings = ["data.lines.digits=synthetic", "data.synthetic.train=100", "data.synthetic.test=20"]
    assert cnn("data", "show", "lines", *settings, "--count", 12).code == ExitCode.OK
    assert counts == [12]
    assert "train  100 images" in cnn("data", "check", "lines", *settings).out
    assert cnn("data", "get", "lines", *settings).err.startswith("synthetic: 100 train")
    assert counts == [12]
