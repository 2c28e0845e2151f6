"""The mean answer of several networks, or of several augmented copies of each image."""

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
from cnn_cli.config.schema import Config
from cnn_cli.data.source import LabeledImages
from cnn_cli.errors import DataError, ExitCode
from cnn_cli.model.network import load_network
from cnn_cli.training import ensemble
from cnn_cli.training.ensemble import ROTATION, SHIFT, copy_matrices, predictor
from cnn_cli.training.evaluation import evaluate, logits_of

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(seed: int, **changes) -> Checkpoint:
    """A checkpoint with weights, mean, deviation and temperature that depend on the seed."""
    config = tiny.config().model_copy(update={"seed": 3})
    preprocessing = Preprocessing(28, (0.1 * seed,), (0.3 + 0.1 * seed,))
    options = {"path": Path(f"{seed}.safetensors"), "temperature": 1 + 0.5 * seed} | changes
    weights = tiny.initial_weights(config, seed)
    return Checkpoint(weights, config, tiny.CLASSES, "tiny", preprocessing, **options)


def probabilities(one: Checkpoint, images: LabeledImages) -> np.ndarray:
    """The probabilities of one checkpoint alone, computed with NumPy from its logits."""
    return probabilities_of_pixels(one, images.store / 255)


def probabilities_of_pixels(one: Checkpoint, pixels: torch.Tensor) -> np.ndarray:
    (mean,), (std,) = one.preprocessing.mean, one.preprocessing.std
    with torch.no_grad():
        logits = load_network(one)((pixels - mean) / std).double().numpy()
    powers = np.exp(logits / one.temperature)
    return powers / powers.sum(1, keepdims=True)


# --- several networks ---------------------------------------------------------------------------------------


def test_the_answer_is_the_mean_of_the_probabilities():
    three, images = [trained(seed) for seed in (0, 1, 2)], tiny.source().test()
    expected = np.mean([probabilities(one, images) for one in three], axis=0)
    result = evaluate(three, tiny.source(), "test", tiny.CPU)
    np.testing.assert_allclose(result.probabilities.numpy(), expected, atol=1e-6)
    right = expected.argmax(1) == images.labels.numpy()
    assert result.metrics.accuracy == right.mean()
    truth = expected[np.arange(len(images)), images.labels.numpy()]
    assert result.metrics.loss == pytest.approx(-np.log(truth).mean(), rel=1e-5)
    assert not np.allclose(expected, probabilities(three[0], images), atol=1e-2)  # the networks differ


def test_the_logits_are_the_logarithm_of_that_mean():
    network, pixels = predictor([trained(0), trained(1)]).network, tiny.source().test().store / 255
    with torch.no_grad():
        torch.testing.assert_close(network(pixels).exp().sum(1), torch.ones(len(pixels)))


def test_one_checkpoint_keeps_its_preprocessing_and_temperature():
    one, images = trained(1), tiny.source().test()
    alone = predictor([one])
    assert (alone.preprocessing, alone.temperature) == (one.preprocessing, one.temperature)
    logits = logits_of(alone.network, images, alone.preprocessing, tiny.CPU)
    np.testing.assert_allclose(alone.probabilities(logits), probabilities(one, images), atol=1e-6)


def test_the_same_network_twice_answers_like_one():
    one, images = trained(1), tiny.source().test()
    result = evaluate([one, one], tiny.source(), "test", tiny.CPU)
    np.testing.assert_allclose(result.probabilities.numpy(), probabilities(one, images), atol=1e-6)


def test_very_confident_networks_stay_exact():
    """Logits far above what exp can hold give neither an infinity nor 0 / 0."""
    one = trained(1)
    last = next(name for name in reversed(one.weights) if name.endswith("bias"))
    bias = np.array([1e4, 0.0, -1e4], dtype=np.float32)
    confident = dataclasses.replace(one, weights=one.weights | {last: bias})
    combined = predictor([confident, confident])
    logits = logits_of(combined.network, tiny.source().test(), combined.preprocessing, tiny.CPU)
    assert logits.isfinite().all()
    assert (logits.argmax(1) == 0).all()


