"""Several processes under torchrun: the same result as with one process, and each image once."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from helpers.cli import cnn
from helpers.forks import fork_processes
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cnn_cli.errors import CnnError, DataError
from cnn_cli.training.process_group import SINGLE_PROCESS, ProcessGroup
from cnn_cli.training.reported_once import reported_once

NETWORK = """\
name: small
data:
  {name: synthetic, validation: 101, outliers: 0.5, synthetic: {train: 701, test: 203}, augment: {rotate: 0}}
model:
  layers:
    - pool: {window: 2, kind: avg}
    - conv: {out: 4, kernel: 3, stride: 2}
    - LAYER
    - tanh
    - flatten
    - linear: 10
train: {epochs: 3, batch_size: 50, lr: 0.02, device: cpu, threads: 1, ema: 0.9, class_weights: balanced}
output: {plot: false}
"""
PLAIN = NETWORK.replace("    - LAYER\n", "")
RICH = NETWORK.replace("LAYER", "norm: batch\n    - dropout: 0.2").replace("rotate: 0", "rotate: 10")


def torchrun(*arguments: str) -> list[str]:
    options = ["--standalone", "--nproc-per-node", "2", "-m", "cnn_cli", "train"]
    return [sys.executable, "-m", "torch.distributed.run", *options, *arguments]


def train_two(*arguments: str) -> None:
    """Train with the two processes that torchrun would start."""
    for outcome in [process.outcome() for process in fork_processes(2, "train", *arguments)]:
        assert outcome.code == 0, outcome.err


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def without_times(record: dict) -> dict:
    return {key: value for key, value in record.items() if key not in ("seconds", "images_per_second")}


@given(st.integers(0, 50), st.integers(1, 7))
def test_the_shares_make_up_the_tensor(items, count):
    parts = [ProcessGroup(rank, count).share(torch.arange(items)) for rank in range(count)]
    assert torch.cat(parts).tolist() == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_single_process_exchanges_nothing():
    network, values = torch.nn.BatchNorm2d(3), torch.arange(3)
    with SINGLE_PROCESS.joined(), SINGLE_PROCESS.main_process_first():
        assert SINGLE_PROCESS.sum(values) is values
        assert SINGLE_PROCESS.gather(values, 3) is values
        assert SINGLE_PROCESS.data_parallel(network) is network
        assert SINGLE_PROCESS.max(7) == 7


@pytest.mark.parametrize(
    ("error", "barriers"),
    [(DataError("MNIST is not here"), 1), (KeyboardInterrupt(), 0)],
    ids=["an error that the others find as well", "Ctrl-C, which all processes get"],
)
def test_the_others_go_on_after_an_error_of_the_main_process(error, barriers, monkeypatch):
    """They wait at a barrier until the main process comes to it, and would report a lost process instead."""
    reached: list[None] = []
    monkeypatch.setattr(dist, "barrier", lambda: reached.append(None))
    with pytest.raises(type(error)), ProcessGroup(rank=0, count=2).main_process_first():
        raise error
    assert len(reached) == barriers


@pytest.mark.parametrize(
    "text", ["[/x/gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:1", "NCCL error: remote"]
)
def test_a_connection_that_breaks_is_one_message(monkeypatch, text):
    monkeypatch.setattr("cnn_cli.training.process_group.signal.signal", lambda *_: None)
    group = ProcessGroup(1, 3)
    with (
        pytest.raises(CnnError, match=r"^process 1 of 3: another process has failed or was killed$"),
        group._told_of_lost_processes(),
    ):
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match="shapes"), group._told_of_lost_processes():
        raise RuntimeError("shapes do not fit")


@pytest.fixture
def agent_store(monkeypatch):
    """Pretend to be one of two processes that torchrun has started, with its store."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    variables = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port}
    for name, value in {**variables, "TORCHELASTIC_USE_AGENT_STORE": "True"}.items():
        monkeypatch.setenv(name, str(value))
    return store


