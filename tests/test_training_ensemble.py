"""Several networks, or several views of an image, that answer together."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.cli import cnn
from scipy import ndimage

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import DataError, ExitCode
from cnn_cli.model.build import initialize
from cnn_cli.reading.predict import ImageSource, predict
from cnn_cli.training import build
from cnn_cli.training import ensemble as ensemble
from cnn_cli.training.ensemble import SHIFT, TURN, members, together, view_matrices
from cnn_cli.training.evaluation import evaluate, logits_of

pytestmark = pytest.mark.usefixtures("one_thread")


def member(seed: int, **changes) -> Checkpoint:
    """A network of its own, with a mean, a deviation and a temperature of its own."""
    config = tiny.config().model_copy(update={"seed": 3})
    network = build.network(config, 3)
    initialize(network, seed)
    seen = Preprocessing(28, (0.1 * seed,), (0.3 + 0.1 * seed,))
    options = {"path": Path(f"{seed}.safetensors"), "temperature": 1 + 0.5 * seed} | changes
    return Checkpoint(network.state_dict(), config, tiny.CLASSES, "tiny", seen, **options)


def probabilities(found: Checkpoint, images) -> np.ndarray:
    """As one alone answers, by hand."""
    return answer(found, images.store / 255)


def answer(found: Checkpoint, pixels: torch.Tensor) -> np.ndarray:
    (mean,), (std,) = found.preprocessing.mean, found.preprocessing.std
    with torch.no_grad():
        logits = found.network()((pixels - mean) / std).double().numpy()
    powers = np.exp(logits / found.temperature)
    return powers / powers.sum(1, keepdims=True)


# ---- several networks


def test_the_answer_is_the_mean_of_the_probabilities():
    three, images = [member(seed) for seed in (0, 1, 2)], tiny.source().test()
    expected = np.mean([probabilities(one, images) for one in three], axis=0)
    found = evaluate(together(three), tiny.source(), "test", tiny.CPU)
    np.testing.assert_allclose(found.probabilities.numpy(), expected, atol=1e-6)
    right = expected.argmax(1) == images.labels.numpy()
    assert found.metrics.accuracy == right.mean()
    truth = expected[np.arange(len(images)), images.labels.numpy()]
    assert found.metrics.loss == pytest.approx(-np.log(truth).mean(), rel=1e-5)
    assert not np.allclose(expected, probabilities(three[0], images), atol=1e-2)  # they do differ


def test_the_logits_are_the_logarithm_of_that_mean():
    network, pixels = together([member(0), member(1)]).network(), tiny.source().test().store / 255
    with torch.no_grad():
        torch.testing.assert_close(network(pixels).exp().sum(1), torch.ones(len(pixels)))


def test_one_by_itself_stays_what_it_is():
    one = member(1)
    assert together([one]) is one
    assert members(one) == (one,)


def test_the_same_network_twice_answers_as_it_does_alone():
    one, images = member(1), tiny.source().test()
    twice = together([one, one])
    assert members(twice) == (one, one)
    found = evaluate(twice, tiny.source(), "test", tiny.CPU)
    np.testing.assert_allclose(found.probabilities.numpy(), probabilities(one, images), atol=1e-6)


def test_images_are_predicted_together(tmp_path):
    from PIL import Image

    pixels = tiny.images(1, size=28).store[0, 0].numpy()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = ImageSource("a", tmp_path / "a.png")
    alone = [
        next(iter(predict(one, [image]))) for one in (member(0, temperature=1.0), member(2, temperature=1.0))
    ]
    (both,) = predict(together([member(0, temperature=1.0), member(2, temperature=1.0)]), [image])
    for name, probability in both.probabilities.items():
        expected = (alone[0].probabilities[name] + alone[1].probabilities[name]) / 2
        assert probability == pytest.approx(expected, abs=1e-6)


def test_sure_networks_stay_exact():
    """Logits far beyond what exp can hold: nothing becomes infinite or 0 / 0."""
    one = member(1)
    last = next(name for name in reversed(one.weights) if name.endswith("bias"))
    sure = dataclasses.replace(one, weights=one.weights | {last: torch.tensor([1e4, 0.0, -1e4])})
    logits = logits_of(
        together([sure, sure]).network(), tiny.source().test(), Preprocessing(28, (0,), (1,)), tiny.CPU
    )
    assert logits.isfinite().all()
    assert (logits.argmax(1) == 0).all()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"classes": ("bar", "box", "cross")},
            "2.safetensors: knows the classes bar, box, cross, but 1.safetensors",
        ),
        (
            {"preprocessing": Preprocessing(32, (0.1,), (0.3,))},
            "2.safetensors: reads the ink in 32x32 gray, but 1.safetensors reads the ink in 28x28 gray",
        ),
        (
            {"preprocessing": Preprocessing(28, (0.1,) * 3, (0.3,) * 3, "whole")},
            "2.safetensors: reads the whole image in 28x28 color, but",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, problem):
    with pytest.raises(DataError) as caught:
        together([member(1), dataclasses.replace(member(2), **changes)])
    assert caught.value.message.startswith(problem)


def test_only_members_that_held_out_the_same_images_share_a_validation():
    """Else one would be tested on what another has learned."""
    same, other = member(2), member(2)
    other = dataclasses.replace(other, config=other.config.model_copy(update={"seed": 4}))
    assert evaluate(together([member(1), same]), tiny.source(), "validation", tiny.CPU).metrics.n == 15
    for split in ("validation", "train"):
        with pytest.raises(DataError, match=f"share no {split} split"):
            evaluate(together([member(1), other]), tiny.source(), split, tiny.CPU)
    assert evaluate(together([member(1), other]), tiny.source(), "test", tiny.CPU).metrics.n == 45


# ---- several views


def test_the_views_are_the_image_and_small_changes_all_around():
    matrices = view_matrices(9, 28).double()
    assert torch.equal(matrices[0], torch.eye(2, 3).double())
    turns = torch.atan2(matrices[1:, 1, 0], matrices[1:, 0, 0]).rad2deg()
    torch.testing.assert_close(turns, torch.tensor([TURN, -TURN] * 4).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(turns.sum(), torch.zeros(()).double(), atol=1e-4, rtol=0)
    # where the middle of the result comes from: a circle around the middle of the source, without a gap
    places = matrices[1:, :, 2] * 14
    torch.testing.assert_close(places.norm(dim=1), torch.full((8,), SHIFT).double(), atol=1e-4, rtol=0)
    assert places.sum(0).abs().max() < 0.2
    assert torch.cdist(places, places).fill_diagonal_(9).min() > 0.5


def test_the_answer_is_the_mean_over_the_views(monkeypatch):
    """Every view as SciPy makes it, given to the network by hand."""
    one, images = member(1), tiny.source().test()
    views = []
    for matrix in view_matrices(4, 28).double().numpy():
        # from (x, y) in halves of the image to (row, column) in pixels, about the middle
        inverse, offset = matrix[::-1, 1::-1], matrix[::-1, 2] * 14
        center = np.array([13.5, 13.5])
        moved = [
            ndimage.affine_transform(
                image[0].double().numpy() / 255,
                inverse,
                center + offset - inverse @ center,
                order=1,
                mode="grid-constant",
            )
            for image in images.store
        ]
        views.append(torch.tensor(np.array(moved))[:, None].float())
    expected = np.mean([answer(one, view) for view in views], axis=0)
    found = evaluate(together([one], views=4), tiny.source(), "test", tiny.CPU)
    np.testing.assert_allclose(found.probabilities.numpy(), expected, atol=1e-4)
    assert not np.allclose(expected, probabilities(one, images), atol=1e-3)


def test_views_are_always_the_same_and_do_not_depend_on_the_neighbors():
    network, images = together([member(1)], views=5).network(), tiny.source().test()
    pixels = images.store / 255
    with torch.no_grad():
        torch.testing.assert_close(network(pixels)[7:8], network(pixels[7:8]), atol=1e-5, rtol=0)
        assert torch.equal(network(pixels), network(pixels))


def test_networks_and_views_together():
    pair, images = [member(0), member(1)], tiny.source().test()
    alone = [
        evaluate(together([one], views=3), tiny.source(), "test", tiny.CPU).probabilities for one in pair
    ]
    both = evaluate(together(pair, views=3), tiny.source(), "test", tiny.CPU).probabilities
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2, atol=1e-6, rtol=0)
    assert len(images) == len(both)


# ---- the commands


@pytest.fixture
def runs(workplace) -> list[str]:
    for seed in (1, 2):
        outcome = cnn("train", "--config", "tiny.yaml", f"seed={seed}", "--out", f"run{seed}")
        assert outcome.code == 0, outcome.err
    return ["run1", "run2"]


def test_eval_takes_several_and_reports_views_apart(runs):
    alone = cnn("eval", "run1", "--json", "--tta", "3")
    plain, viewed = map(json.loads, alone.out.splitlines())
    assert (plain["views"], viewed["views"]) == (1, 3)
    assert plain == json.loads(cnn("eval", "run1", "--json").out)
    assert viewed["loss"] != plain["loss"]
    both = json.loads(cnn("eval", *runs, "--json").out)
    assert both["checkpoint"] == f"{Path('run1/model.safetensors')} + {Path('run2/model.safetensors')}"
    assert both["loss"] != plain["loss"]
    assert math.isfinite(both["calibration_error"])
    text = cnn("eval", *runs, "--tta", "3").out
    assert text.index("confusion matrix") < text.index("accuracy, 3 views")


def test_the_bar_is_for_the_images_as_they_are(runs, monkeypatch):
    accuracy = json.loads(cnn("eval", "run1", "--json").out)["accuracy"]
    monkeypatch.setattr(ensemble, "SHIFT", 28.0)  # views that show nothing but paper
    outcome = cnn("eval", "run1", "--json", "--tta", "20", "--min-accuracy", accuracy)
    plain, viewed = map(json.loads, outcome.out.splitlines())
    assert plain["accuracy"] == accuracy > viewed["accuracy"]
    assert outcome.code == 0


def test_predict_takes_several(runs):
    alone = [json.loads(cnn("predict", "one.png", "--json", "--checkpoint", run).out) for run in runs]
    both = json.loads(cnn("predict", "one.png", "--json", "-k", runs[0], "-k", runs[1]).out)
    for name, probability in both["probabilities"].items():
        expected = sum(one["probabilities"][name] for one in alone) / 2
        assert probability == pytest.approx(expected, abs=1e-6)
    assert both["checkpoint"].count("model.safetensors") == 2


def test_networks_of_other_classes_are_refused(runs):
    checkpoint.write(Path("other.safetensors"), member(1))
    for command in (
        ("eval", *runs, "other.safetensors"),
        ("predict", "one.png", "-k", "run1", "-k", "other.safetensors"),
    ):
        outcome = cnn(*command)
        assert outcome.code == ExitCode.DATA
        assert "error: other.safetensors: knows the classes bar, box, dot, but " in outcome.err
