"""The shape of the package: which way imports go, and what no file does."""

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
    {"tools"},
    {"engine"},
    {"model", "data"},
    {"image"},
    {"config"},
    {"errors", "files", "distributed", "resources"},
)
"""A part imports from itself and from the levels below its own, never from a neighbor."""

ONLY_WHERE_NEEDED = {"torchvision", "matplotlib", "pooch", "requests"}
"""Slow to import, and not needed to read an image: imported in the function that uses them."""

WITHOUT_TORCH = {"cli", "console", "image", "config", "errors", "files", "distributed", "resources"}

LONGEST = 300
"""Lines of a file: a longer one is asked for its second idea."""

TABLES = {"cnn_cli.data.synthetic.strokes"}
"""Files that are one table from top to bottom, as long as it is."""


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
    """The top names of what is imported when the module is: not in functions, not for type checking alone."""
    for node in ast.iter_child_nodes(tree):
        checks_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name.split(".")[0] for name in imports(node))
        elif not checks_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from at_import(node)


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


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) in ("data", "model", "image")])
def test_data_model_and_image_take_plain_values(module: str) -> None:
    assert not [name for name in within(module) if part(name) == "config"]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_nothing_slow_when_it_is_imported(module: str) -> None:
    names = set(at_import(TREES[module]))
    assert not names & ONLY_WHERE_NEEDED
    if part(module) in WITHOUT_TORCH:
        assert "torch" not in names


@pytest.mark.parametrize("module", MODULES)
def test_no_text_is_run_and_no_pickle_is_read(module: str) -> None:
    called = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not called & {"eval", "exec", "compile", "__import__", "torch.load", "yaml.load", "os.system"}
    assert not {"pickle", "shelve", "marshal", "dill"} & set(imports(TREES[module]))


@pytest.mark.parametrize("module", sorted(MODULES.keys() - TABLES))
def test_a_file_is_short(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= LONGEST