def first(text: str) -> bool:
    with reported_once(text) as is_first:
        return is_first


def test_an_error_of_the_only_process_is_reported():
    assert first("alone")
    assert first("alone")


@pytest.mark.usefixtures("agent_store")
def test_an_error_that_all_processes_have_is_reported_once(monkeypatch):
    assert [first(text) for text in ("one", "one", "two", "one")] == [True, False, True, False]
    monkeypatch.setenv("MASTER_ADDR", "no.such.host.invalid")
    assert first("one")  # nobody to ask


@pytest.mark.usefixtures("agent_store")
def test_a_process_waits_until_another_has_reported_its_error():
    """Torchrun stops all processes when one ends: if that is the silent one, nobody reports the error."""
    heard = []

    def second() -> None:
        with reported_once("one") as is_first:
            heard.append(is_first)
        heard.append("ended")

    other = threading.Thread(target=second)
    with reported_once("one") as is_first:
        assert is_first
        other.start()
        other.join(0.3)
        assert heard == [False]
    other.join(10)
    assert heard == [False, "ended"]


def test_two_processes_give_what_one_gives(workplace):
    """Nothing in this network depends on how a batch is split, so only the rounding may differ."""
    Path("small.yaml").write_text(PLAIN)
    one = cnn("train", "--config", "small.yaml", "--out", "one", "--json")
    two = subprocess.run(
        torchrun("--config", "small.yaml", "--out", "two", "--json"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (one.code, two.returncode) == (0, 0), two.stderr
    single, distributed = lines(one.out), lines(two.stdout)
    assert [record["event"] for record in distributed] == ["epoch"] * 3 + ["result"]  # written once
    for record, expected in zip(distributed[:3], single[:3], strict=True):
        assert record["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-4)
        assert record["validation_loss"] == pytest.approx(expected["validation_loss"], rel=1e-4)
        assert record["validation_accuracy"] == pytest.approx(expected["validation_accuracy"], abs=0.011)
    assert distributed[3]["n"] == single[3]["n"] == 203  # each image counts once
    assert distributed[3]["loss"] == pytest.approx(single[3]["loss"], rel=1e-4)
    first, second = load_file("one/model.safetensors"), load_file("two/model.safetensors")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-4, rtol=1e-3)
    assert "2 processes" in json.loads(Path("two/metrics.json").read_text())["device"]
    assert two.stderr.count("training small") == 1


def test_a_signal_stops_all_processes_and_a_resumed_run_ends_with_the_same_bytes(workplace):
    Path("rich.yaml").write_text(RICH)
    train_two("--config", "rich.yaml", "train.epochs=8", "--out", "uninterrupted")
    with Path("log").open("w") as file:
        process = subprocess.Popen(
            torchrun("--config", "rich.yaml", "train.epochs=8", "--out", "stopped"), stdout=file, stderr=file
        )
        deadline = time.monotonic() + 60
        while not Path("stopped/state.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) != 0
    log = Path("log").read_text()
    assert log.count("stopped after") == 1, log
    assert not Path("stopped/metrics.json").exists()
    train_two("--resume", "stopped")
    assert (
        Path("stopped/model.safetensors").read_bytes() == Path("uninterrupted/model.safetensors").read_bytes()
    )
    stopped, uninterrupted = (
        lines(Path(run, "history.jsonl").read_text()) for run in ("stopped", "uninterrupted")
    )
    assert list(map(without_times, stopped)) == list(map(without_times, uninterrupted))


def test_a_step_that_is_too_small_to_share(workplace):
    Path("small.yaml").write_text(PLAIN)
    processes = fork_processes(2, "train", "--config", "small.yaml", "train.batch_size=1")
    outcomes = [process.outcome() for process in processes]
    assert all(outcome.code != 0 for outcome in outcomes)
    errors = "".join(outcome.err for outcome in outcomes)
    assert "error: train.batch_size: 2 processes cannot share steps of 1" in errors
    assert not Path("checkpoints").exists()
