"""Distillation: the teacher's answers, the distance to them, and a run that learns them."""

import json
from pathlib import Path

import pytest
import tiny
import torch
import torch.nn.functional as F
from cli import cnn
from torch import nn

from cnn_cli.config import schema
from cnn_cli.engine import checkpoint
from cnn_cli.engine.device import choose
from cnn_cli.engine.teacher import SOFTNESS, Lesson, Teacher, distance, teacher_of
from cnn_cli.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("one_thread")


def logits(seed: int) -> torch.Tensor:
    return 5 * torch.randn(6, 4, generator=torch.Generator().manual_seed(seed))


def test_the_distance_is_the_papers() -> None:
    """Cross-entropy with the softened answers, less their own entropy, times the square."""
    ours, theirs = logits(0), logits(1)
    soft = (theirs / SOFTNESS).softmax(1)
    entropy = torch.distributions.Categorical(probs=soft).entropy().mean()
    expected = SOFTNESS**2 * (F.cross_entropy(ours / SOFTNESS, soft) - entropy)
    torch.testing.assert_close(distance(ours, theirs), expected)
    assert distance(ours, ours + 3).item() == pytest.approx(0, abs=1e-5)


def test_a_lesson_blends_by_its_share() -> None:
    loss, ours, theirs = torch.tensor(2.0), logits(0), logits(1)
    blended = Lesson(theirs, 0.25).blend(loss, ours)
    torch.testing.assert_close(blended, 0.75 * loss + 0.25 * distance(ours, theirs))
    torch.testing.assert_close(Lesson(theirs, 1.0).blend(loss, ours), distance(ours, theirs))


def test_a_learner_comes_to_answer_like_its_teacher() -> None:
    """Its labels are all wrong; with the whole loss the teacher's, it learns what the teacher says."""
    data = tiny.pictures(60)
    right = tiny.loop(train=data, epochs=30, lr=0.03)
    list(right.run())
    wrong = type(data)(data.store, (data.labels + 1) % 3)
    learner = tiny.loop(train=wrong, epochs=30, lr=0.03)
    teacher = right.network.eval()
    learner.teacher = Teacher(teacher, right.preparation, right.compute, torch.contiguous_format, 1.0)
    list(learner.run())
    inputs = learner.preparation.inputs(data.store)
    with torch.no_grad():
        found = learner.network.eval()(inputs).argmax(1)
        assert (found == teacher(inputs).argmax(1)).float().mean() > 0.95
    assert (found == data.labels).float().mean() > 0.9


def test_the_teacher_sees_what_the_learner_sees_with_its_own_mean() -> None:
    loop = tiny.loop(train=tiny.pictures(6), epochs=1)
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append(inputs)
            return torch.zeros(len(inputs), 3)

    other = type(loop.preparation)(tiny.SIZE, mean=(0.5,), std=(0.25,))
    loop.teacher = Teacher(Watching(), other, loop.compute, torch.contiguous_format, 0.5)
    mine: list[torch.Tensor] = []
    loop.network.register_forward_pre_hook(lambda _, inputs: mine.append(inputs[0].clone()))
    list(loop.run())
    own = loop.preparation
    pixels = mine[0] * own.std[0] + own.mean[0]
    torch.testing.assert_close(seen[0], (pixels - 0.5) / 0.25, rtol=1e-4, atol=1e-4)


SMALL = ("train.epochs=1", "train.device=cpu", "output.plot=false", "data.fallback=none")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher and the config of both."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "small.yaml").write_text(
        "data: {name: synthetic, synthetic: {train: 300, test: 50}}\n"
        "model: {layers: [flatten, linear: classes]}\n"
    )
    outcome = cnn("train", "--config", folder / "small.yaml", *SMALL, "--out", folder / "teacher")
    assert outcome.code == 0, outcome.err
    return folder


@pytest.mark.parametrize("name", ["teacher", "teacher/model.safetensors"])
def test_a_run_is_taught_by_a_folder_or_a_file(taught: Path, name: str, tmp_path: Path) -> None:
    arguments = ["train", "--config", taught / "small.yaml", *SMALL, f"train.teacher={taught / name}"]
    outcome = cnn(*arguments, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    stored = checkpoint.read(tmp_path / "run" / "model.safetensors")
    assert stored.config.train.teacher == str(taught / name)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["n"] == 50


def test_a_teacher_that_does_not_fit_is_refused(taught: Path) -> None:
    trained = checkpoint.read(taught / "teacher" / "model.safetensors")
    settings = schema.Train(teacher=str(taught / "teacher"))
    compute = choose("cpu", threads=1)
    assert teacher_of(settings, trained.classes, trained.preparation, compute) is not None
    with pytest.raises(ConfigError, match=r"train\.teacher: .*knows other classes"):
        teacher_of(settings, ("a", "b"), trained.preparation, compute)
    larger = type(trained.preparation)(32, mean=(0.1,), std=(0.3,))
    with pytest.raises(ConfigError, match="reads other pictures"):
        teacher_of(settings, trained.classes, larger, compute)


def test_a_teacher_that_is_not_there_is_said_before_training(taught: Path) -> None:
    with pytest.raises(DataError, match="nobody"):
        teacher_of(schema.Train(teacher=str(taught / "nobody")), (), None, choose("cpu"))  # type: ignore[arg-type]
    outcome = cnn("train", "--config", taught / "small.yaml", "train.teacher=nobody.safetensors")
    assert outcome.code == 3
    assert "nobody.safetensors" in outcome.err


def test_the_share_alone_is_a_misunderstanding() -> None:
    outcome = cnn("train", "--config", "lenet", "train.teacher_share=0.5")
    assert outcome.code == 2
    assert "teacher_share is a setting of the teacher" in outcome.err
