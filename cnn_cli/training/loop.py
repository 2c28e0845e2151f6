"""The training loop: trains step by step and yields a record after each step and each epoch.

Every random draw is a function of (seed, purpose, epoch or step), so a loop that is rebuilt from its saved
state continues bit for bit, from any step.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.checkpoint.tensorfile import by_prefix
from cnn_cli.config import schema
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.preprocess import normalize, to_unit_range
from cnn_cli.data.send import send
from cnn_cli.errors import CnnError, ConfigError
from cnn_cli.model.network import memory_format
from cnn_cli.training import history
from cnn_cli.training.datasets import OUTLIERS_PURPOSE, TrainingData
from cnn_cli.training.device import Compute
from cnn_cli.training.ema import Ema
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.freeze import Frozen
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.schedules import schedule
from cnn_cli.training.seeds import derive, generator, seed_layers
from cnn_cli.training.step import Batch, Stepper
from cnn_cli.training.task import task_of

CHECK_EVERY = 500
"""Steps between two checks of the loss on a GPU: Python waits for the GPU at each check."""

DIVERGED = "the learning rate is probably too high: lower train.lr, or set train.clip_norm=1"
"""The hint where a loss is not finite."""


class TrainingLoop:
    """One run of training.

    Args:
        network: with its initial weights.
        data: images for training and validation.
        preprocessing: how pixels become inputs.
        settings: the config's `train` section.
        seed: of every random draw.
        compute: device and number format.
    """

    def __init__(
        self,
        network: nn.Sequential,
        data: TrainingData,
        preprocessing: Preprocessing,
        settings: schema.Train,
        seed: int,
        compute: Compute,
    ) -> None:
        self.settings, self.seed, self.compute, self.preprocessing = settings, seed, compute, preprocessing
        self.task = task_of(preprocessing)
        self.data = data.to(compute.device)
        self.layout = memory_format(settings.channels_last)
        self.network = network.to(compute.device, memory_format=self.layout)  # type: ignore[call-overload]
        self.frozen = Frozen(self.network, settings.freeze)
        self.ema = Ema(self.network, settings.ema) if settings.ema else None
        self.processes = compute.processes
        self.stepper = Stepper(self.network, settings, compute, self.task.loss, self.data.class_weights)
        self.steps_per_epoch = -(-len(data.train) // (settings.batch_size * settings.accumulate))
        self._check_batch_size()
        self.lr_factor = schedule(
            settings.schedule,
            total_steps=self.steps_per_epoch * settings.epochs,
            warmup=settings.warmup,
            steps_per_epoch=self.steps_per_epoch,
            step_epochs=settings.step_epochs,
            step_factor=settings.step_factor,
            restarts=[self.steps_per_epoch * epoch for epoch in settings.restarts],
        )
        self.step = 0
        self.history: list[EpochRecord] = []
        self.best: dict[str, Tensor] = self._snapshot()

    def _check_batch_size(self) -> None:
        """Check that each process has an image in each step."""
        smallest = len(self.data.train) // max(1, self.steps_per_epoch)
        if smallest < self.processes.count:
            raise ConfigError(
                f"train.batch_size: {self.processes.count} processes cannot share steps of {smallest}",
                hint="raise train.batch_size, or start fewer processes",
            )

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or accuracy has not improved for `patience` epochs."""
        return len(self.history) >= self.settings.epochs or history.out_of_patience(
            self.history, self.settings.patience
        )

    def run(self) -> Iterator[StepRecord | EpochRecord]:
        """Train to the end from the current state. The state may be saved after every record.

        Raises:
            CnnError: the loss is no longer finite.
        """
        while not self.finished:
            yield from self._run_epoch(len(self.history))

    def _run_epoch(self, epoch: int) -> Iterator[StepRecord | EpochRecord]:
        started, trained = time.perf_counter(), 0
        self.frozen.train()
        order = self.data.order(generator(self.seed, "order", epoch))
        # Step sizes differ by at most one image: none is dropped, and no small batch is left over.
        steps = send(order, self.compute.device).tensor_split(self.steps_per_epoch)
        for index in range(self.step - epoch * self.steps_per_epoch, self.steps_per_epoch):
            self._take_step(steps[index])
            trained += len(steps[index])
            yield StepRecord(epoch + 1, index + 1, self.steps_per_epoch)
        self._check_loss()
        training_seconds = time.perf_counter() - started
        record = self._validate(epoch, started, trained / max(training_seconds, 1e-9))
        self.history.append(record)
        if record.best:
            self.best = self._snapshot()
        self.stepper.sums.reset()
        yield record

    def _take_step(self, indices: Tensor) -> None:
        """Take one optimizer step over the images at `indices`, in `accumulate` batches.

        Several processes share the images; the mean of their gradients is the gradient of the whole step.
        """
        draws = self._seed_step()
        all_outliers = self.data.outliers.sample(
            len(indices), generator(self.seed, OUTLIERS_PURPOSE, self.step)
        )
        images, outliers = (
            self.processes.share(send(part, self.compute.device)) for part in (indices, all_outliers)
        )
        self.stepper.take(self._batches(images, outliers, draws, len(indices)), self._lr(self.step))
        self.step += 1
        if self.ema:
            self.ema.update(self.network, self.step)
        if self.compute.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self._check_loss()

    def _batches(
        self, images: Tensor, outliers: Tensor, draws: torch.Generator, step_size: int
    ) -> Iterator[Batch]:
        """Yield the batches of a step.

        Args:
            images: indices int64 [N] of the training images of this process.
            outliers: indices int64 [K] of its outliers.
            draws: the generator of the augmentation.
            step_size: images of the step in all processes.
        """
        parts = min(self.settings.accumulate, len(images))
        batches = zip(images.tensor_split(parts), outliers.tensor_split(parts), strict=True)
        for batch, batch_outliers in batches:
            pixels = to_unit_range(self.data.images(batch, batch_outliers), self.preprocessing)
            pixels, mix = augment(pixels, draws, self.data.augment)
            inputs = normalize(pixels, self.preprocessing).contiguous(memory_format=self.layout)
            share = len(batch) * self.processes.count / step_size
            yield Batch(inputs, self.data.train.labels[batch], mix, share)

    def _seed_step(self) -> torch.Generator:
        """Seed the layers that draw, such as dropout; return the generator of the augmentation."""
        place = (self.step,) if self.processes.is_main else (self.step, self.processes.rank)
        seed_layers(self.compute.device, derive(self.seed, "dropout", *place))
        return generator(self.seed, "augment", *place)

    def _lr(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.settings.lr * self.lr_factor(step)

    def _check_loss(self) -> None:
        bad = self.stepper.sums.bad_step()
        if bad is not None:
            step = len(self.history) * self.steps_per_epoch + bad
            raise CnnError(
                f"the loss is no longer a finite number at step {step} "
                f"(epoch {len(self.history) + 1}, learning rate {self._lr(step - 1):.3g})",
                hint=DIVERGED,
            )

    def _check_validation_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise CnnError(
                f"the validation loss is no longer a finite number after epoch {len(self.history) + 1} "
                f"(learning rate {self._lr(self.step - 1):.3g})",
                hint=DIVERGED,
            )

    def _validate(self, epoch: int, started: float, images_per_second: float) -> EpochRecord:
        score, temperature = None, 1.0
        images = self.data.validation
        self.processes.broadcast_buffers(self.network)
        if self.ema:
            self.processes.broadcast_buffers(self.ema.network)
        sums = self.stepper.sums.total(self.processes)
        if len(images):
            logits = logits_of(self.evaluated_network, images, self.preprocessing, self.compute)
            score = self.task.score(logits, images.labels.cpu())
            self._check_validation_loss(score.loss)
            temperature = self.task.fit_temperature(logits, images.labels.cpu())
        return EpochRecord(
            epoch=epoch + 1,
            epochs=self.settings.epochs,
            train_loss=(sums["loss"] / sums["images"]).item(),
            validation_loss=score.loss if score else None,
            validation_accuracy=score.accuracy if score else None,
            lr=self._lr(self.step - 1),
            images_per_second=images_per_second,
            seconds=time.perf_counter() - started,
            best=history.is_best(self.history, score),
            temperature=temperature,
            validation_character_error_rate=score.character_error_rate if score else None,
        )

    @property
    def best_record(self) -> EpochRecord | None:
        """The record of the best epoch, whose weights are kept."""
        return history.best_record(self.history)

    @property
    def evaluated_network(self) -> nn.Module:
        """The network that is validated and kept: the moving average, or the trained network without one."""
        return self.ema.network if self.ema else self.network

    def _snapshot(self) -> dict[str, Tensor]:
        """Return a copy, on the CPU, of the weights that are evaluated."""
        state = self.evaluated_network.state_dict()
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and JSON values that another loop continues from; every process must call it."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {
            f"sums.{name}": tensor for name, tensor in self.stepper.sums.total(self.processes).items()
        }
        if self.ema:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.network.state_dict().items()}
        for index, values in enumerate(self.stepper.optimizer.state):
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
        return tensors, {"step": self.step, "history": [asdict(record) for record in self.history]}

    def load_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Load what `state` returned, on any device.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError, OverflowError: the state is from another network or
                optimizer.
        """
        parts = by_prefix(tensors)
        self.network.load_state_dict(parts["best"])  # so that wrong shapes raise now, not at the end
        self.network.load_state_dict(parts["network"])
        if self.ema:
            self.ema.network.load_state_dict(parts["ema"])
        optimizer = by_prefix(parts.get("optimizer", {}))
        self.stepper.optimizer.load({int(index): values for index, values in optimizer.items()})
        self.best = parts["best"]
        nothing = {} if self.processes.is_main else {"loss": torch.zeros(()), "images": torch.zeros(())}
        self.stepper.sums.load(parts["sums"] | nothing)  # the saved sums count once
        self.step = int(values["step"])
        epochs = {"epochs": self.settings.epochs}  # the run may have been made longer
        self.history = [EpochRecord(**record | epochs) for record in values["history"]]
