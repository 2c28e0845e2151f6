"""The measurement of how many mutants the tests find: which mutants there are, and which tests are near."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("mutmut", reason='pip install ".[dev]"')
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from mutations import mutations
from nearby_tests import Copy

SOURCE = '''"""What it is for, in -1 words."""

from typing import TYPE_CHECKING, Any

__all__ = ["limited"]
if TYPE_CHECKING:
    LIMIT = 4
Names = dict[str, Any]


def limited(number: int | None, limit: "int" = 3) -> bool:
    """Return whether number < limit."""
    if number is None:
        raise ValueError("no number is given", f"not {number} of")
    return number < limit  # 3 < 4
'''


def test_code_is_mutated_and_nothing_else() -> None:
    found = {(one.line, one.before, one.after) for one in mutations("a.py", SOURCE)}
    assert found == {(11, "3", "4"), (13, "is", "is not"), (15, "< limit", "<= limit")}


def test_a_mutant_is_the_file_with_one_change() -> None:
    sources = [one.source() for one in mutations("a.py", SOURCE)]
    assert sources[-1] == SOURCE.replace("return number < limit", "return number <= limit")


def test_mutants_that_look_the_same_differ_in_name() -> None:
    names = [one.name for one in mutations("a.py", "a = b < c\nd = b < c\n")]
    assert len(names) == len(set(names)) == 4  # also `a = None`


FILES = {
    "cnn_cli/__init__.py": "",
    "cnn_cli/config/__init__.py": "",
    "cnn_cli/config/rule.py": "def allowed(number):\n    return number < 3\n",
    "cnn_cli/config/other.py": "from cnn_cli.config.rule import allowed\n",
    "tests/helpers/__init__.py": "",
    "tests/helpers/far.py": "def load():\n    from cnn_cli.config import other\n",
    "tests/test_far.py": "from helpers.far import load\n",
    "tests/test_config_other.py": "from cnn_cli.config.other import allowed\n",
    "tests/test_all.py": "import cnn_cli.config.rule\n",
    "tests/test_config_rule.py": """
        from cnn_cli.config.rule import allowed
        def test_two(): assert allowed(2)
        def test_fails_anyway(): assert allowed(5)
        def test_three(): assert not allowed(3)
    """,
    "tests/test_nothing.py": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


def test_the_nearest_tests_come_first(project: Path, tmp_path: Path) -> None:
    copy = Copy(project, tmp_path / "copy")
    assert copy.nearest("cnn_cli/config/rule.py") == [
        f"tests/test_{name}.py" for name in ("config_rule", "all", "config_other", "far")
    ]


@pytest.mark.slow
def test_a_mutant_is_found_by_a_test_that_passes_without_it(project: Path, tmp_path: Path) -> None:
    copy = Copy(project, tmp_path / "copy")
    mutants = {one.after: one.source() for one in mutations("rule.py", FILES["cnn_cli/config/rule.py"])}
    path = "cnn_cli/config/rule.py"
    assert copy.failing_test(path, mutants["<= 3"], 60)[0] == "tests/test_config_rule.py::test_three"
    assert copy.failing_test(path, mutants["4"], 60)[0] == "tests/test_config_rule.py::test_three"
    assert copy.failing_test(path, "import nothing", 60)[0] == "tests/test_config_rule.py"
    assert copy.failing_test(path, FILES[path] + "1 + 1\n", 60)[0] is None
    assert (project / path).read_text() == (copy.root / path).read_text() == FILES[path]
