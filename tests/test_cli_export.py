"""`cnn export`: what it writes and prints, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest
from helpers.cli import cnn

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.errors import ExitCode
from cnn_cli.export import quantize

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[export]'")


@pytest.fixture
def run(trained_run: Path, workplace: Path) -> Path:
    """A finished run, in a working folder of its own."""
    return trained_run


def test_an_onnx_file_predicts_and_evaluates_like_its_checkpoint(run: Path) -> None:
    outcome = cnn("export", run, "--to", "model.onnx")
    assert outcome.code == 0, outcome.err
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert lines["file"].strip().startswith("model.onnx  (ONNX, opset 23, 32-bit floats; ")
    assert float(lines["largest difference"].split()[0]) < 1e-4
    (before,), (after,) = (
        list(csv.DictReader(cnn("predict", "one.png", "--csv", "-k", k).out.splitlines()))
        for k in (run, "model.onnx")
    )
    assert before["label"] == after["label"]
    assert float(before["confidence"]) == pytest.approx(float(after["confidence"]), abs=1e-5)
    figures = [
        json.loads(cnn("eval", "-k", k, "--json", "--tta", 2).out.splitlines()[0])
        for k in (run, "model.onnx")
    ]
    assert figures[0]["correct"] == figures[1]["correct"]
    assert figures[0]["loss"] == pytest.approx(figures[1]["loss"], abs=1e-5)


@pytest.mark.parametrize("name", ["model.onnx", "model.h"])
def test_8_bits_print_the_accuracy_before_and_after(run: Path, name: str) -> None:
    outcome = cnn("export", run, "--to", name, "--int8", "data.synthetic.train=200", "--json")
    assert outcome.code == 0, outcome.err
    assert "calibrating with 200 training images of synthetic, measuring on 100 test images" in outcome.err
    result = json.loads(outcome.out)
    assert result["path"] == name
    assert "8-bit integers" in result["format"]
    accuracy = result["accuracy"]
    assert (accuracy["count"], accuracy["data"], accuracy["calibration"]) == (100, "synthetic", 200)
    assert accuracy["after"] >= accuracy["before"]
    assert result["bytes"] == Path(name).stat().st_size
    text = cnn("export", run, "--to", name, "--int8").out
    assert (
        f"accuracy in floats           {accuracy['before'] / 100:.2%}  ({accuracy['before']} of 100)" in text
    )
    assert "accuracy in 8 bits" in text


@pytest.mark.parametrize("name", ["model.onnx", "model.h"])
def test_a_loss_of_accuracy_is_exit_4_and_writes_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path(name).write_text("before")
    if name.endswith(".h"):
        exact = quantize.scale_of
        monkeypatch.setattr(quantize, "scale_of", lambda low, high: exact(1e4 * low, 1e4 * high))
    else:
        monkeypatch.setattr("cnn_cli.export.exported.MOST_LOST", -1.0)  # no network is that much better
    outcome = cnn("export", run, "--to", name, "--int8")
    assert outcome.code == ExitCode.BELOW_BAR
    assert "error: 8 bits lower the accuracy on synthetic" in outcome.err
    assert Path(name).read_text() == "before"


def test_a_fallback_of_the_data_is_stated_and_recorded(workplace: Path) -> None:
    few = ("data.synthetic.train=100", "data.synthetic.test=50", "data.download=false")
    outcome = cnn("export", "lenet", "--to", "model.h", "--int8", *few)
    assert outcome.code == 0, outcome.err
    assert "mnist is not available; using built-in synthetic digits instead" in outcome.err
    replaced = "synthetic (used because the requested data is not available)"
    assert replaced in outcome.out
    assert replaced in " ".join(Path("model.h").read_text().replace("\n * ", " ").split())


def test_c_prints_flash_ram_and_multiply_adds(run: Path) -> None:
    lines = cnn("export", run, "--to", "model.h").out.splitlines()
    printed = dict(line.split("  ", 1) for line in lines)
    assert printed["multiply-adds for one image"].strip() == "490"
    assert printed["RAM"].strip() == f"{4 * (784 + 49):,} bytes, static"
    assert printed["flash"].strip().endswith(" bytes of constants")


# ---- what is refused


@pytest.mark.parametrize("name", ["model.pt", "model", "model.yaml", "model.safetensors", "model.ONNX"])
def test_an_unknown_format_names_the_known(run: Path, name: str) -> None:
    outcome = cnn("export", run, "--to", name)
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith(f"error: --to {name}: ")
    assert outcome.err.endswith("hint: name a file .onnx (for onnxruntime) or .h (C for a microcontroller)\n")
    assert not Path(name).exists()


def test_the_file_to_write_must_be_named(run: Path) -> None:
    outcome = cnn("export", run)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err.startswith("error: export needs --to FILE\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data.name=synthetic"], "only --int8 uses data"),
        (["train.epochs=1", "--int8"], "export accepts only settings that start with data."),
    ],
)
def test_settings_without_effect_are_refused(run: Path, arguments: list[str], message: str) -> None:
    outcome = cnn("export", run, *arguments, "--to", "model.h")
    assert outcome.code == ExitCode.USAGE
    assert message in outcome.err


def test_the_checkpoint_is_never_replaced(workplace: Path) -> None:
    content = shipped("lenet").read_bytes()
    Path("lenet.safetensors").write_bytes(content)
    Path("model.h").symlink_to("lenet.safetensors")
    outcome = cnn("export", "lenet.safetensors", "--to", "model.h")
    assert outcome.code == ExitCode.USAGE
    assert "--to model.h: would replace a file that is read" in outcome.err
    assert Path("lenet.safetensors").read_bytes() == content


def test_an_onnx_file_is_no_source(run: Path) -> None:
    assert cnn("export", run, "--to", "model.onnx").code == 0
    outcome = cnn("export", "model.onnx", "--to", "other.h")
    assert outcome.code == ExitCode.DATA
    assert outcome.err.startswith("error: model.onnx: is an ONNX file, which has no weights to export\n")


def test_a_folder_that_does_not_exist_is_made_and_a_file_is_no_folder(run: Path) -> None:
    assert cnn("export", run, "--to", "new/model.h").code == 0
    outcome = cnn("export", run, "--to", "one.png/model.h")
    assert outcome.code == ExitCode.DATA
    assert "cannot be written" in outcome.err
