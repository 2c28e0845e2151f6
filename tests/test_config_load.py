"""Files and arguments -> a checked Config: errors with their exact place, `base:`, overrides."""

import re
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from cnn_cli.config import load
from cnn_cli.config.dump import dump
from cnn_cli.config.foreign_names import FOREIGN_NAMES, NO_SUCH_SETTING
from cnn_cli.config.load import load_config, load_text, read, validate
from cnn_cli.config.overrides import apply
from cnn_cli.config.problems import MAX_PROBLEMS
from cnn_cli.config.schema import Config, settings_named
from cnn_cli.config.tree import Node, SourcePosition
from cnn_cli.errors import ConfigError, ExitCode

SMALL = """\
seed: 7
model:
  layers:
    - conv: {out: 6, kernel: 5}
    - relu
    - pool:
        window: 2
        kind: max
    - flatten
    - linear: 10
train:
  epochs: 2
  lr: 1e-3
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with configs/my.yaml."""
    monkeypatch.chdir(tmp_path)
    write("my", SMALL)
    return tmp_path


def write(name: str, text: str) -> Path:
    path = Path("configs") / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def failure(name: str = "my", *arguments: str) -> str:
    """Return the message of a config that cannot be used, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        load_config(name, arguments)
    assert caught.value.code is ExitCode.USAGE
    return caught.value.message.replace("configs/my.yaml:", "")


def test_a_good_config_is_read() -> None:
    loaded = load_config("my")
    assert loaded.origin == Path("configs/my.yaml")
    assert loaded.config.name == "my"
    assert loaded.config.seed == 7
    assert loaded.config.output.folder == "checkpoints"
    assert loaded.config.train.lr == 0.001
    assert [item.name for item in loaded.config.model.layers] == ["conv", "relu", "pool", "flatten", "linear"]


def test_a_problem_that_is_detected_later_still_has_its_place() -> None:
    loaded = load_config("my", ["train.epochs=3"])
    path = ("model", "layers", 2, "pool")
    assert loaded.locate(path) == "configs/my.yaml:6:7"
    assert (
        loaded.problem(path, "a 3x3 window does not fit the 16x2x2 input")
        == "configs/my.yaml:6:7 model.layers[2].pool: a 3x3 window does not fit the 16x2x2 input"
    )
    assert loaded.locate((*path, "stride")) == "configs/my.yaml:6:7"
    assert loaded.locate(("train", "epochs")) == "argument 'train.epochs=3'"
    assert loaded.locate(("output", "folder")) == "configs/my.yaml:1:1"


# A change of the small config, and the complete message that it must give.
WRONG = [
    ("seed: 7", "seed: ten", "1:7 seed: must be a whole number, not 'ten'"),
    ("seed: 7", "seed: '7'", "1:7 seed: must be a whole number, not '7'"),
    ("seed: 7", "seed: 1.5", "1:7 seed: must be a whole number, not 1.5"),
    ("seed: 7", "seed: -1", "1:7 seed: must be at least 0, not -1"),
    ("seed: 7", "seed:", "1:6 seed: must be a whole number, not null"),
    ("seed: 7", "sead: 7", "1:1: unknown key 'sead' (did you mean 'seed'?)"),
    ("seed: 7", "zzz: 7", "1:1: unknown key 'zzz'; known keys: name, seed, data, model, train, output"),
    ("train:", "trian:", "11:1: unknown key 'trian' (did you mean 'train'?)"),
    (
        "model:",
        "mode:",
        "1:1 model: is missing, and it has no default\n2:1: unknown key 'mode' (did you mean 'model'?)",
    ),
    ("epochs: 2", "epoch: 2", "12:3 train: unknown key 'epoch' (did you mean 'epochs'?)"),
    ("epochs: 2", "seed: 2", "12:3 train: unknown key 'seed': it belongs at the top level of the config"),
    ("epochs: 2", "plot: true", "12:3 train: unknown key 'plot' (did you mean 'output.plot'?)"),
    ("seed: 7", "epoch: 7", "1:1: unknown key 'epoch' (did you mean 'train.epochs'?)"),
    (
        "seed: 7",
        "folder: x",
        "1:1: unknown key 'folder' (did you mean 'output.folder'?)",
    ),
    ("seed: 7", "output: {folder: 3}", "1:18 output.folder: must be text, not 3"),
    ("epochs: 2", "epochs: true", "12:11 train.epochs: must be a whole number, not true"),
    ("epochs: 2", "epochs: [2]", "12:3 train.epochs: must be a whole number, not [2]"),
    (
        "epochs: 2",
        "optimizer: adma",
        "12:14 train.optimizer: must be one of sgd, adam, adamw, muon, not 'adma' (did you mean 'adam'?)",
    ),
    (
        "epochs: 2",
        "schedule: 3",
        "12:13 train.schedule: must be one of constant, step, cosine, one_cycle, not 3",
    ),
    ("epochs: 2", "warmup: 1", "12:11 train.warmup: must be less than 1, not 1"),
    ("epochs: 2", "zzz: true", "12:3 train: unknown key 'zzz'; known keys: epochs, batch_size, accumulate,"),
    ("epochs: 2", "deterministic: yes", "12:18 train.deterministic: must be true or false, not 'yes'"),
    (
        "epochs: 2",
        "device: tpu",
        "12:11 train.device: must be auto, cpu, mps, cuda or cuda:NUMBER, not 'tpu'",
    ),
    (
        "epochs: 2",
        "device: -1",
        "12:11 train.device: must be auto, cpu, mps, cuda or cuda:NUMBER, not -1",
    ),
    (
        "epochs: 2",
        "device: true",
        "12:11 train.device: must be auto, cpu, mps, cuda or cuda:NUMBER, not true",
    ),
    (
        "epochs: 2",
        "precision: fp16",
        "12:14 train.precision: must be one of auto, float32, bfloat16, not 'fp16'",
    ),
    ("epochs: 2", "momentum: 0.5", "11:1 train: momentum is a setting of sgd, but optimizer is adamw"),
    (
        "lr: 1e-3",
        "lr: 1e-3\ndata: {augment: {elastic_sigma: 3}}",
        "14:8 data.augment: elastic_sigma is a setting of the elastic distortion, but elastic is 0",
    ),
    ("lr: 1e-3", "lr: 0", "13:7 train.lr: must be greater than 0, not 0"),
    ("lr: 1e-3", "lr: true", "13:7 train.lr: must be a number, not true"),
    ("lr: 1e-3", "betas: [0.9, x]", "13:16 train.betas[1]: must be a number, not 'x'"),
    ("lr: 1e-3", "betas: 0.9", "13:10 train.betas: must be a list, not 0.9"),
    ("out: 6", "out: 0", "4:19 model.layers[0].conv.out: must be at least 1, not 0"),
    ("out: 6, ", "", "4:7 model.layers[0].conv.out: is missing, and it has no default"),
    ("kernel: 5", "kernle: 5", None),
    ("- relu", "- rleu", "5:7 model.layers[1]: unknown key 'rleu' (did you mean 'relu'?)"),
    ("- relu", "- conv", None),
    ("window: 2", "windw: 2", None),
    (
        "kind: max",
        "kind: maximum",
        "8:15 model.layers[2].pool.kind: must be one of max, avg, not 'maximum' (did you mean 'max'?)",
    ),
    ("linear: 10", "linear: ten", "10:15 model.layers[4].linear.out: must be a whole number, not 'ten'"),
    ("linear: 10", "linear: 70000", "10:15 model.layers[4].linear.out: must be at most 65536, not 70000"),
    ("epochs: 2", f"optimizer: {'x' * 500}", f"must be one of sgd, adam, adamw, muon, not '{'x' * 38}…"),
]
SEVERAL = {
    "kernel: 5": "4:7 model.layers[0].conv.kernel: is missing, and it has no default\n"
    "4:22 model.layers[0].conv: unknown key 'kernle' (did you mean 'kernel'?)",
    "- relu": "5:7 model.layers[1].conv.out: is missing, and it has no default\n"
    "5:7 model.layers[1].conv.kernel: is missing, and it has no default",
    "window: 2": "6:7 model.layers[2].pool.window: is missing, and it has no default\n"
    "7:9 model.layers[2].pool: unknown key 'windw' (did you mean 'window'?)",
}


@pytest.mark.parametrize(("good", "bad", "message"), WRONG)
def test_what_the_schema_refuses_is_an_error_in_plain_english(
    good: str, bad: str, message: str | None
) -> None:
    write("my", SMALL.replace(good, bad))
    found = failure()
    if message is None:
        assert found == SEVERAL[good]
    elif message.endswith((",", "…")):  # the rest is the whole list of keys, or was cut
        assert message in found
        assert found.count("\n") == 0
        assert len(found) < 400
    else:
        assert found == message


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("train.device=0", "cuda:0"),
        ("train.device=3", "cuda:3"),
        ("train.device=gpu", "cuda"),
        ("train.device=cuda:1", "cuda:1"),
        ("train.device=cpu", "cpu"),
        ("train.precision=bf16", "bfloat16"),
        ("train.precision=fp32", "float32"),
        ("train.precision=float", "float32"),
        ("train.precision=bfloat16", "bfloat16"),
    ],
)
def test_devices_and_precisions_are_understood_as_people_type_them(argument: str, value: str) -> None:
    """On the command line and in a file; the checked config and its dump have one word for each."""
    section, setting, text = re.split("[.=]", argument)
    write("typed", f"{SMALL}  {setting}: {text}\n")
    for config in (load_config("my", [argument]).config, load_config("typed").config):
        assert getattr(config.train, setting) == value
        assert f"  {setting}: {value}\n" in dump(config)
    assert section == "train"


# What people who know another trainer write: the setting that the message must name, and its names in
# Transformers' TrainingArguments, Lightning's Trainer, timm's train.py, Ultralytics, fastai, scikit-learn,
# torch, and many scripts.
FROM_ELSEWHERE = {
    "train.batch_size": "per_device_train_batch_size train_batch_size batch bs",
    "train.epochs": "num_train_epochs max_epochs n_epochs num_epochs",
    "train.lr": "learning_rate lr0",
    "train.optimizer": "optim opt",
    "train.weight_decay": "wd",
    "train.schedule": "lr_scheduler_type lr_scheduler scheduler",
    "train.warmup": "warmup_ratio",
    "train.label_smoothing": "label_smoothing_factor smoothing",
    "train.clip_norm": "max_grad_norm gradient_clip_val clip_grad clip_grad_norm",
    "train.accumulate": "gradient_accumulation_steps accumulate_grad_batches grad_accum_steps",
    "train.ema": "ema_decay model_ema_decay",
    "train.patience": "early_stopping_patience",
    "train.device": "accelerator",
    "train.precision": "bf16 fp16 amp dtype",
    "data.size": "img_size imgsz image_size",
    "data.channels": "in_chans in_channels",
    "data.root": "data_dir data_path",
    "data.name": "dataset",
    "data.validation": "val_split",
    "model.classes": "num_classes",
    "output.folder": "output_dir save_dir",
    "seed": "random_state manual_seed random_seed",
}
WITHOUT_SETTING = {
    "dataloader_num_workers",
    "num_workers",
    "workers",
    "pin_memory",
    "drop",
    "drop_rate",
    "dropout",
}


def test_names_of_other_trainers_are_known() -> None:
    assert {name: key for key, names in FROM_ELSEWHERE.items() for name in names.split()} == FOREIGN_NAMES
    assert NO_SUCH_SETTING.keys() == WITHOUT_SETTING


@pytest.mark.parametrize(("name", "setting"), sorted(FOREIGN_NAMES.items()))
def test_a_name_of_another_trainer_is_answered_with_the_right_key(name: str, setting: str) -> None:
    """At the top level, in a section where it is wrong, and on the command line in both places."""
    answer = f"unknown key '{name}' (did you mean '{setting}'?)"
    write("top", f"{SMALL}{name}: 1\n")
    assert failure("top") == f"configs/top.yaml:14:1: {answer}"
    write("below", f"{SMALL}  {name}: 1\n")
    assert failure("below") == f"configs/below.yaml:14:3 train: {answer}"
    for key in (name, f"train.{name}", f"data.augment.{name}"):
        with pytest.raises(ConfigError) as caught:
            load_config("my", [f"{key}=1"])
        assert caught.value.message == f"argument '{key}=1': {answer}"
        assert caught.value.hint == f"settings are written key=value: {setting}=..."


@pytest.mark.parametrize("setting", sorted({*FOREIGN_NAMES.values()}))
def test_the_named_settings_exist(setting: str) -> None:
    section: Any = Config
    for key in setting.split("."):
        section = section.model_fields[key].annotation


@pytest.mark.parametrize("name", sorted(NO_SUCH_SETTING))
def test_a_setting_that_other_trainers_have_and_this_one_lacks_is_explained(name: str) -> None:
    answer = f"unknown key '{name}': {NO_SUCH_SETTING[name]}"
    write("below", f"{SMALL}data: {{{name}: 1}}\n")
    assert failure("below") == f"configs/below.yaml:14:8 data: {answer}"
    assert failure("my", f"{name}=1") == f"argument '{name}=1': {answer}"
    assert settings_named(name) == []


def test_there_are_no_loader_workers_and_the_message_says_why() -> None:
    for name in ("num_workers", "workers"):
        assert "held in memory" in NO_SUCH_SETTING[name]


@pytest.mark.parametrize(
    ("argument", "setting"),
    [
        ("epochs=3", "train.epochs"),
        ("lr=0.1", "train.lr"),
        ("momentum=0.5", "train.momentum"),
        ("rotate=5", "data.augment.rotate"),
        ("train.size=32", "data.size"),
        ("classes=10", "model.classes"),
    ],
)
def test_a_setting_without_its_section_gets_the_right_form(argument: str, setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown key '\w+' \(did you mean '{setting}'\?\)$") as caught:
        load_config("my", [argument])
    assert caught.value.hint == f"settings are written key=value: {setting}=..."


@pytest.mark.parametrize("argument", ["test=3", "zzz=3", "train.epochs=x", "model.layers[0].conv.epochs=3"])
def test_there_is_no_hint_where_no_single_setting_is_meant(argument: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("my", [argument])
    assert caught.value.hint is None


def test_all_problems_are_reported_in_the_order_of_the_file_then_of_the_arguments() -> None:
    write(
        "my",
        SMALL.replace("seed: 7", "seed: ten").replace("out: 6", "out: 0").replace("lr: 1e-3", "lr: fast"),
    )
    assert failure("my", "data.size=7", "train.epochs=x") == (
        "1:7 seed: must be a whole number, not 'ten'\n"
        "4:19 model.layers[0].conv.out: must be at least 1, not 0\n"
        "13:7 train.lr: must be a number, not 'fast'\n"
        "argument 'data.size=7': must be at least 8, not 7\n"
        "argument 'train.epochs=x': must be a whole number, not 'x'"
    )


def test_thousands_of_problems_are_few_lines_and_quick() -> None:
    write("my", "".join(f"key{n}: 1\n" for n in range(9_000)))
    start = time.process_time()
    lines = failure().split("\n")
    assert time.process_time() - start < 3
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1] == f"... and {9_001 - MAX_PROBLEMS} more"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int = Field(ge=1)


class Unions(BaseModel):
    """A schema whose fields take values of several kinds."""

    model_config = ConfigDict(extra="forbid")
    padding: Literal["same", "valid"] | int = 0
    inner: int | Inner | list[Inner] = 1
    named: dict[str, list[Inner]] = {}
    few: list[int] = Field(default=[1], min_length=1, max_length=2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"padding": "sam"},
            "padding: must be one of same, valid or a whole number, not 'sam' (did you mean 'same'?)",
        ),
        ({"inner": "x"}, "inner: must be a whole number or a map or a list, not 'x'"),
        ({"inner": {"width": 0}}, "inner.width: must be at least 1, not 0"),
        ({"inner": [{"widht": 1, "width": 1}]}, "inner[0]: unknown key 'widht' (did you mean 'width'?)"),
        ({"named": {"a": [{"width": "w"}]}}, "named.a[0].width: must be a whole number, not 'w'"),
        ({"few": []}, "few: must be a list of at least 1 item, not []"),
        ({"few": [1, 2, 3]}, "few: must be a list of at most 2 items, not [1, 2, 3]"),
    ],
)
def test_a_value_of_several_kinds_gives_one_line_without_pydantics_labels(
    value: object, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(tree_of(value), Unions)
    assert caught.value.message == f"here {message}"


def tree_of(value: object) -> Node:
    here = SourcePosition("here")
    if isinstance(value, dict):
        return Node({key: tree_of(item) for key, item in value.items()}, here, here)
    return Node([tree_of(item) for item in value] if isinstance(value, list) else value, here, here)


@pytest.mark.parametrize(
    ("argument", "path", "value"),
    [
        ("train.epochs=5", ("train", "epochs"), 5),
        ("train.lr=5e-4", ("train", "lr"), 0.0005),
        ("train.lr = 5e-4", ("train", "lr"), 0.0005),
        ("model.layers.0.conv.out=12", ("model", "layers", 0, "conv", "out"), 12),
        ("model.layers[0].conv.out=12", ("model", "layers", 0, "conv", "out"), 12),
        ("model.layers.1=tanh", ("model", "layers", 1), "tanh"),
        ("data.mirrors=[a, b]", ("data", "mirrors"), ["a", "b"]),
        ("data.root=a=b, c d", ("data", "root"), "a=b, c d"),
        ("data.root=", ("data", "root"), None),
        ("data.augment={rotate: 5}", ("data", "augment"), {"rotate": 5}),
        ("output.folder='yes'", ("output", "folder"), "yes"),
    ],
)
def test_an_override_sets_a_value(argument: str, path: tuple[str | int, ...], value: object) -> None:
    loaded = load_config("my", [argument])
    node, depth = loaded.tree.nearest(path)
    assert (node.plain(), depth) == (value, len(path))
    assert loaded.locate(path) == f"argument {argument!r}"


def test_the_last_override_wins_and_nothing_else_changes() -> None:
    loaded = load_config("my", ["train.epochs=x", "train.epochs=3", "train.epochs=4"])
    assert loaded.config == load_config("my").config.model_copy(
        update={"train": load_config("my").config.train.model_copy(update={"epochs": 4})}
    )


def test_overrides_leave_the_tree_alone() -> None:
    tree = read(Path("configs/my.yaml"))
    before = tree.plain()
    after = apply(tree, ["train.epochs=9", "model.layers[0].conv.out=9", "data.root=x"])
    assert tree.plain() == before
    assert after.plain() != before


def test_an_override_fills_an_empty_section() -> None:
    write("my", SMALL + "data:\n")
    assert load_config("my", ["data.validation=10"]).config.data.validation == 10


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("train.epochs", ": an override is key=value, such as train.epochs=3"),
        ("=3", ": the key is missing before the '='"),
        ("train..epochs=3", ": a part of the key is missing before the '='"),
        ("train.=3", ": a part of the key is missing before the '='"),
        ("seed.x=3", ": seed is a single value, so it has no key 'x'"),
        ("model.layers.1.relu=3", ": model.layers[1] is text, so it has no key 'relu'"),
        ("model.layers.5=relu", ": model.layers has 5 items, 0 to 4, but no item 5"),
        (f"model.layers.{'9' * 30}=relu", None),
        ("model.layers.-1=relu", ": model.layers is a list: name an item by its number, from 0"),
        ("model.layers.relu=relu", ": model.layers is a list: name an item by its number, from 0"),
        ("train.betas=[0.9", ": the list that opens here lacks a ',' or its ']'"),
        ("data.root=*x", ": this alias has no anchor before it"),
        (
            "data={root: a, root: b}",
            ": there is a key 'root' already, at argument 'data={root: a, root: b}'",
        ),
        ("train.lr=.inf", ": a number must be finite, not .inf"),
        ("base=lenet", ": `base` works in files only; name the other config itself"),
        ("train.epocs=3", ": unknown key 'epocs' (did you mean 'epochs'?)"),
        ("tain.epochs=3", ": unknown key 'tain' (did you mean 'train'?)"),
        ("train.optimizer=", ": must be one of sgd, adam, adamw, muon, not null"),
        ("model.layers=[]", ": must be a list of at least 1 item, not []"),
        (
            "model.layers[1]={conv: {out: 3}}",
            " model.layers[1].conv.kernel: is missing, and it has no default",
        ),
        ("model=relu", ": must be a map, not 'relu'"),
        ("data.root=a\x07", None),
    ],
)
def test_a_bad_override_points_at_the_argument(argument: str, message: str | None) -> None:
    found = failure("my", argument)
    if message is None:  # the argument is shortened or escaped
        assert found.startswith("argument '")
        assert "\x07" not in found
        assert len(found) < 200
    else:
        assert found == f"argument {argument!r}{message}"


@pytest.mark.parametrize(("levels", "refused"), [(64, False), (65, True)])
def test_a_key_and_its_value_nest_no_deeper_than_a_file_may(levels: int, refused: bool) -> None:
    """A checkpoint holds the config with its settings, and must be read again."""
    key, brackets = ".".join("a" * 32), levels - 32
    found = failure("my", f"{key}={'[' * brackets}{']' * brackets}")
    assert found.endswith(": more than 64 levels of nesting, which no config needs") == refused


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("x" * 61, f"argument '{'x' * 59}…': an override is key=value, such as train.epochs=3"),
        ("x" * 60, f"argument '{'x' * 60}': an override is key=value, such as train.epochs=3"),
        (
            f"seed.{'k' * 70}=1",
            f"argument 'seed.{'k' * 54}…': seed is a single value, so it has no key '{'k' * 59}…'",
        ),
    ],
)
def test_a_long_argument_is_cut(argument: str, message: str) -> None:
    assert failure("my", "seed=1", argument) == message


SETTINGS_OF = {
    "momentum=0.5": ("optimizer", {"sgd"}),
    "betas=[0.5, 0.9]": ("optimizer", {"adam", "adamw", "muon"}),
    "step_epochs=3": ("schedule", {"step"}),
    "step_factor=0.3": ("schedule", {"step"}),
    "restarts=[1]": ("schedule", {"cosine", "one_cycle"}),
}
CHOICES = {
    "optimizer": ("sgd", "adam", "adamw", "muon"),
    "schedule": ("constant", "step", "cosine", "one_cycle"),
}


@pytest.mark.parametrize("setting", SETTINGS_OF)
def test_a_setting_without_effect_is_refused(setting: str) -> None:
    chooser, users = SETTINGS_OF[setting]
    for choice in CHOICES[chooser]:
        arguments = [f"train.{chooser}={choice}", f"train.{setting}"]
        if choice in users:
            load_config("my", arguments)
        else:
            with pytest.raises(ConfigError, match=f"is a setting of .*, but {chooser} is {choice}"):
                load_config("my", arguments)


@pytest.mark.parametrize("restarts", ["[2, 2]", "[3, 2]", "[4]", "[5]"])
def test_restarts_beyond_the_epochs_are_refused_with_a_way_out(restarts: str) -> None:
    """A config with restarts, such as reader.yaml, is tried with fewer epochs."""
    few = ["train.schedule=cosine", "train.epochs=4"]
    message = failure("my", *few, f"train.restarts={restarts}")
    assert "restarts must rise, and stay below the 4 epochs (one cycle: train.restarts=[])" in message
    assert load_config("my", [*few, "train.restarts=[]"]).config.train.restarts == ()
    assert load_config("my", [*few, "train.restarts=[1, 3]"]).config.train.restarts == (1, 3)


def test_all_bad_overrides_are_reported_at_once() -> None:
    assert failure("my", "epochs", "seed=1", "=2").count("\n") == 1


def test_a_base_is_overridden_and_places_are_those_of_the_values_in_effect() -> None:
    write("base", SMALL + "data: {root: here, augment: {rotate: 5, scale: 0.1}}\nname: other\n")
    write("my", "base: base\ndata:\n  augment: {scale: 0.2}\ntrain: {epochs: 9}\n")
    loaded = load_config("my")
    config = loaded.config
    assert (config.name, config.seed, config.train.epochs, config.train.lr) == ("my", 7, 9, 0.001)
    assert (config.data.root, config.data.augment.rotate, config.data.augment.scale) == ("here", 5, 0.2)
    assert loaded.locate(("train", "epochs")) == "configs/my.yaml:4:17"
    assert loaded.locate(("train", "lr")) == "configs/base.yaml:13:7"
    assert loaded.locate(("data", "augment", "scale")) == "configs/my.yaml:3:20"


def test_lists_of_a_base_are_replaced() -> None:
    write("base", SMALL)
    write("my", "base: base.yaml\nmodel:\n  layers: [flatten, linear: 10]\n")
    assert len(load_config("my").config.model.layers) == 2


def test_a_base_is_searched_beside_its_file_first() -> None:
    write("base", SMALL)
    Path("elsewhere").mkdir()
    Path("elsewhere/base.yaml").write_text(SMALL.replace("seed: 7", "seed: 8"))
    Path("elsewhere/a.yaml").write_text("base: base\n")
    Path("elsewhere/b.yaml").write_text("base: ../configs/base.yaml\n")
    assert load_config("elsewhere/a").config.seed == 8
    assert load_config("elsewhere/b.yaml").config.seed == 7


def test_errors_in_a_base_point_into_it() -> None:
    write("base", SMALL.replace("epochs: 2", "epochs: two"))
    write("my", "base: base\n")
    assert failure() == "configs/base.yaml:12:11 train.epochs: must be a whole number, not 'two'"


def test_a_base_that_is_no_config_at_all_is_reported_where_it_is_named() -> None:
    write("my", "seed: 1\nbase: base.yaml\n")
    write("base", "#" * 262_145)
    assert failure() == "2:7 base: configs/base.yaml: longer than 256 KiB, which no config needs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "base: my\n",
            "1:7 base: the configs build on each other in a circle: configs/my.yaml -> configs/my.yaml",
        ),
        (
            "base: other\n",
            "configs/other.yaml:2:7 base: the configs build on each other in a circle: "
            "configs/my.yaml -> configs/other.yaml -> configs/my.yaml",
        ),
        ("seed: 1\nbase: othr\n", "2:7 base: there is no config 'othr' (did you mean 'other'?)"),
        ("base: [a]\n", "1:1 base: must be the name of a config, not a list"),
        ("base:\n", "1:6 base: must be the name of a config, not a single value"),
        ("base: .\n", "1:7 base: '.' is a folder, not a config"),
    ],
)
def test_a_bad_base_is_one_message(text: str, message: str) -> None:
    write("other", "seed: 1\nbase: my\n")
    write("my", text)
    assert failure() == message.replace("configs/my.yaml:", "")


def test_a_chain_of_bases_is_bounded() -> None:
    write("c0", SMALL)
    for number in range(1, 20):
        write(f"c{number}", f"base: c{number - 1}\n")
    assert load_config(f"c{load.MAX_BASES}").config.seed == 7
    with pytest.raises(ConfigError, match=f"more than {load.MAX_BASES} configs build on each other"):
        load_config("c19")


@pytest.mark.parametrize(
    ("file", "name"), [("my net!", "my-net-"), ("_x", "x"), ("é", "network"), ("a.b", "a.b")]
)
def test_a_run_is_named_after_its_file(file: str, name: str) -> None:
    write(file, SMALL)
    assert load_config(f"configs/{file}.yaml").config.name == name


def test_text_from_a_checkpoint_is_checked_too() -> None:
    assert load_text(SMALL, "inside").config.seed == 7
    with pytest.raises(ConfigError, match=r"^inside:1:1: unknown key 'sede'"):
        load_text(SMALL.replace("seed", "sede"), "inside")
