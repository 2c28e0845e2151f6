"""Digits that the image code proposes for composed images, and wrong hypotheses."""

import numpy as np
import pytest

from cnn_cli.data import proposed, scenes, synthetic
from cnn_cli.data.disturb import Tones
from cnn_cli.data.outliers.drawing import draw
from cnn_cli.data.proposed import Proposals, propose, propose_outliers
from cnn_cli.data.scenes import Scene
from cnn_cli.image.hypotheses import TURNS, Kind, all_hypotheses


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return synthetic.draw(300, 4)


@pytest.fixture(scope="module")
def made(digits) -> Proposals:
    return propose(*digits, 80, 3)


def test_their_number_and_format(made) -> None:
    assert made.digits.shape == (80, 28, 28)
    assert made.which.shape == (80,)
    assert 40 < len(made.wrong) <= 240
    assert made.digits.dtype == made.wrong.dtype == np.uint8
    assert (made.digits.max(axis=(1, 2)) > 60).all()


def test_an_image_depends_only_on_its_number_and_the_seed(digits, made) -> None:
    fewer, other = propose(*digits, 30, 3), propose(*digits, 30, 4)
    assert np.array_equal(fewer.digits, made.digits[:30])
    assert np.array_equal(fewer.which, made.which[:30])
    assert np.array_equal(fewer.wrong, made.wrong[: len(fewer.wrong)])
    assert not np.array_equal(other.digits, fewer.digits)


def test_blocks_and_workers_do_not_matter(digits, made, monkeypatch) -> None:
    monkeypatch.setattr(proposed, "BLOCK", 17)
    monkeypatch.setattr(proposed, "map_ordered", lambda function, jobs: (function(job) for job in jobs))
    again = propose(*digits, 80, 3)
    assert np.array_equal(again.digits, made.digits)
    assert np.array_equal(again.which, made.which)
    assert np.array_equal(again.wrong, made.wrong)


def test_blank_digits_are_passed_over() -> None:
    blank = np.zeros((5, 28, 28), np.uint8)
    nothing = propose(blank, np.zeros(5, np.uint8), 10, 1)
    assert nothing.digits.shape == nothing.wrong.shape == (0, 28, 28)


def test_most_right_hypotheses_resemble_their_digit_more_than_any_other_digit(digits, made) -> None:
    images = digits[0].reshape(300, -1).astype(float)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    each = made.digits.reshape(80, -1).astype(float)
    each /= np.linalg.norm(each, axis=1, keepdims=True)
    similarity = each @ images.T
    nearest = digits[1][similarity.argmax(axis=1)]
    assert (nearest == digits[1][made.which]).mean() > 0.6  # many are disturbed, small or stretched
    assert np.median(similarity[np.arange(80), made.which]) > 0.6


def test_the_background_as_ink_is_never_right(digits) -> None:
    """For plain images: dark ink is never read as light, and a found digit is right."""
    for number in range(40):
        rng = np.random.default_rng(number)
        ink = scenes._on_canvas(digits[0][number], rng)
        background = 255.0 * (number % 2)
        tones = Tones(background, 255 - background)
        gray = (background + (tones.ink - background) * ink).astype(np.float32)
        scene = Scene(gray, ink, tones)
        hypotheses = list(all_hypotheses(gray))
        assert hypotheses[0].kind == Kind.FOUND
        for each in hypotheses:
            if each.kind in TURNS:
                continue
            verdict = proposed._verdict(each, scene)
            light_kind = each.kind in (Kind.WHOLE_LIGHT, Kind.AS_IS)
            if each.kind == Kind.FOUND:
                assert verdict
            elif each.kind != Kind.WITH_MARGIN and light_kind != (background == 0):
                assert verdict is False


@pytest.mark.parametrize(
    ("kind", "label", "expected"),
    [
        (Kind.TURNED_180, 4, False),
        (Kind.TURNED_180, 6, None),  # a 9
        (Kind.TURNED_180, 8, None),
        (Kind.TURNED_90, 7, False),
        (Kind.TURNED_90, 0, None),
    ],
)
def test_turned_digits_that_are_no_digits(kind, label, expected) -> None:
    hypothesis = type("Turned", (), {"kind": kind})()
    assert proposed._turned(hypothesis, label) is expected


def test_hypotheses_about_images_without_a_digit() -> None:
    drawings = draw(60, 1)
    made = propose_outliers(drawings, 60, 2)
    assert made.shape == (60, 28, 28)
    assert made.dtype == np.uint8
    assert np.array_equal(made[:20], propose_outliers(drawings, 20, 2))
    assert not np.array_equal(made[:20], propose_outliers(drawings, 20, 3))
    assert propose_outliers(drawings[:0], 20, 2).shape == (0, 28, 28)


@pytest.mark.parametrize("without", [0, 1])
def test_they_are_what_the_image_code_proposes_upright(without, monkeypatch) -> None:
    """A drawing or a view is composed, and one of all upright hypotheses about it is returned."""
    monkeypatch.setattr(proposed, "WITHOUT_DRAWING", without)
    drawings, kinds = draw(40, 1), set()
    for number, image in enumerate(propose_outliers(drawings, 40, 2)):
        rng = np.random.default_rng([2, number])
        rng.random()  # whether it is a view
        scene = scenes.compose_view(rng) if without else scenes.compose(drawings[number], rng)
        equal = [each.kind for each in all_hypotheses(scene.gray) if np.array_equal(each.digit.pixels, image)]
        assert equal[0] not in TURNS
        kinds.update(equal)
    assert {Kind.FOUND, Kind.WHOLE_DARK, Kind.WHOLE_LIGHT} <= kinds


def test_views_have_the_spectrum_of_photos(monkeypatch) -> None:
    """The amplitude falls with the frequency to the power that was asked for; sides are never narrow."""
    monkeypatch.setattr(scenes, "DISTURBANCES", [lambda gray, tones, rng: gray])
    monkeypatch.setattr(scenes, "HEIGHTS", (200, 201))
    for fall in (0.7, 1.5):
        monkeypatch.setattr(scenes, "FALL", (fall, fall))
        slopes = []
        for seed in range(12):
            gray = scenes.compose_view(np.random.default_rng(seed)).gray
            assert 0.69 <= gray.shape[1] / gray.shape[0] <= 1.61
            window = np.hanning(len(gray))[:, None] * np.hanning(gray.shape[1])
            amplitude = np.abs(np.fft.rfft2((gray - gray.mean()) * window))
            frequency = np.hypot(np.fft.fftfreq(len(gray))[:, None], np.fft.rfftfreq(gray.shape[1]))
            middle = (frequency > 0.02) & (frequency < 0.15)
            slopes.append(np.polyfit(np.log(frequency[middle]), np.log(amplitude[middle] + 1e-9), 1)[0])
        assert np.mean(slopes) == pytest.approx(-fall, abs=0.15)
