"""The sections about how a result came about: the config, the environment and the commands that repeat it."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.base import base_of
from cnn_cli.config.differences import Difference, config_differences
from cnn_cli.config.dump import dump
from cnn_cli.config.schema import Config
from cnn_cli.report.html.markup import Markup, element
from cnn_cli.report.html.page import command, details, facts, note, scrolled, section, table

LEFT_OUT = {"name", "output"}
"""Settings that decide no result."""


def config_section(config: Config) -> Markup:
    """Return the config: what differs from its base, and all of it with these lines highlighted."""
    base = base_of(config, parent_of)
    changed = config_differences(base.config, config, leave_out=LEFT_OUT)
    differs = f"What differs from {base.name}:" if changed else f"It does not differ from {base.name}."
    return section(
        "Config",
        note(differs),
        difference_table(changed, (base.name, "this run")) if changed else None,
        details("The whole config", _highlighted(dump(base.config), dump(config))),
    )


def difference_table(differences: Sequence[Difference], columns: tuple[str, str]) -> Markup:
    """Return settings that differ, with both values."""
    rows = [[difference.key, *difference.describe()] for difference in differences]
    return table(["setting", *columns], rows, caption="settings that differ", names=3)


def _highlighted(base: str, text: str) -> Markup:
    """Return a YAML whose lines that are not in its base are highlighted."""
    before, after = base.splitlines(keepends=True), text.splitlines(keepends=True)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    parts = [
        "".join(after[start:end]) if kind == "equal" else element("mark", "".join(after[start:end]))
        for kind, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]
    return scrolled("config", element("pre", element("code", parts)))


def environment_section(trained: Mapping[str, Any], measured: Mapping[str, Any] | None) -> Markup:
    """Return the machine and the versions of the training, and those of the measurements of this report.

    Args:
        trained: as `training.machine` describes them; what is missing was not recorded.
        measured: the same, of this report; None if nothing was measured.
    """
    parts: list[Markup] = []
    for title, machine in (("Trained on", trained), ("Measured for this report on", measured)):
        if machine:
            parts += [element("h3", title), facts(_described(machine))]
    return section("Environment", parts or note("Not recorded."))


def _described(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = ("device", "processor", "cores", "system")
    rows = [(name, str(machine[name])) for name in names if machine.get(name)]
    return rows + [(name, str(version)) for name, version in machine.get("versions", {}).items()]


def commands_section(commands: Mapping[str, str]) -> Markup:
    """Return commands, each below what it does."""
    parts = [(note(purpose), command(line)) for purpose, line in commands.items()]
    return section("Repeat it", parts)
