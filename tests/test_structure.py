"""The shape of the package: which way imports go, what no file does, and that the README's tree is true."""

import ast
import inspect
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cnn_cli
from cnn_cli.config.network import vocabulary

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


# ---- the README


def listed() -> dict[str, str]:
    """What the README's tree lists: path to purpose, off lines `path  # purpose` below `## The tree`."""
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("\n## The tree\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^ *(\S+) +# (\S.*)$", section, re.MULTILINE)
    assert lines, "the README has no tree"
    assert len(dict(lines)) == len(lines), "the README lists a path twice"
    return dict(lines)


def on_disk() -> list[str]:
    """The files that the tree must account for."""
    patterns = ("configs/*.yaml", "docs/*", "tests/*.py", "benchmarks/*.py", "checkpoints/pretrained/*")
    files = [path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    modules = [Path("cnn_cli") / path.relative_to(PACKAGE) for path in MODULES.values()]
    return [path.as_posix() for path in (*files, *modules) if path.name not in ("__init__.py", "conftest.py")]


def test_everything_in_the_readmes_tree_exists() -> None:
    assert not [path for path in listed() if not (ROOT / path).exists()]


def test_everything_on_the_disk_is_in_the_readmes_tree() -> None:
    """By its own line, or by that of a folder whose content is not listed one by one."""
    paths = {path.rstrip("/") for path in listed()}
    opened = {parent.as_posix() for path in paths for parent in Path(path).parents}
    closed = paths - opened

    def has_line(path: str) -> bool:
        return path in paths or any(parent.as_posix() in closed for parent in Path(path).parents)

    assert not [path for path in on_disk() if not has_line(path)]


def test_the_vocabulary_is_short():
    """All layers, with their documentation and what they compute, are less than 500 lines to read."""
    files = ("config/layers.py", "model/layers.py", "model/combinators.py")
    lines = sum(len((PACKAGE / file).read_text().splitlines()) for file in files)
    combinators = [kind for kind in vocabulary().values() if kind.__module__ == "cnn_cli.config.network"]
    assert len(combinators) == 5
    assert lines + sum(len(inspect.getsource(kind).splitlines()) for kind in combinators) < 500
