"""The docs are true: generated parts are up to date, links work, and figures are those that were measured."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from cnn_cli.errors import ExitCode

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def _script(path: str) -> ModuleType:
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs")
    return _script("docs/generate.py")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return _script("benchmarks/table.py")


# ---- what is generated


def test_the_reference_is_up_to_date(generate: ModuleType) -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == generate.reference()


def test_the_tree_is_up_to_date(generate: ModuleType) -> None:
    assert generate.architecture(ARCHITECTURE) == ARCHITECTURE


def test_the_tables_are_what_was_measured(table: ModuleType) -> None:
    results = (ROOT / "docs" / "results.md").read_text()
    assert table.readme(README) == README
    assert table.page(results) == results


def test_the_report_is_what_was_measured_and_shows_every_results_file(table: ModuleType) -> None:
    report = (ROOT / "RESULTS.md").read_text()
    assert table.report() == report
    for path in (ROOT / "benchmarks" / "results").glob("*"):
        assert f"(benchmarks/results/{path.name})" in report


def test_every_setting_layer_and_option_is_explained() -> None:
    for line in (ROOT / "docs" / "reference.md").read_text().splitlines():
        if line.startswith("| `"):
            assert line.split("|")[-2].strip(), f"no explanation: {line}"


# ---- the architecture page


def listed() -> dict[str, str]:
    """What the tree lists: path to purpose, from lines `path  # purpose`, indented by folder."""
    paths, folders = {}, [""]
    section = ARCHITECTURE.partition("\n## The tree\n")[2]
    for indent, name, purpose in re.findall(r"^( *)(\S+) +# (\S.*)$", section, re.MULTILINE):
        depth = len(indent) // 2
        folders[depth + 1 :] = [folders[depth] + name]
        paths[folders[depth] + name] = purpose
    return paths


def on_disk() -> set[str]:
    """The files that the tree must account for."""
    patterns = (
        "cnn_cli/**/*.py",
        "configs/**/*.yaml",
        "docs/*.*",
        "tests/*.py",
        "benchmarks/**/*.*",
        "checkpoints/pretrained/*",
    )
    files = [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}


def test_every_file_is_in_the_tree_by_its_own_line_or_that_of_its_folder() -> None:
    lines = set(listed())
    closed = {path for path in lines if path.endswith("/")} - {
        f"{Path(path).parent.as_posix()}/" for path in lines
    }
    for path in on_disk():
        folder = f"{Path(path).parent.as_posix()}/"
        own = folder if Path(path).name == "__init__.py" else path
        assert own in lines or folder in closed, f"{path} is missing in docs/architecture.md"


def test_everything_in_the_tree_exists_and_has_a_purpose_of_one_line() -> None:
    assert len(listed()) > 100
    for path, purpose in listed().items():
        assert (ROOT / path).exists(), path
        assert 4 <= len(purpose) <= 120, f"{path}: {purpose}"


# ---- the README


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 900


@pytest.mark.parametrize(
    "command", ["pip install . && cnn train --config lenet.yaml", 'pip install ".[test]" && pytest']
)
def test_the_readme_has_its_two_commands_and_the_gate_runs_them(command: str) -> None:
    gate = (ROOT / ".ci" / "run").read_text().replace("pip install --quiet", "pip install")
    assert f"\n{command} " in README
    assert all(part in gate for part in command.split(" && "))


def links(path: Path) -> list[str]:
    """Relative links and images of a page, without their anchors."""
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda page: page.name)
def test_every_link_names_a_file(page: Path) -> None:
    assert not [link for link in links(page) if not (page.parent / link).exists()]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    assert set(re.findall(r"[\w-]+\.md", str(site))) == {path.name for path in ROOT.glob("docs/*.md")}


def test_images_are_small_and_used() -> None:
    text = "".join(path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.stat().st_size <= 150_000, path
        assert f"images/{path.name}" in text, f"{path.name} is on no page"


def test_the_exit_codes_are_documented() -> None:
    table = (ROOT / "docs" / "errors.md").read_text().partition("## Exit codes")[2]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(ExitCode)