def config_of(**data) -> Config:
    config = tiny.config()
    return config.model_copy(update={"data": config.data.model_copy(update=data)})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"classes": ("bar", "box", "cross")},
            "2.safetensors: has the classes bar, box, cross, but 1.safetensors has bar, box, dot",
        ),
        (
            {"preprocessing": Preprocessing(32, (0.1,), (0.3,)), "config": config_of(size=32)},
            "2.safetensors: reads digits in 32x32 gray, but 1.safetensors reads digits in 28x28 gray",
        ),
        (
            {
                "preprocessing": Preprocessing(28, (0.1,) * 3, (0.3,) * 3, "photo"),
                "config": config_of(channels=3),
            },
            "2.safetensors: reads photos in 28x28 color, but 1.safetensors reads digits in 28x28 gray",
        ),
    ],
)
def test_checkpoints_with_other_classes_or_inputs_are_an_error(changes, problem):
    with pytest.raises(DataError) as caught:
        predictor([trained(1), dataclasses.replace(trained(2), **changes)])
    assert caught.value.message == problem


def test_only_checkpoints_with_the_same_validation_images_can_be_evaluated_on_them():
    """Otherwise one network would be evaluated on images that another was trained on."""
    same, other = trained(2), trained(2)
    other = dataclasses.replace(other, config=other.config.model_copy(update={"seed": 4}))
    assert evaluate([trained(1), same], tiny.source(), "validation", tiny.CPU).metrics.n == 15
    for split in ("validation", "train"):
        with pytest.raises(DataError, match=f"share no {split} split"):
            evaluate([trained(1), other], tiny.source(), split, tiny.CPU)
    assert evaluate([trained(1), other], tiny.source(), "test", tiny.CPU).metrics.n == 45


# --- augmented copies ---------------------------------------------------------------------------------------


def test_the_copies_are_the_image_and_small_changes_in_all_directions():
    matrices = copy_matrices(9, 28).double()
    assert torch.equal(matrices[0], torch.eye(2, 3).double())
    rotations = torch.atan2(matrices[1:, 1, 0], matrices[1:, 0, 0]).rad2deg()
    expected = torch.tensor([ROTATION, -ROTATION] * 4).double()
    torch.testing.assert_close(rotations, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(rotations.sum(), torch.zeros(()).double(), atol=1e-4, rtol=0)
    # the source of the center of each copy: points on a circle around the center, evenly spaced
    points = matrices[1:, :, 2] * 14
    torch.testing.assert_close(points.norm(dim=1), torch.full((8,), SHIFT).double(), atol=1e-4, rtol=0)
    assert points.sum(0).abs().max() < 0.2
    assert torch.cdist(points, points).fill_diagonal_(9).min() > 0.5


def scipy_copy(images: LabeledImages, matrix: np.ndarray) -> torch.Tensor:
    """One augmented copy of each image, float32 [N, 1, 28, 28] in 0..1, made by SciPy."""
    # from (x, y) in halves of the image to (row, column) in pixels, around the center
    inverse, offset = matrix[::-1, 1::-1], matrix[::-1, 2] * 14
    center = np.array([13.5, 13.5])
    copies = [
        ndimage.affine_transform(
            image[0].double().numpy() / 255,
            inverse,
            center + offset - inverse @ center,
            order=1,
            mode="grid-constant",
        )
        for image in images.store
    ]
    return torch.tensor(np.array(copies))[:, None].float()


def test_the_answer_is_the_mean_over_the_copies():
    one, images = trained(1), tiny.source().test()
    copies = [scipy_copy(images, matrix) for matrix in copy_matrices(4, 28).double().numpy()]
    expected = np.mean([probabilities_of_pixels(one, pixels) for pixels in copies], axis=0)
    result = evaluate([one], tiny.source(), "test", tiny.CPU, copies=4)
    np.testing.assert_allclose(result.probabilities.numpy(), expected, atol=1e-4)
    assert not np.allclose(expected, probabilities(one, images), atol=1e-3)


def test_copies_are_always_the_same_and_do_not_depend_on_the_batch():
    network, images = predictor([trained(1)], copies=5).network, tiny.source().test()
    pixels = images.store / 255
    with torch.no_grad():
        torch.testing.assert_close(network(pixels)[7:8], network(pixels[7:8]), atol=1e-5, rtol=0)
        assert torch.equal(network(pixels), network(pixels))


def test_several_networks_with_several_copies():
    pair = [trained(0), trained(1)]
    alone = [evaluate([one], tiny.source(), "test", tiny.CPU, copies=3).probabilities for one in pair]
    both = evaluate(pair, tiny.source(), "test", tiny.CPU, copies=3).probabilities
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2, atol=1e-6, rtol=0)
    assert len(both) == 45


