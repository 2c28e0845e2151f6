"""The commands' class: help with metavars instead of types, and quick completion."""

import re
from typing import Any

from typer.core import TyperCommand

_TYPE = re.compile(r" <[^<>]*>$")  # typer writes `KEY=VALUE <list[str]>`


class Command(TyperCommand):
    """A command whose help shows metavars without types, and whose arguments are completed quickly."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; for completion without converting them, because that needs pydantic."""
        if ctx.resilient_parsing:
            for parameter in self.params:
                vars(parameter)["process_value"] = lambda ctx, value: value
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections `Arguments` and `Options`."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_argument = parameter.param_type_name == "argument"
            name = _TYPE.sub("", record[0]) + ("..." if is_argument and parameter.nargs != 1 else "")
            sections["Arguments" if is_argument else "Options"].append((name, record[1]))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def examples(*lines: str) -> str:
    """Return the end of a command's help: example command lines, kept as they are."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\b\n" + "\n".join([title, *(f"  {line}" for line in lines)])
