"""`cnn doctor`: all is well here, and each thing that may be broken is found, with a hint."""

import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.cli import cnn

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.cli import doctor as command
from cnn_cli.doctor import checkup, installation, machine, selftest, stored
from cnn_cli.doctor.result import CheckResult
from cnn_cli.errors import CnnError, ConfigError

pytestmark = pytest.mark.usefixtures("workplace")


def broken(result: CheckResult, *words: str) -> None:
    """Check that a result is a problem that names its cause and how to fix it."""
    assert result.status == "problem", result
    assert result.hint
    for word in words:
        assert word in result.what


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---- the whole


def test_here_everything_works_and_the_self_test_is_quick() -> None:
    outcome = cnn("doctor", "--json")
    results = {result["name"]: result for result in map(json.loads, outcome.out.splitlines())}
    assert outcome.code == 0, outcome
    assert len(results) == len(checkup.FOR_READING) + len(checkup.FOR_TRAINING)
    assert not [result for result in results.values() if result["status"] == "problem"]
    assert all(result["hint"] for result in results.values() if result["status"] == "warning")
    assert results["reading"]["what"].startswith("10 of 10 drawn digits")
    assert "one step of lenet on" in results["training"]["what"]
    assert f"torch {torch.__version__.split('+')[0]}" in results["versions"]["what"]
    assert not list(Path().glob("checkpoints/*"))
    assert not list(Path("data").glob("*")), "the self test leaves nothing behind"


def test_a_problem_is_exit_code_1_with_its_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "FOR_READING", (stored.default_checkpoint, machine.threads))
    monkeypatch.setattr(checkup, "FOR_TRAINING", ())
    monkeypatch.setenv("CNN_CHECKPOINT", "nothing.safetensors")
    outcome = cnn("doctor")
    hint = "hint: unset CNN_CHECKPOINT, or name a checkpoint"
    assert outcome.code == 1
    assert outcome.out.splitlines()[0].split(maxsplit=2)[:2] == ["problem", "checkpoint"]
    assert outcome.out.splitlines()[1].strip() == hint
    assert outcome.out.splitlines()[2].startswith("ok       threads")
    assert outcome.err == f"error: not everything works: checkpoint\n{hint}\n"


def test_the_column_of_names_is_wide_enough() -> None:
    names = ["included networks", "data folder", "torchvision"]
    assert max(map(len, names)) <= command.WIDTH


def test_an_installation_that_only_reads_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "FOR_READING", ())
    monkeypatch.setattr(installation, "installed_version", lambda name: None)
    (result,) = checkup.check_all()
    assert (result.name, result.status) == ("torch", "ok")
    assert "reads images" in result.what


def test_what_a_check_did_not_expect_is_a_problem_too() -> None:
    def unlucky() -> CheckResult:
        raise RuntimeError("no luck\ntoday")

    assert checkup._run(unlucky) == CheckResult("unlucky", "problem", "RuntimeError: no luck today")


# ---- the installation


def test_a_torch_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    broken(installation.torch(), "cannot be imported")


