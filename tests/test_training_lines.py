"""Networks for lines: the loss, the metrics, and a run that resumes bit for bit."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import lines, tiny
from helpers.cli import cnn
from PIL import Image

from cnn_cli.checkpoint.file import read
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config.dump import dump
from cnn_cli.config.load import load_config
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.source import names_of
from cnn_cli.errors import ConfigError, ExitCode, NetworkError, StoppedError
from cnn_cli.model.network import load_network, network_for
from cnn_cli.reading.reader import numpy_network
from cnn_cli.report.data_sheets import write_data_sheet
from cnn_cli.training.ctc import ctc_loss, decode, fit_temperature, negative_log_likelihood
from cnn_cli.training.line_metrics import align, measure_lines
from cnn_cli.training.run import Run
from cnn_cli.training.state import read_state

pytestmark = pytest.mark.usefixtures("one_thread")


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(key for key, _ in itertools.groupby(path) if key != blank)


def probability(probabilities: torch.Tensor, text: tuple[int, ...]) -> float:
    """Sum the probabilities [K + 1, W] of all paths that give the text, one by one."""
    classes, columns = probabilities.shape
    return sum(
        math.prod(probabilities[k, column].item() for column, k in enumerate(path))
        for path in itertools.product(range(classes), repeat=columns)
        if collapsed(path, classes - 1) == text
    )


@pytest.mark.parametrize("text", [(), (0,), (1, 0), (1, 1)])
def test_the_loss_is_the_sum_over_all_paths(text: tuple[int, ...]) -> None:
    logits = torch.randn(1, 3, 1, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[*text, *[-1] * (4 - len(text))]])
    expected = -math.log(probability(logits[0, :, 0].double().softmax(0), text))
    assert ctc_loss(logits, labels).item() == pytest.approx(expected, rel=1e-4)


def test_a_text_that_does_not_fit_the_columns_counts_nothing() -> None:
    logits = torch.zeros(1, 3, 1, 2, requires_grad=True)
    loss = ctc_loss(logits, torch.tensor([[1, 1, 1]]))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_decoding_merges_and_drops_blanks() -> None:
    columns = torch.tensor([2, 0, 0, 2, 0, 1, 1, 2])  # 2 is the blank
    logits = torch.nn.functional.one_hot(columns, 3).T[None, :, None].float()
    assert decode(logits) == [[0, 0, 1]]


def test_the_temperature_has_the_highest_likelihood() -> None:
    draws = torch.Generator().manual_seed(2)
    logits = 4 * torch.randn(30, 4, 1, 6, generator=draws)
    read = [text if row % 3 else [0] for row, text in enumerate(decode(logits))]  # one in three is wrong
    labels = torch.tensor([[*text, *[-1] * (6 - len(text))] for text in read])
    columns = logits.double().squeeze(2).permute(2, 0, 1)
    losses = {
        t: negative_log_likelihood((columns / t).log_softmax(2), labels).mean().item()
        for t in [0.25 * 1.1**step for step in range(36)]
    }
    assert fit_temperature(logits, labels) == pytest.approx(min(losses, key=losses.get), rel=0.06)


def test_alignment_has_the_fewest_edits() -> None:
    text, answer = list("kitten"), list("sitting")
    pairs = align(text, answer, "-")
    assert sum(a != b for a, b in pairs) == 3
    assert [a for a, _ in pairs if a != "-"] == text
    assert [b for _, b in pairs if b != "-"] == answer


def test_metrics_of_lines() -> None:
    best = torch.tensor([[0, 2, 1, 2], [1, 2, 1, 2], [2, 2, 2, 2]])  # reads 01, 11 and nothing
    logits = 9 * torch.nn.functional.one_hot(best, 3).permute(0, 2, 1)[:, :, None].float()
    labels = torch.tensor([[0, 1, -1], [1, 0, -1], [0, -1, -1]])
    figures = measure_lines(logits, labels, ("a", "b"))
    assert (figures.correct, figures.n) == (1, 3)
    assert figures.character_error_rate == pytest.approx(2 / 5)
    assert figures.confusion_matrix == ((1, 1, 1), (0, 2, 0), (0, 0, 0))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("lines") / "run")
    return Run(lines.config(), lines.source(), tiny.CPU).execute(folder, lambda record: None, tiny.never)


def test_a_run_writes_the_figures_of_lines(finished) -> None:
    metrics = finished.folder.read_metrics()
    assert {"accuracy", "character_error_rate", "loss"} <= metrics["test"].keys()
    for record in tiny.history_of(finished.folder):
        assert record["validation_character_error_rate"] > 0
    checkpoint = read(finished.checkpoint)
    assert checkpoint.preprocessing.kind == "line"
    assert checkpoint.preprocessing.input_shape == (1, 32, lines.WIDTH)
    assert len(checkpoint.classes) == 16


def test_the_command_trains_on_lines_and_says_what_reads_them(tmp_path: Path) -> None:
    config = tmp_path / "lines.yaml"
    config.write_text(dump(lines.config()))
    result = cnn("train", "--config", config, "data.lines.digits=synthetic", "--out", tmp_path / "run")
    assert result.code == ExitCode.OK, result.err
    assert "cnn read image.png --checkpoint" in result.err
    assert (
        cnn("bench", "--config", config, "--seeds", 1, "--out", tmp_path / "bench.json").code == ExitCode.OK
    )


def test_a_stopped_run_resumes_bit_for_bit(finished, tmp_path) -> None:
    folder = RunFolder(tmp_path / "run")
    stops = iter([None, ExitCode.INTERRUPTED])
    run = Run(lines.config(), lines.source(), tiny.CPU)
    with pytest.raises(StoppedError):
        run.execute(folder, lambda record: None, lambda: next(stops))
    state = read_state(folder)
    resumed = Run(state.config, lines.source(), tiny.CPU, state)
    resumed.execute(folder, lambda record: None, tiny.never)
    tiny.assert_same_result(folder, finished)


def test_the_network_must_end_with_scores_for_columns() -> None:
    config = lines.config()
    layers = config.model.layers[:2]
    wrong = config.model_copy(update={"model": config.model.model_copy(update={"layers": layers})})
    with pytest.raises(NetworkError, match="lines need 17x1xW"):
        network_for(wrong, 16)


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"preprocessing": "digit"}},
        {"data": {"channels": 3}},
        {"data": {"augment": {"mixup": 0.2}}},
        {"train": {"label_smoothing": 0.1}},
        {"train": {"class_weights": "balanced"}},
        {"train": {"graph": True}},
        {"data": {"balance": True}},
    ],
)
def test_settings_of_images_are_refused_for_lines(change: dict) -> None:
    values = lines.config().model_dump(mode="json", exclude_none=True)
    for section, settings in change.items():
        values[section] |= settings
    with pytest.raises(ValueError, match="line"):
        type(lines.config()).model_validate(values)


def test_outliers_are_refused_for_lines() -> None:
    config = lines.config()
    data = config.data.model_copy(update={"outliers": 0.5})
    with pytest.raises(ConfigError, match=r"data\.outliers: works with digits only"):
        Run(config.model_copy(update={"data": data}), lines.source(), tiny.CPU)


@pytest.mark.parametrize("width", [lines.WIDTH, 131])
def test_numpy_reads_strips_of_any_width_like_torch(finished, width: int) -> None:
    checkpoint = read(finished.checkpoint)
    inputs = torch.randn(2, 1, 32, width, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        expected = load_network(checkpoint)(inputs).numpy()
    for fast in (True, False):
        outputs = numpy_network(checkpoint, fast=fast)(inputs.numpy())
        np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_eval_shows_the_figures_of_the_run(finished) -> None:
    settings = ["data.lines.test=10", "--json"]
    figures = json.loads(cnn("eval", finished.folder.path, *settings).out)
    assert 0 <= figures["accuracy"] <= 1
    assert figures["character_error_rate"] > 0
    text = cnn("eval", finished.folder.path).out
    assert "lines exactly right" in text
    assert "character error rate" in text
    assert cnn("eval", finished.folder.path, "--min-accuracy", "0.99").code == ExitCode.BELOW_BAR
    assert (
        "--tta is for networks that read single images" in cnn("eval", finished.folder.path, "--tta", 2).err
    )


@pytest.mark.parametrize(
    "command", [("predict",), ("export", "--to", "model.onnx"), ("look",)], ids=lambda command: command[0]
)
def test_commands_for_single_images_refuse_a_network_for_lines(
    finished, tmp_path, monkeypatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (28, 28)).save("seven.png")
    name, *options = command
    given = (
        [finished.folder.path] if name == "export" else ["seven.png", "--checkpoint", finished.folder.path]
    )
    result = cnn(name, *given, *options)
    assert result.code == ExitCode.DATA
    assert "reads lines of digits, not single images" in result.err


def test_read_takes_it(finished, tmp_path) -> None:
    Image.new("L", (90, 40), 255).save(tmp_path / "blank.png")
    result = cnn("read", tmp_path / "blank.png", "--checkpoint", finished.folder.path, "--signs")
    assert result.code == ExitCode.DATA
    assert "no digits" in result.err


def test_the_report_has_the_figures_of_lines(finished, tmp_path) -> None:
    out = tmp_path / "report.html"
    assert cnn("report", finished.folder.path, "--out", out).code == ExitCode.OK
    page = out.read_text()
    assert "lines exactly right" in page
    assert "character error rate" in page


def test_all_changes_of_the_shipped_config_work_on_strips() -> None:
    config = load_config("line", []).config
    strips = torch.rand(3, 1, *config.data.input_shape[1:], generator=torch.Generator().manual_seed(1))
    changed, mix = augment(strips, torch.Generator().manual_seed(2), config.data.augment)
    assert changed.shape == strips.shape
    assert mix is None
    assert not torch.equal(changed, strips)


def test_lines_are_drawn_with_their_texts(tmp_path) -> None:
    images = lines.lines(12, 3)
    names = names_of(images.labels, lines.CLASSES)
    assert all(set(name) <= set(lines.CLASSES) for name in names)
    assert [len(name) for name in names] == (images.labels >= 0).sum(1).tolist()
    write_data_sheet(images, lines.CLASSES, 10, tmp_path / "lines.png")
    with Image.open(tmp_path / "lines.png") as sheet:
        assert sheet.width > 900


def test_an_auxiliary_classifier_is_refused_for_lines() -> None:
    values = lines.config().model_dump(mode="json", exclude_none=True)
    values["model"]["layers"].insert(1, {"auxiliary": ["flatten", {"linear": "classes"}]})
    with pytest.raises(NetworkError, match="auxiliary: is for networks that read single images"):
        network_for(type(lines.config()).model_validate(values), 16)
