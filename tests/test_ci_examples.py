"""The pipelines of the docs and the Dockerfile: they parse, and every command in them exists."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from test_docs_commands import blocks

from cnn_cli.cli.app import app
from cnn_cli.config.load import load_config

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "Dockerfile"
PIPELINES = {
    block.title: yaml.safe_load(block.text) for block in blocks(ROOT / "docs" / "ci.md") if block.title
}


def lines(value: Any, keys: tuple[str, ...] = ("run", "script", "before_script")) -> Iterator[str]:
    """Every shell line of a pipeline."""
    if isinstance(value, list):
        for item in value:
            yield from lines(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in keys:
                yield from item.splitlines() if isinstance(item, str) else item
            else:
                yield from lines(item)


COMMANDS = [
    pytest.param(line, id=f"{title}: {line}")
    for title, pipeline in PIPELINES.items()
    for line in lines(pipeline)
    if line.startswith("cnn ")
]


def test_there_are_pipelines_with_commands() -> None:
    assert set(PIPELINES) == {"github-workflow.yml", "github-steps.yml", "gitlab-ci.yml"}
    assert len(COMMANDS) == 10


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_with_its_options(line: str) -> None:
    words = shlex.split(re.split(r" [>|] ", line)[0])
    command = typer.main.get_command(app).commands[words[1]]
    with command.make_context(words[1], words[2:]) as context:
        parameters = context.params
    if words[1] == "train":
        assert load_config(parameters["config"], parameters["overrides"] or []).config.train.epochs == 4


def test_the_workflow_is_one_of_github() -> None:
    workflow = PIPELINES["github-workflow.yml"]
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 reads the key `on` as true; GitHub does not
    (job,) = workflow["jobs"].values()
    for step in [*job["steps"], *PIPELINES["github-steps.yml"]]:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))
    assert any("--github" in line for line in lines(job))


def test_the_gitlab_job_keeps_what_it_writes() -> None:
    (job,) = PIPELINES["gitlab-ci.yml"].values()
    written = re.findall(r"> (\S+)|--out (\S+)", "\n".join(job["script"]))
    for file, folder in written:
        assert any(path in (file, f"{folder}/model.safetensors") for path in job["artifacts"]["paths"])


# ---- the Dockerfile


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each instruction."""
    text = re.sub(r"\\\n", "", re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line]


def test_the_image_has_two_stages_and_only_the_second_is_kept() -> None:
    names = [name for name, _ in instructions()]
    assert names.count("FROM") == 2
    last = instructions()[len(names) - names[::-1].index("FROM") :]
    assert {"RUN", "ADD"}.isdisjoint(name for name, _ in last), (
        "nothing is installed in the stage that is kept"
    )
    assert ("ENTRYPOINT", '["cnn"]') in last
    assert any(name == "USER" and "root" not in user for name, user in last)


def test_what_the_image_copies_exists_and_is_what_the_build_needs() -> None:
    copied = {
        source
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    needed = {"pyproject.toml", "README.md", "LICENSE", "cnn_cli", "configs", "checkpoints/pretrained"}
    assert copied == needed | {"requirements-reading.txt"}


@pytest.mark.skipif(shutil.which("hadolint") is None, reason='hadolint is missing: pip install -e ".[dev]"')
def test_the_dockerfile_passes_hadolint() -> None:
    done = subprocess.run(["hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
