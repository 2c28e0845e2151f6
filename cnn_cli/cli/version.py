"""`cnn version`."""

from cnn_cli.cli.options import Json
from cnn_cli.version import __version__, library_versions


def version(as_json: Json = False) -> None:
    """Print the versions of cnn, Python and the libraries that it uses."""
    import platform

    from cnn_cli import console

    versions = {"cnn": __version__, "python": platform.python_version(), "system": platform.platform()}
    libraries = library_versions()
    if as_json:
        console.json_line(versions | libraries)
    else:
        console.facts([(name, text or "not installed") for name, text in (versions | libraries).items()])
