"""Checks of the installation: the versions, and PyTorch with torchvision."""

import platform
import re
from pathlib import Path

from cnn_cli.doctor.result import CheckResult, size
from cnn_cli.text import one_line
from cnn_cli.version import __version__, installed_version, library_versions

DRIVER = Path("/proc/driver/nvidia/version")
"""Exists on Linux where the driver of an NVIDIA GPU is loaded."""

CUDA_PACKAGES = re.compile(r"nvidia-|cuda-|triton$")
CUDA_LIBRARIES = re.compile(r"/lib\w*(cuda|cudnn|nvrtc|cusparse|cublas|nccl|nvshmem)[^/]*$")
"""Packages, and files of torch itself, that only a GPU needs."""

CPU_BUILD = "the build for CPUs: uv pip install --reinstall --torch-backend=cpu torch torchvision"
TOGETHER = "install both together: pip install --upgrade torch torchvision"


def versions() -> CheckResult:
    """Report the versions of the program, Python, the system and the libraries."""
    libraries = [f"{name} {version}" for name, version in library_versions().items() if version]
    python = f"Python {platform.python_version()}, {platform.platform()}"
    return CheckResult("versions", "ok", f"cnn {__version__}, {python}, {', '.join(libraries)}")


def has_torch() -> bool:
    """Return whether torch is installed; an installation that only reads images has none."""
    return installed_version("torch") is not None


def torch() -> CheckResult:
    """Check that torch can be imported, and that a CUDA build has a GPU."""
    version = installed_version("torch")
    try:
        import torch
    except Exception as error:
        return CheckResult(
            "torch", "problem", f"{version} cannot be imported: {one_line(error)}", hint=TOGETHER
        )
    if torch.version.cuda is None or torch.cuda.is_available():
        return CheckResult("torch", "ok", torch.__version__)
    if DRIVER.exists():
        return CheckResult(
            "torch",
            "problem",
            f"{torch.__version__} for CUDA {torch.version.cuda} cannot use the GPU of this machine",
            hint="compare the versions with those of nvidia-smi, and update the driver",
        )
    return CheckResult(
        "torch", "warning", f"{torch.__version__}: CUDA build, no GPU: {size(cuda_bytes())} unused", CPU_BUILD
    )


def cuda_bytes() -> int:
    """Return the bytes of the installed files that only a GPU needs, by the records of their packages."""
    from importlib import metadata

    total = 0
    for package in metadata.distributions():
        name = str(package.metadata["Name"]).lower()
        if name == "torch" or CUDA_PACKAGES.match(name):
            files = package.files or []
            needed = (file for file in files if name != "torch" or CUDA_LIBRARIES.search(file.as_posix()))
            total += sum(file.size or 0 for file in needed)
    return total


def torchvision() -> CheckResult:
    """Check that torchvision is the one for the installed torch, and that it can be imported."""
    version, torch_version = installed_version("torchvision"), installed_version("torch")
    if version is None:
        return CheckResult(
            "torchvision", "warning", "not installed: usps, svhn and cifar10 need it", hint=TOGETHER
        )
    needed = _needed_torch()
    if needed and torch_version and torch_version.split("+")[0] != needed:
        return CheckResult(
            "torchvision", "problem", f"{version} is for torch {needed}, not for {torch_version}", TOGETHER
        )
    try:
        import torchvision  # noqa: F401 - a mismatch of the two builds shows when it is imported
    except Exception as error:
        return CheckResult(
            "torchvision", "problem", f"{version} cannot be imported: {one_line(error)}", TOGETHER
        )
    return CheckResult("torchvision", "ok", version)


def _needed_torch() -> str | None:
    """Return the version of torch that the installed torchvision was built for, if it says so."""
    from importlib import metadata

    for requirement in metadata.requires("torchvision") or ():
        match = re.match(r"torch\s*\(?==\s*([\d.]+)", requirement)
        if match:
            return match[1]
    return None
