"""The configs that there are, and the file that a name means. Quick to import: no YAML and no schema."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnn_cli.errors import ConfigError
from cnn_cli.files import write_text
from cnn_cli.resources import packaged
from cnn_cli.text import close_matches, shorten, suggestion

FOLDER = "configs"
"""The folder of your own configs, below the working folder."""

_BASE_LINE = re.compile(r"^base\s*:\s*(?P<name>[^#\n]*?)\s*(?:#.*)?$", re.MULTILINE)
_LONGEST_NAME = 100  # of a name in a message
_EDITOR_LINE = "yaml-language-server"  # begins a comment for editors, which is not a title


@dataclass(frozen=True)
class Entry:
    """A config that can be named on the command line."""

    name: str
    origin: Literal["./configs", "shipped"]
    path: Path
    title: str  # the first line of its leading comment; empty without one


def names() -> list[Entry]:
    """Return every config that has a name, sorted. One in ./configs hides a shipped one of the same name.

    The name of a config in a subfolder includes it: `paper/vgg16`.
    """
    entries = {entry.name: entry for entry in _entries(packaged("configs"), "shipped")}
    entries |= {entry.name: entry for entry in _entries(Path(FOLDER), "./configs")}
    return [entry for _, entry in sorted(entries.items())]


def find(name: str, beside: Path | None = None) -> Path:
    """Return the file that `name` means, with or without `.yaml`.

    It is the first that exists of: `name` in the folder `beside` (for a `base:`), the path `name`, `name`
    in ./configs, `name` among the shipped configs.

    Raises:
        ConfigError: there is none; the message suggests the closest names.
    """
    places = [Path(name), FOLDER / Path(name), packaged("configs") / name]
    if beside is not None:
        places.insert(0, beside / name)
    candidates = [path for place in places for path in (place, Path(f"{place}.yaml"))]
    for path in candidates:
        if _is_file(path):
            return path
    if name and _is_folder(places[0]):
        raise ConfigError(f"{name!r} is a folder, not a config", hint="name one of the files in it")
    short = shorten(name, _LONGEST_NAME)
    raise ConfigError(f"there is no config {short!r}{_suggestion(name)}", hint="`cnn config list` shows all")


def copy(name: str, target: Path) -> Path:
    """Copy the config `name` to a new file `target`, or into the folder `target`; return the new file.

    If its `base:` would mean another file from there, the copy names the base by its path.

    Raises:
        ConfigError: the file exists already, or cannot be written.
    """
    source = find(name)
    target = target / f"{source.stem}.yaml" if _is_folder(target) else target
    if _is_file(target):
        raise ConfigError(f"{target} exists already", hint="choose another name, or remove it first")
    try:
        write_text(target, _with_base_found(source.read_text(encoding="utf-8"), source, target))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} cannot be copied to {target}: {error}") from None
    return target


def _with_base_found(text: str, source: Path, target: Path) -> str:
    """Return the text with a `base:` that means the same file beside `target` as beside `source`."""
    line = _BASE_LINE.search(text)
    if line is None:
        return text
    name = line["name"].strip("'\"")
    base = find(name, source.parent).resolve()
    with suppress(ConfigError):
        # A copy with the name of its base would be its own base.
        if target.stem != Path(name).stem and find(name, target.parent).resolve() == base:
            return text
    path = Path(os.path.relpath(base, target.parent.resolve())).as_posix()
    return text[: line.start()] + f"base: {json.dumps(path)}" + text[line.end() :]


def _entries(folder: Path, origin: Literal["./configs", "shipped"]) -> Iterator[Entry]:
    for path in folder.glob("**/*.yaml"):
        yield Entry(path.relative_to(folder).with_suffix("").as_posix(), origin, path, _title(path))


def _title(path: Path) -> str:
    """Return the first line of the comment at the top of a file; empty if it has none or is unreadable."""
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        for line in iter(lambda: file.readline(1000), ""):
            text = line.lstrip("#").strip()
            if not line.startswith("#") and text:
                break
            if text and not text.startswith(_EDITOR_LINE):
                return text
    return ""


def _suggestion(name: str) -> str:
    stem = Path(name).name.removesuffix(".yaml")[:_LONGEST_NAME]
    # Of two configs with the same last name, suggest the one in fewer folders: zfnet, not paper/zfnet.
    deepest_first = sorted(names(), key=lambda entry: -entry.name.count("/"))
    known = {Path(entry.name).name: entry.name for entry in deepest_first}
    return suggestion([known[near] for near in close_matches(stem, known, count=3)])


def _is_file(path: Path) -> bool:
    """Return whether `path` can be read, as a file or a pipe can; False if no system allows the name."""
    with suppress(OSError, ValueError):
        return path.exists() and not path.is_dir()
    return False


def _is_folder(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False
