"""Names of configs -> files: where they are searched, how they are listed and copied."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cnn_cli import resources
from cnn_cli.config import catalog
from cnn_cli.config.catalog import Entry, copy, find, names
from cnn_cli.config.load import load_config
from cnn_cli.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
NETWORK = "model:\n  layers: [flatten, linear: 10]\n"


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped configs, and an empty working folder beside it."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "lenet.yaml").write_text(f"# LeNet-5, as shipped\n{NETWORK}")
    (folder / "tiny.yaml").write_text("base: lenet\n# no title\n")
    work = tmp_path / "work"
    (work / "configs").mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(catalog, "packaged", lambda kind: tmp_path / "shipped")
    return folder


@pytest.mark.parametrize("name", ["lenet", "lenet.yaml"])
def test_the_nearest_file_of_a_name_wins(shipped: Path, name: str) -> None:
    assert find(name) == shipped / "lenet.yaml"
    Path("configs/lenet.yaml").write_text(NETWORK)
    assert find(name) == Path("configs/lenet.yaml")
    Path("lenet").mkdir()  # a folder is skipped
    assert find(name) == Path("configs/lenet.yaml")
    Path("lenet.yaml").write_text(NETWORK)
    assert find(name) == Path("lenet.yaml")
    assert find(str(shipped / name)) == shipped / "lenet.yaml"


def test_a_config_in_a_folder_is_named_with_it(shipped: Path) -> None:
    for folder in (shipped, Path("configs")):
        (folder / "paper").mkdir()
    (shipped / "paper" / "vgg16.yaml").write_text(f"# VGG\n{NETWORK}")
    (shipped / "paper" / "vgg19.yaml").write_text("base: vgg16\n")
    assert [entry.name for entry in names()] == ["lenet", "paper/vgg16", "paper/vgg19", "tiny"]
    assert find("paper/vgg16") == find("paper/vgg16.yaml") == shipped / "paper" / "vgg16.yaml"
    assert load_config("paper/vgg19").config.name == "vgg19"
    with pytest.raises(ConfigError, match=r"did you mean 'paper/vgg19' or 'paper/vgg16'\?"):
        find("vgg1")
    for name in ("alexnet", "zfnet"):  # before and after `paper` in the alphabet
        for file in (f"{name}.yaml", f"paper/{name}.yaml"):
            (shipped / file).write_text(NETWORK)
        with pytest.raises(ConfigError, match=f"did you mean '{name}'"):
            find(f"{name[:-2]}tt")
        for file in (f"{name}.yaml", f"paper/{name}.yaml"):
            (shipped / file).unlink()
    copied = copy("paper/vgg19", Path("my.yaml"))
    assert load_config(str(copied)).config.model == load_config("paper/vgg16").config.model
    Path("configs/paper/vgg16.yaml").write_text(NETWORK)
    assert find("paper/vgg16") == Path("configs/paper/vgg16.yaml")
    assert [entry.origin for entry in names()] == ["shipped", "./configs", "shipped", "shipped"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenit", "there is no config 'lenit' (did you mean 'lenet'?)"),
        ("configs/lenett.yaml", "there is no config 'configs/lenett.yaml' (did you mean 'lenet'?)"),
        ("zzz", "there is no config 'zzz'"),
        ("", "there is no config ''"),
        ("a\0b", "there is no config 'a\\x00b'"),
        ("n" * 5000, f"there is no config '{'n' * 99}…'"),
        ("configs", "'configs' is a folder, not a config"),
    ],
)
def test_a_name_without_a_file_is_one_message(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(name)
    assert caught.value.message == message
    assert caught.value.hint


def test_the_list_has_the_origin_of_each_config(shipped: Path) -> None:
    Path("configs/mine.yaml").write_text("# yaml-language-server: x.json\n#\n# My net\n# more\na: 1\n")
    Path("configs/tiny.yaml").write_text("a: 1\n# late\n")
    Path("configs/notes.txt").write_text("no config")
    Path("configs/bytes.yaml").write_bytes(b"\xff\xfe")
    assert names() == [
        Entry("bytes", "./configs", Path("configs/bytes.yaml"), ""),
        Entry("lenet", "shipped", shipped / "lenet.yaml", "LeNet-5, as shipped"),
        Entry("mine", "./configs", Path("configs/mine.yaml"), "My net"),
        Entry("tiny", "./configs", Path("configs/tiny.yaml"), ""),
    ]


def test_listing_imports_neither_torch_nor_the_schema() -> None:
    code = (
        "import sys; from cnn_cli.config import catalog; catalog.names()\n"
        "print({'torch', 'torchvision', 'pydantic', 'yaml', 'numpy'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "none"


def test_a_copy_has_the_same_text(shipped: Path) -> None:
    assert copy("lenet", Path("mine.yaml")) == Path("mine.yaml")
    assert Path("mine.yaml").read_text() == (shipped / "lenet.yaml").read_text()
    assert copy("lenet", Path("configs")) == Path("configs/lenet.yaml")


def test_a_copy_never_overwrites() -> None:
    Path("mine.yaml").write_text("precious")
    with pytest.raises(ConfigError, match=r"^mine\.yaml exists already$"):
        copy("lenet", Path("mine.yaml"))
    assert Path("mine.yaml").read_text() == "precious"


def test_a_copy_where_nothing_can_be_written_is_one_message() -> None:
    Path("file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be copied to file/mine\.yaml"):
        copy("lenet", Path("file/mine.yaml"))


def test_a_copy_keeps_a_base_that_has_the_same_meaning_there() -> None:
    copy("tiny", Path("mine.yaml"))
    assert Path("mine.yaml").read_text() == "base: lenet\n# no title\n"
    assert len(load_config("mine").config.model.layers) == 2


@pytest.mark.parametrize("target", ["elsewhere/mine.yaml", "lenet.yaml", "configs/lenet.yaml"])
def test_a_copy_names_its_base_by_path_where_the_name_means_another(target: str) -> None:
    """The base lies beside the original only, or the copy has the name of its base."""
    Path("nets").mkdir()
    Path("nets/lenet.yaml").write_text(f"seed: 5\n{NETWORK}")
    Path("nets/small.yaml").write_text("# small\nbase: 'lenet.yaml'  # the large one\ntrain: {epochs: 1}\n")
    copied = copy("nets/small", Path(target))
    text = copied.read_text()
    assert text.startswith('# small\nbase: "')
    assert text.endswith("\ntrain: {epochs: 1}\n")
    assert load_config(target).config == load_config("nets/small").config.model_copy(
        update={"name": copied.stem}
    )


def test_a_copy_with_the_name_of_its_base_is_not_its_own_base(shipped: Path) -> None:
    copy("tiny", Path("lenet.yaml"))
    assert len(load_config("lenet.yaml").config.model.layers) == 2


@pytest.mark.parametrize(("kind", "top"), [("configs", "configs"), ("pretrained", "checkpoints/pretrained")])
def test_shipped_files_are_in_the_package_or_at_the_top_of_the_checkout(
    tmp_path: Path, kind, top: str
) -> None:
    package = tmp_path / "cnn_cli"
    package.mkdir()
    assert resources.packaged(kind, package) == tmp_path / top
    (package / kind).mkdir()
    assert resources.packaged(kind, package) == package / kind


def test_the_wheel_puts_shipped_files_where_they_are_searched() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in build["force-include"].items():
        kind = Path(target).name
        assert resources.packaged(kind, ROOT / "absent" / "cnn_cli") == ROOT / "absent" / source
        assert target == f"cnn_cli/{kind}"
