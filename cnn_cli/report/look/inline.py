"""The page's files as one HTML text. Each is a file of its own in `page/`, and needs no build step.

The JavaScript modules become one script in the order of `MODULES`: a browser loads no module from a file, and
none from inside a page. Each becomes a function that runs once and returns what it exports. A policy in the
page forbids every request and every other script, so that nothing from outside can run or be sent.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("page")

MODULES = (
    *("tensor", "windows", "layers", "network", "components", "ink", "normalize", "explain", "occlusion"),
    *("elements", "colors", "maps", "pad", "answer", "strip", "numbers", "scene", "filters", "detail", "why"),
    "main",
)
"""The scripts of the page, each after those that it imports from."""

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|const|class)\*? (\w+))", re.MULTILINE)


def script() -> str:
    """Return all modules as one script."""
    return "\n".join(["", '"use strict";', "const modules = {};", *map(_as_function, MODULES), ""])


def _as_function(name: str) -> str:
    """Return a module as a function that is called at once, and that returns the exported values."""
    code = (PAGE / f"{name}.js").read_text(encoding="utf-8")
    exported = ", ".join(match[2] for match in _EXPORT.finditer(code))
    code = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = modules.\2;", code))
    return f"modules.{name} = (() => {{\n{code}return {{{exported}}};\n}})();\n"


def inlined(title: str, data: dict[str, Any]) -> str:
    """Return the page with style, script and data inside.

    Args:
        title: text of the window's title; may hold any characters.
        data: plain values for `main.js`; their texts may hold any characters.
    """
    code = script()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    values = {
        "TITLE": html.escape(title),
        "SCRIPT_HASH": f"sha256-{digest}",
        "STYLE": (PAGE / "page.css").read_text(encoding="utf-8"),
        "DATA": _json(data),
        "SCRIPT": code,
    }
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _json(data: dict[str, Any]) -> str:
    """Return JSON that no HTML parser takes for markup: `<` would begin `</script>` or a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