# --- the commands -------------------------------------------------------------------------------------------


@pytest.fixture
def runs(workplace) -> list[str]:
    for seed in (1, 2):
        outcome = cnn("train", "--config", "tiny.yaml", f"seed={seed}", "--out", f"run{seed}")
        assert outcome.code == 0, outcome.err
    return ["run1", "run2"]


def test_eval_takes_several_checkpoints_and_reports_copies_separately(runs):
    alone = cnn("eval", "run1", "--json", "--tta", "3")
    plain, augmented = map(json.loads, alone.out.splitlines())
    assert (plain["copies"], augmented["copies"]) == (1, 3)
    assert plain == json.loads(cnn("eval", "run1", "--json").out)
    assert augmented["loss"] != plain["loss"]
    both = json.loads(cnn("eval", *runs, "--json").out)
    assert both["checkpoint"] == f"{Path('run1/model.safetensors')} + {Path('run2/model.safetensors')}"
    assert both["loss"] != plain["loss"]
    assert math.isfinite(both["calibration_error"])
    text = cnn("eval", *runs, "--tta", "3").out
    assert text.index("confusion matrix") < text.index("accuracy, 3 augmented copies")


def test_the_minimum_accuracy_is_for_the_unchanged_images(runs, monkeypatch):
    accuracy = json.loads(cnn("eval", "run1", "--json").out)["accuracy"]
    monkeypatch.setattr(ensemble, "SHIFT", 28.0)  # copies that show only background
    outcome = cnn("eval", "run1", "--json", "--tta", "20", "--min-accuracy", accuracy)
    plain, augmented = map(json.loads, outcome.out.splitlines())
    assert plain["accuracy"] == accuracy > augmented["accuracy"]
    assert outcome.code == 0


def test_predict_takes_several_checkpoints(runs):
    alone = [json.loads(cnn("predict", "one.png", "--json", "--checkpoint", run).out) for run in runs]
    both = json.loads(cnn("predict", "one.png", "--json", "-k", runs[0], "-k", runs[1]).out)
    for name, probability in both["probabilities"].items():
        expected = sum(one["probabilities"][name] for one in alone) / 2
        assert probability == pytest.approx(expected, abs=1e-6)
    assert both["checkpoint"].count("model.safetensors") == 2


def test_networks_with_other_classes_are_an_error(runs):
    checkpoint.write(Path("other.safetensors"), trained(1))
    for command in (
        ("eval", *runs, "other.safetensors"),
        ("predict", "one.png", "-k", "run1", "-k", "other.safetensors"),
    ):
        outcome = cnn(*command)
        assert outcome.code == ExitCode.DATA
        assert "other.safetensors" in outcome.err
        assert "has the classes" in outcome.err
        assert "bar, box, dot" in outcome.err
