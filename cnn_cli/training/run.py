"""A run: trains a config, saves after every epoch, and evaluates the test set once at the end."""

import json
import logging
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.checkpoint.tensorfile import by_prefix
from cnn_cli.config.dump import dump
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Source
from cnn_cli.data.sources import with_name
from cnn_cli.errors import DataError, ExitCode, StoppedError
from cnn_cli.files import write_text
from cnn_cli.model.network import load_network, network_for
from cnn_cli.text import one_line
from cnn_cli.training.datasets import training_data
from cnn_cli.training.device import Compute, torch_errors
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.line_metrics import LineMetrics
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.machine import describe, versions
from cnn_cli.training.metrics import Metrics
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.state import SavedState, to_arrays, write_state
from cnn_cli.training.weights import first_weights

log = logging.getLogger(__name__)

AGREE_EVERY = 10
"""Steps after which several processes agree whether to stop: they wait for each other each time."""

Listener = Callable[[StepRecord | EpochRecord], None]


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run."""

    folder: RunFolder
    data: str
    """What it was actually trained and tested on."""
    is_fallback: bool
    best: EpochRecord | None
    """The epoch whose weights were kept; None for a run without epochs."""
    test: Metrics | LineMetrics
    history: tuple[EpochRecord, ...]
    """All epochs."""

    @property
    def checkpoint(self) -> Path:
        """The file of the trained network."""
        return self.folder.checkpoint

    @property
    def accuracy(self) -> float:
        """Share of the test images (of lines: of the texts) that are answered right, 0..1."""
        return self.test.accuracy

    @property
    def reads_lines(self) -> bool:
        """Whether the network reads lines instead of single images."""
        return isinstance(self.test, LineMetrics)

    @property
    def seconds(self) -> float:
        """Seconds of training and validation, over all epochs."""
        return sum(record.seconds for record in self.history)


class Run:
    """A run that is ready to train.

    Args:
        config: the resolved config.
        source: the data.
        compute: device and number format.
        state: the state to continue from; None for a new run, which may start from a trained network.

    Raises:
        NetworkError, ConfigError: the config does not fit the data, or the network that it starts from.
        DataError: the data or that network cannot be read, or the state is not one of this run.
    """

    def __init__(
        self, config: Config, source: Source, compute: Compute, state: SavedState | None = None
    ) -> None:
        config = config.model_copy(update={"data": with_name(config.data)})  # what `auto` means here and now
        self.config, self.source, self.compute = config, source, compute
        data, self.preprocessing = training_data(config, source)
        network = network_for(config, len(source.classes))
        if state:
            self._check(state, network)  # before a large network is copied
        # A run that continues has all its weights, and the network that it started from may be gone.
        self.start = None if state else first_weights(network, config, source.classes)
        origin = state or self.start
        self.parent = origin.parent if origin else None
        self.loop = TrainingLoop(network, data, self.preprocessing, config.train, config.seed, compute)
        if state:
            self._restore(state)

    def _check(self, state: SavedState, network: nn.Module) -> None:
        if state.data != self.source.name:
            raise DataError(
                f"{state.path}: trained on {state.data}, but only {self.source.name} is available"
            )
        with _fitting(state):
            network.load_state_dict(by_prefix(state.tensors)["best"])

    def _restore(self, state: SavedState) -> None:
        arithmetic = _arithmetic(self.compute)
        if state.arithmetic != arithmetic:
            log.warning(
                "%s was trained with %s; it continues with %s, which may round differently",
                state.path.parent,
                state.arithmetic,
                arithmetic,
            )
        with _fitting(state):
            self.loop.load_state(state.tensors, state.loop)

    def execute(self, folder: RunFolder, listen: Listener, stop: Callable[[], ExitCode | None]) -> RunResult:
        """Train to the end, then evaluate the test set once with the best weights.

        Args:
            folder: the folder for all files.
            listen: called with every record, after its files are written.
            stop: called after every step; if it returns an exit code, everything is saved and the run stops.

        Raises:
            StoppedError: `stop` returned an exit code.
            CnnError: the loss diverged, or memory ran out; the files of the last epoch stay.
        """
        if self.compute.processes.is_main:
            folder.metrics.unlink(missing_ok=True)  # a finished run that goes on is not finished any more
            write_text(folder.config, dump(self.config))
        if not self.config.train.epochs:  # no epoch will save it, and the test may be stopped
            self._save_state(folder)
        with torch_errors():
            for record in self.loop.run():
                if isinstance(record, EpochRecord):
                    self._save(folder, record)
                listen(record)
                self._stop_if_asked(folder, record, stop)
            return self._finish(folder, stop)

    def _save(self, folder: RunFolder, record: EpochRecord) -> None:
        """Write the files of an epoch; the state first, from which the others can be made again."""
        self._save_state(folder)
        if not self.compute.processes.is_main:
            return
        if record.best:
            checkpoint.write(folder.checkpoint, self._checkpoint())
        self._write_history(folder)

    def _save_state(self, folder: RunFolder) -> None:
        tensors, loop = self.loop.state()  # in all processes: they exchange sums
        if self.compute.processes.is_main:
            arithmetic = _arithmetic(self.compute)
            name, parent = self.source.name, self.parent
            write_state(SavedState(folder.state, self.config, name, arithmetic, tensors, loop, parent))

    def _write_history(self, folder: RunFolder) -> None:
        data = {"data": self.source.name}
        lines = (json.dumps(asdict(record) | data) + "\n" for record in self.loop.history)
        write_text(folder.history, "".join(lines))

    def _checkpoint(self) -> checkpoint.Checkpoint:
        best = self.loop.best_record
        return checkpoint.Checkpoint(
            weights=to_arrays(self.loop.best),
            config=self.config,
            classes=self.source.classes,
            data=self.source.name,
            preprocessing=self.preprocessing,
            temperature=best.temperature if best else 1.0,
            versions=versions(),
            parent=self.parent,
            metrics={
                "epoch": best.epoch if best else 0,
                "validation_accuracy": best.validation_accuracy if best else None,
                "validation_loss": best.validation_loss if best else None,
            },
        )

    def _stop_if_asked(
        self, folder: RunFolder, record: StepRecord | EpochRecord, stop: Callable[[], ExitCode | None]
    ) -> None:
        """Stop the run if `stop` returns an exit code.

        Several processes have to agree, since a signal may reach one of them before the others.
        """
        processes = self.compute.processes
        if processes.is_distributed and isinstance(record, StepRecord) and record.step % AGREE_EVERY:
            return
        code = processes.max(stop() or ExitCode.OK)
        if code:
            self._save_state(folder)
            raise self._stopped(folder, ExitCode(code))

    def _stopped(self, folder: RunFolder, code: ExitCode) -> StoppedError:
        epoch, step = divmod(self.loop.step, self.loop.steps_per_epoch)
        what, then = f"stopped after {epoch} epochs and {step} steps", "to continue"
        if self.loop.finished:
            what, then = "stopped before the end of the test; the training is complete", "to test it"
        command = f"cnn train --resume {shlex.quote(str(folder.home))}"
        return StoppedError(
            f"{what}; everything is saved in {folder.home}", hint=f"{then}: {command}", code=code
        )

    def _finish(self, folder: RunFolder, stop: Callable[[], ExitCode | None]) -> RunResult:
        """Evaluate the test set and write the result; the processes stop each on its own."""

        def check() -> None:
            code = stop()
            if code:
                raise self._stopped(folder, code)

        check()
        trained = self._checkpoint()
        images = self.source.test()
        network = load_network(trained).to(self.compute.device)
        logits = logits_of(network, images, self.preprocessing, self.compute, check)
        test = self.loop.task.measure(logits, images.labels, self.source.classes, trained.temperature)
        result = RunResult(
            folder=folder,
            data=self.source.name,
            is_fallback=self.source.is_fallback,
            best=self.loop.best_record,
            test=test,
            history=tuple(self.loop.history),
        )
        if self.compute.processes.is_main:
            return replace(result, folder=self._saved(trained, result))
        return result

    def _saved(self, trained: checkpoint.Checkpoint, result: RunResult) -> RunFolder:
        """Write the result, and return the folder where it is.

        A failure is only a warning where the checkpoint is already there: it must not hide the result.
        """
        folder = result.folder
        try:
            self._write_result(trained, result)
            return folder.publish()
        except OSError as error:
            if not folder.checkpoint.is_file():
                raise
            log.warning(
                "%s: the figures of the test cannot be saved (%s); to repeat the test: cnn train --resume %s",
                error.filename or folder.path,
                error.strerror or error,
                shlex.quote(str(folder.home)),
            )
            return folder

    def _write_result(self, trained: checkpoint.Checkpoint, result: RunResult) -> None:
        """Write the files of a finished run, the metrics last: a run that has them is finished."""
        folder, test = result.folder, result.test
        self._write_history(folder)
        figures = {"test_accuracy": test.accuracy, "test_loss": test.loss, "test_n": test.n}
        if isinstance(test, LineMetrics):
            figures["test_character_error_rate"] = test.character_error_rate
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
            **describe(self.compute),
        }


@contextmanager
def _fitting(state: SavedState) -> Iterator[None]:
    """Turn what loading raises into one line: the state is from another network or optimizer."""
    try:
        yield
    except (KeyError, RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{state.path}: does not fit its config: {one_line(error)}") from None


def _arithmetic(compute: Compute) -> str:
    return f"{compute.describe()}, torch {versions()['torch']}"
