"""The version of the program, and those of the libraries that are installed."""

__version__ = "0.1.0"

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "pydantic", "typer")
"""The packages whose versions help with a bug report."""


def library_versions() -> dict[str, str | None]:
    """Return the version of each of `LIBRARIES`, or None where it is not installed. None is imported."""
    return {name: installed_version(name) for name in LIBRARIES}


def installed_version(name: str) -> str | None:
    """Return the version of an installed package, or None."""
    from importlib import metadata  # slow to import: completion must not wait for it

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
