"""Choosing the device, and errors where it is not available."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from cnn_cli.errors import ConfigError
from cnn_cli.training.device import choose, out_of_memory

pytestmark = pytest.mark.usefixtures("one_thread")


HAS_CUDA, HAS_MPS = torch.cuda.is_available(), torch.backends.mps.is_available()


@pytest.mark.skipif(HAS_CUDA or HAS_MPS, reason="this machine has an accelerator")
def test_auto_is_the_cpu_without_an_accelerator():
    chosen = choose("auto")
    assert chosen.device == torch.device("cpu")
    assert chosen.precision == "float32"
    assert chosen.describe() == "cpu, float32, 1 thread"


@pytest.mark.parametrize("name", ["cuda:99", *([] if HAS_CUDA else ["cuda", "cuda:0"])])
def test_a_missing_gpu_is_an_error(name):
    count = torch.cuda.device_count()
    with pytest.raises(
        ConfigError, match=rf"train\.device: there is no {name} here; torch sees {count}"
    ) as caught:
        choose(name)
    assert "train.device=cpu" in caught.value.hint


@pytest.mark.skipif(HAS_MPS, reason="this machine has mps")
def test_a_missing_mps_is_an_error():
    with pytest.raises(ConfigError, match=r"train\.device: there is no mps here"):
        choose("mps")


def test_threads_are_set_and_zero_changes_nothing():
    assert choose("cpu", threads=2).threads == torch.get_num_threads() == 2
    assert choose("cpu").threads == 2


def test_autocast_only_with_bfloat16():
    weights = torch.ones(2, 2)
    with choose("cpu", "float32").autocast():
        assert (weights @ weights).dtype == torch.float32
    with choose("cpu", "bfloat16").autocast():
        assert (weights @ weights).dtype == torch.bfloat16


def test_deterministic_mode_is_set_and_reset(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    choose("cpu", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    choose("cpu")
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory(error, is_memory):
    assert (out_of_memory(error) is not None) == is_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_a_loaded_network_gets_no_new_memory_for_each_batch():
    code = """
import resource, torch
from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.model.network import load_network
from cnn_cli.resources import packaged

torch.set_num_threads(1)
network = load_network(checkpoint.read(packaged("pretrained") / "reader.safetensors"))
faults = []
with torch.inference_mode():
    for _ in range(6):
        network(torch.zeros(64, 1, 28, 28))
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print((faults[-1] - faults[-3]) // 2)
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    assert int(done.stdout) < 1000  # without it 5,000, for 20 MB of maps; a busy machine adds 300
