"""Training on a GPU. `CNN_TEST_DEVICE=cpu pytest -m gpu` rehearses on the CPU what can run there."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers import tiny
from helpers.albums import album
from helpers.cli import PATIENCE, TINY, cnn, spawn
from torch import Tensor, nn

from cnn_cli.config.schema import Augmentation
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.outliers.pool import OutlierPool
from cnn_cli.errors import ExitCode
from cnn_cli.training.device import Compute, choose
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.records import StepRecord

DEVICE = os.environ.get("CNN_TEST_DEVICE", "cuda")
ON_GPU = DEVICE != "cpu"

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        ON_GPU and not torch.cuda.is_available(), reason="no CUDA device; CNN_TEST_DEVICE=cpu rehearses"
    ),
]
needs_gpu = pytest.mark.skipif(not ON_GPU, reason="a rehearsal on the CPU")

GPU = Compute(torch.device(DEVICE), "float32", threads=1)
IMAGES = 5_000 if ON_GPU else 400

SYNTHETIC = (
    "data.name=synthetic", f"data.synthetic.train={IMAGES + 500}", "data.synthetic.test=500",
    "data.validation=500", "output.plot=false", f"train.device={DEVICE}",
)  # fmt: skip
ALL_CHANGES = Augmentation(
    rotate=15, scale=0.2, shear=0.3, translate=2, elastic=20, thickness=0.5, blur=1, noise=0.2, cutout=4,
    mixup=0.2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """Restore the number of threads, which some of the tests set."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def train(run: str, *arguments: object) -> dict:
    """Train in this process on the device; return the metrics."""
    outcome = cnn("train", *arguments, *SYNTHETIC, "--out", run, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(Path(run, "metrics.json").read_text())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", ["lenet", "fast", "resnet", "best"])
def test_a_network_learns(workplace: Path, config: str, precision: str) -> None:
    epochs, threads = (2, 0) if ON_GPU else (1, 1)
    if not ON_GPU and config != "fast":
        pytest.skip("a rehearsal on the CPU trains the quickest network only")
    metrics = train(
        "run", "--config", config, f"train.epochs={epochs}", f"train.precision={precision}",
        f"train.threads={threads}", "train.batch_size=64",
    )  # fmt: skip
    assert metrics["test"]["accuracy"] > (0.9 if ON_GPU else 0.3)
    assert precision in metrics["device"]


@pytest.fixture
def determinism(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether operations without a fixed order are refused, as `train.deterministic` does."""
    choose(DEVICE, "float32", 1, deterministic=request.param)
    yield request.param
    choose(DEVICE, "float32", 1, deterministic=False)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("determinism", [False, True], indirect=True)
def test_a_resumed_run_ends_with_the_same_weights(graph: bool, determinism: bool) -> None:
    changes = ALL_CHANGES.model_copy(update={"mixup": 0.0})
    whole, stopped, resumed = (
        tiny.loop(tiny.RICH, compute=GPU, graph=graph, epochs=8, batch_size=10, ema=0.9, augment=changes)
        for _ in range(3)
    )
    steps(stopped, 23)  # in the middle of the fifth epoch
    resumed.load_state(*stopped.state())
    histories = [
        tiny.epochs_of(loop) and [record.train_loss for record in loop.history] for loop in (whole, resumed)
    ]
    if determinism or not ON_GPU:
        assert histories[0] == histories[1]
        assert tiny.equal(*(tiny.weights(loop.evaluated_network) for loop in (whole, resumed)))
    else:  # sums of a GPU have no fixed order
        assert histories[0] == pytest.approx(histories[1], rel=1e-3)


def test_a_checkpoint_is_read_on_the_other_device(workplace: Path) -> None:
    train("run", "--config", "fast", "train.precision=float32")
    there = cnn("eval", "run", "--json", f"train.device={DEVICE}", "train.precision=float32")
    here = cnn("eval", "run", "--json", "train.device=cpu", "train.precision=float32")
    assert (there.code, here.code) == (0, 0), there.err + here.err
    first, second = json.loads(there.out), json.loads(here.out)
    assert first["correct"] == pytest.approx(second["correct"], abs=1)
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-3)
    assert cnn("train", "--resume", "run", "train.epochs=2", "train.device=cpu").code in (0, 2)


def test_augmentation_is_that_of_the_cpu() -> None:
    images = torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    results = []
    for device in (torch.device("cpu"), GPU.device):
        changed, mix = augment(images.to(device), torch.Generator().manual_seed(2), ALL_CHANGES)
        assert mix is not None
        results.append((changed.cpu(), mix.partners.cpu(), mix.share))
    torch.testing.assert_close(results[0][0], results[1][0], atol=2e-3, rtol=0)
    assert torch.equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


@pytest.mark.parametrize(
    "settings",
    [
        ("data.outliers=0.5", "data.drawn=0.2"),
        ("train.ema=0.99",),
        ("train.accumulate=3", "train.graph=false"),
        ("train.clip_norm=0.5",),
        ("data.augment={rotate: 10, elastic: 10, noise: 0.1}",),
        ("train.ema=0.99", "train.clip_norm=0.5", "data.outliers=0.3", "data.augment.elastic=10"),
    ],
    ids=lambda settings: settings[0],
)
def test_every_part_of_training(workplace: Path, settings: tuple[str, ...]) -> None:
    metrics = train("run", "--config", "fast", "train.batch_size=64", "train.threads=1", *settings)
    assert metrics["test"]["accuracy"] > (0.9 if ON_GPU else 0.3)


@pytest.mark.parametrize("graph", [False, True])
def test_images_that_do_not_fit_are_streamed(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, graph: bool
) -> None:
    monkeypatch.setattr("cnn_cli.data.source._fits", lambda size, device: False)
    folder = album(workplace / "album", count=40)
    Path("tiny.yaml").write_text(TINY.replace("{linear: 10}", "{linear: classes}"))
    outcome = cnn(
        "train", "--config", "tiny.yaml", "data.name=own", f"data.root={folder}", "data.validation=20",
        f"train.device={DEVICE}", f"train.graph={graph}", "--out", "run",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err


@needs_gpu
def test_out_of_memory_names_a_remedy(workplace: Path) -> None:
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        outcome = cnn("train", "--config", "vgg", *SYNTHETIC, "train.batch_size=5000", "--out", "run")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert outcome.code == ExitCode.FAILURE
    assert "out of memory" in outcome.err
    assert "train.batch_size" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_gpu_that_is_not_there(workplace: Path) -> None:
    outcome = cnn("train", "--config", "tiny.yaml", f"train.device=cuda:{torch.cuda.device_count()}")
    assert outcome.code == ExitCode.USAGE
    assert f"there is no cuda:{torch.cuda.device_count()} here" in outcome.err


def test_ctrl_c_saves_and_the_run_continues(workplace: Path) -> None:
    settings = (*SYNTHETIC, "train.batch_size=20", "train.epochs=50", "--out", "run")
    with spawn("train", "--config", "fast", *settings) as process:
        deadline = time.monotonic() + PATIENCE
        while not Path("run/state.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert "to continue: cnn train --resume run" in err
    assert cnn("eval", "run", "data.name=synthetic", f"train.device={DEVICE}").code == 0


@needs_gpu
def test_two_processes_on_one_gpu_are_refused(workplace: Path) -> None:
    if torch.cuda.device_count() > 1:
        pytest.skip("there are several GPUs")
    from helpers.forks import fork_processes

    processes = fork_processes(2, "train", "--config", "tiny.yaml", "train.device=cuda")
    outcomes = [process.outcome() for process in processes]
    assert all(outcome.code for outcome in outcomes)
    assert any("there is no cuda:1 here" in outcome.err for outcome in outcomes)


def test_onnx_of_a_run(workplace: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[export]'")
    train("run", "--config", "fast")
    outcome = cnn("export", "run", "--to", "model.onnx")  # compares its answers with onnxruntime's
    assert outcome.code == 0, outcome.err


# ---- recorded steps


class Counter(nn.Module):
    """A layer that counts how often Python calls it."""

    calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        type(self).calls += 1
        return inputs


def steps(loop: TrainingLoop, count: int) -> None:
    """Take steps."""
    records = (record for record in loop.run() if isinstance(record, StepRecord))
    for _ in range(count):
        next(records)


@pytest.mark.parametrize("rich", [False, True])
def test_recorded_steps_are_those_of_python(rich: bool) -> None:
    layers = tiny.RICH[:-2] + tiny.RICH[-1:] if rich else tiny.PLAIN  # dropout may draw other numbers
    settings = {"epochs": 4, "batch_size": 7, "optimizer": "adam", "lr": 0.01}
    loops = [tiny.loop(layers, compute=GPU, graph=graph, **settings) for graph in (False, True)]
    losses = [[record.train_loss for record in tiny.epochs_of(loop)] for loop in loops]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    tiny.assert_close(*(tiny.weights(loop.network) for loop in loops), tolerance=1e-3)


@needs_gpu
def test_a_recorded_step_runs_no_python() -> None:
    loop = tiny.loop(compute=GPU, graph=True, epochs=10, batch_size=10)
    loop.network.append(Counter())
    Counter.calls = 0
    steps(loop, 20)  # of one size: 3 to warm up, 1 recording
    assert Counter.calls == 4


@needs_gpu
def test_recorded_dropout_draws_anew_in_every_step() -> None:
    loop = tiny.loop(tiny.RICH, compute=GPU, graph=True, epochs=30, lr=1e-9, batch_size=50)
    losses = {round(record.train_loss, 9) for record in tiny.epochs_of(loop)}
    assert len(losses) > 20  # the weights stay, the dropped numbers do not


@needs_gpu
@pytest.mark.parametrize("graph", [False, True])
def test_a_step_never_waits_for_the_gpu(graph: bool) -> None:
    changes = ALL_CHANGES.model_copy(update={"mixup": 0.0} if graph else {})
    loop = tiny.loop(tiny.RICH, compute=GPU, graph=graph, epochs=10, batch_size=10, augment=changes)
    images = loop.data.train.store
    loop.data = type(loop.data)(
        loop.data.train, loop.data.validation, changes, OutlierPool(images[:8].clone(), 0.5)
    )
    records = (record for record in loop.run() if isinstance(record, StepRecord))
    for _ in range(6):  # after the first epoch, so that everything is recorded
        next(records)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            next(records)
    finally:
        torch.cuda.set_sync_debug_mode("default")