@pytest.mark.parametrize("cuda", [None, "13.0"])
@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("driver", [False, True])
def test_a_cuda_build_without_a_gpu_wastes_space(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cuda: str | None, gpu: bool, driver: bool
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(installation, "cuda_bytes", lambda: 4_300_000_000)
    monkeypatch.setattr(installation, "DRIVER", tmp_path if driver else tmp_path / "none")
    result = installation.torch()
    if cuda is None or gpu:
        assert (result.status, result.hint) == ("ok", None)
    elif driver:
        broken(result, "cannot use the GPU")
    else:
        assert (result.status, result.hint) == ("warning", installation.CPU_BUILD)
        assert result.what.endswith("CUDA build, no GPU: 4.3 GB unused")


def package(folder: Path, name: str, version: str, *requirements: str, record: str = "") -> None:
    """Write what pip writes about an installed package."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requirements)]
    (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")
    (info / "RECORD").write_text(record)


def test_the_unused_bytes_are_those_of_the_packages_for_gpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package(tmp_path, "nvidia-cublas", "1.0", record="nvidia/lib/libcublas.so,sha256=x,1000\nx.py,,\n")
    package(tmp_path, "triton", "1.0", record="triton/a.so,sha256=x,200\n")
    files = ("libtorch_cuda.so,sha256=x,30", "libtorch_cpu.so,sha256=x,4")
    files = "".join(f"torch/lib/{file}\n" for file in files) + "torch/cuda/a.py,,5\n"
    package(tmp_path, "torch", "1.0", record=files)
    package(tmp_path, "numpy", "1.0", record="numpy/a.so,sha256=x,7\n")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert installation.cuda_bytes() == 1230


def test_a_torchvision_for_another_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package(tmp_path, "torchvision", "0.99", "numpy", "torch==1.2.3")
    monkeypatch.syspath_prepend(tmp_path)
    broken(installation.torchvision(), "0.99 is for torch 1.2.3, not for")


def test_a_torchvision_that_cannot_be_imported_or_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchvision", None)
    broken(installation.torchvision(), "cannot be imported")
    monkeypatch.setattr(installation, "installed_version", lambda name: None)
    assert installation.torchvision().status == "warning"


# ---- the machine


def test_a_device_that_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(name: str) -> None:
        raise ConfigError("train.device: there is no cuda here", hint="use train.device=cpu")

    monkeypatch.setattr("cnn_cli.training.device.choose", choose)
    broken(machine.device(), "no cuda here")


def test_more_threads_than_cores_are_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "CPU_LIMIT", tmp_path / "cpu.max")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert machine.threads().status == "ok"
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert (machine.threads().status, machine.threads().hint) == ("warning", "OMP_NUM_THREADS=8")
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert (machine.threads().status, machine.threads().hint) == (
        *("warning", "OMP_NUM_THREADS=2, or train.threads=2"),
    )
    (tmp_path / "cpu.max").write_text("max 100000\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert machine.threads().status == "ok"


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    assert machine.memory().what == "unknown on this system"
    (tmp_path / "meminfo").write_text("MemTotal:  8000000 kB\nMemAvailable:  500000 kB\nHugePages: 0\n")
    result = machine.memory()
    assert (result.status, result.what) == ("warning", "512 MB of 8.2 GB available")


@pytest.mark.parametrize(("free", "status"), [(49e6, "problem"), (51e6, "warning"), (2e9, "ok")])
def test_no_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, status: str) -> None:
    usage = type("usage", (), {"free": free})
    monkeypatch.setattr("cnn_cli.doctor.machine.shutil.disk_usage", lambda folder: usage)
    for result in (machine.disk(), stored.data_folder()):
        assert (result.status, bool(result.hint)) == (status, status != "ok")


# ---- files


def test_a_data_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert stored.data_folder().status == "ok"
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "a-file" / "data"))
    broken(stored.data_folder(), "a-file/data cannot be written: Not a directory")
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("cnn_cli.doctor.stored.tempfile.TemporaryFile", no_space)
    broken(stored.data_folder(), "cannot be written: No space left on device")
    assert not (tmp_path / "data").exists()


def test_damaged_and_incomplete_data(cache: Path) -> None:
    assert stored.data_sets().what.startswith("none yet")
    raw = cache / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01")
    result = stored.data_sets()
    broken(result, "mnist: t10k-labels-idx1-ubyte is damaged: cut short")
    assert result.hint == "cnn data get mnist"


def test_a_package_for_data_that_is_not_there_is_not_missed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SVHN is read with scipy, which a plain installation lacks."""
    for module in [module for module in sys.modules if module.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert stored.data_sets().status == "ok"
    cache.mkdir()
    (cache / "test_32x32.mat").write_bytes(b"something")
    broken(stored.data_sets(), "svhn is read with scipy")


def test_complete_data_is_verified_and_a_missing_file_is_a_warning(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNN_DATA", str(mnist_folder))
    assert stored.data_sets() == CheckResult("data", "ok", "mnist: verified by checksum")
    monkeypatch.setenv("CNN_DATA", str(tmp_path / "part"))
    (tmp_path / "part").mkdir()
    labels = next(mnist_folder.rglob("t10k-labels*"))
    (tmp_path / "part" / labels.name).symlink_to(labels)
    result = stored.data_sets()
    assert (result.status, result.hint) == ("warning", "cnn data get mnist")
    assert "is missing" in result.what


def test_no_data_and_no_network_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_OFFLINE", "1")
    assert stored.data_sets().status == "warning"


def test_networks_that_ship_are_damaged_or_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = shipped("lenet").read_bytes()
    assert stored.included_networks().status == "ok"
    (tmp_path / "ships").mkdir()
    monkeypatch.setattr("cnn_cli.checkpoint.choose.packaged", lambda kind: tmp_path / "ships")
    broken(stored.included_networks(), "none in")
    (tmp_path / "ships" / "reader.safetensors").write_bytes(content[:-100])
    broken(stored.included_networks(), "reader.safetensors: is not a checkpoint, or is damaged")
    broken(stored.default_checkpoint(), "reader.safetensors: is not a checkpoint, or is damaged")
    broken(selftest.read_digits(), "reader.safetensors: is not a checkpoint, or is damaged")


def test_a_network_that_reads_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkpoint = file.read(shipped("lenet"))
    weights = {name: np.zeros_like(array) for name, array in checkpoint.weights.items()}
    file.write(tmp_path / "zero.safetensors", replace(checkpoint, weights=weights))
    monkeypatch.setattr(selftest, "shipped", lambda: tmp_path / "zero.safetensors")
    broken(selftest.read_digits(), "1 of 10 drawn digits")


def test_a_damaged_run_and_an_unfinished_one(trained_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes((trained_run / "model.safetensors").read_bytes())
    assert stored.runs().what.startswith("1 in checkpoints, 1 of them unfinished")
    (folder / "model.safetensors").write_bytes(b"cut")
    broken(stored.runs(), "mine/model.safetensors: is not a checkpoint, or is damaged")


def test_a_checkpoint_of_the_environment_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "used if none is named: pretrained/reader.safetensors and pretrained/line.safetensors"
    assert stored.default_checkpoint().what == expected
    monkeypatch.setenv("CNN_CHECKPOINT", "nothing.safetensors")
    broken(stored.default_checkpoint(), "nothing.safetensors: no such file")


# ---- the self test


def test_a_disk_that_fills_up_while_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_cli.files.os.fsync", no_space)
    broken(selftest.train_step(), "No space left on device")


def test_a_training_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise CnnError("the loss is not a number", hint="lower train.lr")

    monkeypatch.setattr("cnn_cli.training.run.Run.execute", fails)
    broken(selftest.train_step(), "the loss is not a number")
