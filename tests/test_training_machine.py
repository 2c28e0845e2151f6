"""What is recorded about the machine of a measurement."""

import os
import platform
import sys

import numpy as np
import torch

import cnn_cli
from cnn_cli.training import device
from cnn_cli.training.machine import describe, processor


def test_a_measurement_names_its_machine_and_its_versions() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert describe(device.choose("cpu", threads=1)) == {
        "device": "cpu, float32, 1 thread",
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{os.uname().sysname} {os.uname().machine}, Python {version}",
        "versions": {"cnn": cnn_cli.__version__, "torch": torch.__version__, "numpy": np.__version__},
    }


def test_the_processor_is_that_of_the_system(monkeypatch, tmp_path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: A Fast One: 4 GHz\nmodel name\t: Another\n")
    monkeypatch.setattr("cnn_cli.training.machine.Path", lambda _: info)
    assert processor() == "A Fast One: 4 GHz"
    info.write_text("processor\t: 0\n")
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert processor() == "arm"
    info.unlink()
    assert processor() == "arm"
