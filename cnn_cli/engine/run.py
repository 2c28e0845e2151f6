"""A run from its config to its checkpoint: trains, saves after every epoch, evaluates the test once."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from cnn_cli.config.dump import dump
from cnn_cli.config.schema import Config
from cnn_cli.data.sources import Source
from cnn_cli.engine import build, checkpoint, metrics, tensorfile
from cnn_cli.engine.device import Compute, out_of_memory
from cnn_cli.engine.evaluate import logits_of
from cnn_cli.engine.folder import RunFolder
from cnn_cli.engine.records import EpochRecord, StepRecord
from cnn_cli.engine.seeds import derive
from cnn_cli.engine.train import TrainingLoop
from cnn_cli.engine.training_data import TrainingData
from cnn_cli.errors import ConfigError, DataError, ExitCode, StoppedError
from cnn_cli.files import write_text
from cnn_cli.model.build import initialise

log = logging.getLogger(__name__)

KIND = "training state"
FORMAT = 1
"""Raised when a state of an older version could be misread."""

AGREE_EVERY = 10
"""Steps between two questions among several processes whether to stop: each waits for all of them."""

Listener = Callable[[StepRecord | EpochRecord], None]


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    folder: RunFolder
    data: str
    """What it was really trained and tested on."""
    is_fallback: bool
    best: EpochRecord | None
    """The epoch whose weights were kept; None for a run of no epochs."""
    test: metrics.Metrics
    seconds: float
    """Training and validation of all epochs."""


class Run:
    """A run that is ready to train.

    Args:
        config: the resolved config.
        source: the data.
        compute: device and number format.

    Raises:
        NetworkError, ConfigError, DataError: config and data do not fit together.
    """

    def __init__(self, config: Config, source: Source, compute: Compute) -> None:
        self.config, self.source, self.compute = config, source, compute
        train, validation = build.training_pictures(config, source)
        self.preparation = build.preparation(config, source, train)
        train, strangers = build.shown(config, source, train)
        data = TrainingData(train, validation, config.data.augment, strangers)
        network = build.network(config, len(source.classes))
        initialise(network, derive(config.seed, "weights"))
        self.loop = TrainingLoop(network, data, self.preparation, config.train, config.seed, compute)

    def restore(self, state: "SavedState") -> None:
        """Go on from a saved state.

        Raises:
            DataError: it does not fit this run, or was made with other data.
        """
        if state.data != self.source.name:
            raise DataError(f"{state.path}: trained on {state.data}, but only {self.source.name} is at hand")
        here = _arithmetic(self.compute)
        if state.arithmetic != here:
            log.warning(
                "%s was trained with %s; it goes on with %s, which may round differently",
                state.path.parent,
                state.arithmetic,
                here,
            )
        try:
            self.loop.load_state(state.tensors, state.loop)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"{state.path}: does not fit its config: {_one_line(error)}") from None

    def execute(self, folder: RunFolder, listen: Listener, stop: Callable[[], ExitCode | None]) -> RunResult:
        """Train to the end and evaluate the test set, once, with the best weights.

        Args:
            folder: receives all files.
            listen: called with every record, after what it reports is on the disk.
            stop: asked after every step; an exit code ends the run there, with everything saved.

        Raises:
            StoppedError: as asked for.
            CnnError: the loss diverged, or memory ran out; the last epoch's files stay.
        """
        if self.compute.processes.leads:
            write_text(folder.config, dump(self.config))
        with _errors_of_torch():
            for record in self.loop.run():
                if isinstance(record, EpochRecord):
                    self._save(folder, record)
                listen(record)
                self._stop_if_asked(folder, record, stop)
            return self._finish(folder)

    def _save(self, folder: RunFolder, record: EpochRecord) -> None:
        """The state first: it holds all the others, so a crash between two files loses nothing."""
        self._save_state(folder)
        if not self.compute.processes.leads:
            return
        if record.best:
            checkpoint.write(folder.checkpoint, self._checkpoint())
        self._write_history(folder)

    def _save_state(self, folder: RunFolder) -> None:
        tensors, loop = self.loop.state()
        if not self.compute.processes.leads:
            return
        header = {
            "kind": KIND,
            "format": FORMAT,
            "config": self.config.model_dump(mode="json", exclude_none=True),
            "data": self.source.name,
            "arithmetic": _arithmetic(self.compute),
            "loop": loop,
        }
        tensorfile.write(folder.state, tensors, header)

    def _write_history(self, folder: RunFolder) -> None:
        data = {"data": self.source.name}
        lines = (json.dumps(asdict(record) | data) + "\n" for record in self.loop.history)
        write_text(folder.history, "".join(lines))

    def _checkpoint(self) -> checkpoint.Checkpoint:
        best = self.loop.best_record
        return checkpoint.Checkpoint(
            weights=self.loop.best,
            config=self.config,
            classes=self.source.classes,
            data=self.source.name,
            preparation=self.preparation,
            temperature=best.temperature if best else 1.0,
            metrics={
                "epoch": best.epoch if best else 0,
                "validation_accuracy": best.validation_accuracy if best else None,
                "validation_loss": best.validation_loss if best else None,
            },
        )

    def _stop_if_asked(
        self, folder: RunFolder, record: StepRecord | EpochRecord, stop: Callable[[], ExitCode | None]
    ) -> None:
        """Several processes agree now and then: a signal may have reached one before the others."""
        processes = self.compute.processes
        if processes.together and isinstance(record, StepRecord) and record.step % AGREE_EVERY:
            return
        code = processes.most(stop() or ExitCode.OK)
        if code:
            self._stop(folder, ExitCode(code))

    def _stop(self, folder: RunFolder, code: ExitCode) -> None:
        self._save_state(folder)
        epoch, step = divmod(self.loop.step, self.loop.steps_per_epoch)
        raise StoppedError(
            f"stopped after {epoch} epochs and {step} steps; everything is saved in {folder.path}",
            hint=f"go on with: cnn train --resume {folder.path}",
            code=code,
        )

    def _finish(self, folder: RunFolder) -> RunResult:
        trained = self._checkpoint()
        pictures = self.source.test()
        network = trained.network().to(self.compute.device)
        logits = logits_of(network, pictures, self.preparation, self.compute)
        test = metrics.measure(logits, pictures.labels, self.source.classes, trained.temperature)
        result = RunResult(
            folder=folder,
            data=self.source.name,
            is_fallback=self.source.is_fallback,
            best=self.loop.best_record,
            test=test,
            seconds=sum(record.seconds for record in self.loop.history),
        )
        if self.compute.processes.leads:
            self._write_result(trained, result)
        return result

    def _write_result(self, trained: checkpoint.Checkpoint, result: RunResult) -> None:
        """The file of metrics last: it says that the run is finished."""
        folder, test = result.folder, result.test
        self._write_history(folder)
        figures = {"test_accuracy": test.accuracy, "test_loss": test.loss, "test_n": test.n}
        checkpoint.write(folder.checkpoint, replace(trained, metrics=trained.metrics | figures))
        write_text(folder.metrics, json.dumps(self._metrics(result), indent=2) + "\n")

    def _metrics(self, result: RunResult) -> dict[str, Any]:
        return {
            "name": self.config.name,
            "data": result.data,
            "fallback": result.is_fallback,
            "seed": self.config.seed,
            "epochs": len(self.loop.history),
            "best": asdict(result.best) if result.best else None,
            "test": asdict(result.test),
            "seconds": result.seconds,
            "device": self.compute.describe(),
            "versions": checkpoint.versions(),
        }


@dataclass(frozen=True)
class SavedState:
    """All that a run needs to go on."""

    path: Path
    config: Config
    data: str
    """What the run was really trained on."""
    arithmetic: str
    """What decides the last bits of its numbers: device, number format, threads, version of torch."""
    tensors: dict[str, Tensor]
    loop: dict[str, Any]
    """The values of `TrainingLoop.state`."""


def read_state(folder: RunFolder) -> SavedState:
    """The saved state of a run.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not folder.path.is_dir():
        raise DataError(f"{folder.path}: there is no such run", hint="--resume takes the folder of a run")
    if not folder.state.is_file():
        raise DataError(
            f"{folder.path}: has no {folder.state.name} to go on from (a run writes it after its first epoch)"
        )
    tensors, header = tensorfile.read(folder.state, KIND, FORMAT)
    try:
        return SavedState(
            path=folder.state,
            config=Config.model_validate(header["config"]),
            data=str(header["data"]),
            arithmetic=str(header["arithmetic"]),
            tensors=tensors,
            loop=dict(header["loop"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder.state}: its header cannot be used: {_one_line(error)}") from None


def _arithmetic(compute: Compute) -> str:
    return f"{compute.describe()}, torch {checkpoint.versions()['torch']}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def _errors_of_torch() -> Iterator[None]:
    """Say in the user's words what torch says in its own."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        no_memory = out_of_memory(error)
        if no_memory:
            raise no_memory from error
        raise
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            "train.batch_size: batch normalisation needs at least two pictures in a batch",
            hint="raise train.batch_size",
        ) from None
