"""The structure of the package: which way imports go, and what no file does."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cnn_cli

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(cnn_cli.__file__).parent
MODULES = {
    ".".join(("cnn_cli", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}

LEVELS = (
    {"__main__"},
    {"cli"},
    {"console"},
    {"api", "doctor"},
    {"report", "export"},
    {"training"},
    {"reading"},
    {"data", "model", "inference"},
    {"image"},
    {"checkpoint"},
    {"config"},
    {"locks"},
    {"files", "workers", "user_folders"},
    {"extras"},
    {"errors", "distributed", "memory", "resources", "version"},
    {"text", "json_text"},
)
"""A room imports from itself and from the levels below its own, never from a room of the same level."""

ONLY_WHERE_NEEDED = {"torchvision", "matplotlib", "requests", "pillow_heif", "pypdfium2"}
"""Slow to import, and not needed to read most images: imported in the function that uses them."""

WITH_TORCH = {"model", "data", "training", "report"}
"""The rooms that may import torch. No other module imports them when it is imported itself."""

USED_FOR_TORCH = {"cnn_cli.api.runs"}
"""Modules that are imported only when something is trained or evaluated (`cnn_cli.__getattr__`)."""

LONGEST = 300
"""Lines of a file. A longer file probably holds a second idea."""

TABLES = {"cnn_cli.data.synthetic.strokes"}
"""Files that are one table from top to bottom."""


def part(module: str) -> str:
    """The folder or file right below the package; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in the tree, in functions and for type checking too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else str(node.module) for name in inner)


def at_import(tree: ast.AST) -> Iterator[str]:
    """Yield the top names of what `imports_at_import` yields."""
    yield from (name.split(".")[0] for name in imports_at_import(tree))


def imports_at_import(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported when the module is: not in functions, and not for type checking alone."""
    for node in ast.iter_child_nodes(tree):
        checks_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        elif not checks_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports_at_import(node)


def within(module: str) -> set[str]:
    """The modules of the package that a module imports."""
    return {name for name in imports(TREES[module]) if name in MODULES} - {module}


def level(module: str) -> int:
    return next(number for number, parts in enumerate(LEVELS) if part(module) in parts)


@pytest.mark.parametrize("module", [name for name in MODULES if part(name)])
def test_imports_go_one_way(module: str) -> None:
    for other in within(module):
        if part(other):
            assert part(other) == part(module) or level(other) > level(module), f"{module} imports {other}"


def test_imports_have_no_circle() -> None:
    try:
        list(TopologicalSorter({module: within(module) for module in MODULES}).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


TAKES_CONFIGS = {"cnn_cli.model.network"}
"""The one module of those rooms that turns a config into plain values."""

PLAIN = {"cnn_cli.config.budget", "cnn_cli.config.choices", "cnn_cli.config.naming"}
"""Modules of the config room that hold words and plain functions, and no pydantic."""


@pytest.mark.parametrize(
    "module", [name for name in MODULES if part(name) in ("model", "inference", "image")]
)
def test_what_computes_takes_plain_values(module: str) -> None:
    if module not in TAKES_CONFIGS:
        assert not [name for name in within(module) - PLAIN if part(name) == "config"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_nothing_slow_when_it_is_imported(module: str) -> None:
    names = set(at_import(TREES[module]))
    assert not names & ONLY_WHERE_NEEDED
    if part(module) not in WITH_TORCH:
        assert "torch" not in names


def at_import_within(module: str) -> set[str]:
    """Return the modules of the package that a module imports when it is imported."""
    return {name for name in imports_at_import(TREES[module]) if name in MODULES} - {module}


@pytest.mark.parametrize(
    "module", [name for name in MODULES if part(name) not in WITH_TORCH and name not in USED_FOR_TORCH]
)
def test_the_reading_half_imports_no_torch_by_any_way(module: str) -> None:
    waiting, visited = [module], set()
    while waiting:
        name = waiting.pop()
        if name not in visited:
            visited.add(name)
            assert "torch" not in set(at_import(TREES[name])), f"{module} imports torch by {name}"
            waiting += at_import_within(name)


def test_the_documented_arrow_is_the_tested_one() -> None:
    """docs/architecture.md prints the levels, from top to bottom, in as many lines as it takes."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert arrow() in " ".join(page.split()), f"docs/architecture.md lacks: {arrow()}"


def arrow() -> str:
    """Return the levels as the documents print them."""
    groups = [sorted(names) for names in LEVELS if names != {"__main__"}]
    return " -> ".join(names[0] if len(names) == 1 else "{" + ", ".join(names) + "}" for names in groups)


@pytest.mark.parametrize("module", MODULES)
def test_no_text_is_run_and_no_pickle_is_read(module: str) -> None:
    called = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not called & {"eval", "exec", "compile", "__import__", "torch.load", "yaml.load", "os.system"}
    assert not {"pickle", "shelve", "marshal", "dill"} & set(imports(TREES[module]))


@pytest.mark.parametrize("module", sorted(MODULES.keys() - TABLES))
def test_a_file_is_short(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST
