"""`cnn version`."""

import cnn_cli
from cnn_cli.cli.options import Json

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "pydantic", "typer")
"""The packages whose versions help with a bug report; none is imported for it."""


def version(as_json: Json = False) -> None:
    """Print the versions of cnn, Python and the libraries that it uses."""
    import platform

    from cnn_cli import console

    versions = {
        "cnn": cnn_cli.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    libraries = {name: _installed(name) for name in LIBRARIES}
    if as_json:
        console.json_line(versions | libraries)
    else:
        console.facts([(name, text or "not installed") for name, text in (versions | libraries).items()])


def _installed(name: str) -> str | None:
    from importlib import metadata  # slow to import: completion must not wait for it

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
