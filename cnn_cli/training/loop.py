"""The training loop: trains step by step and yields a record after each step and each epoch.

Every random draw is a function of (seed, purpose, epoch or step), so a loop that is rebuilt from its saved
state continues bit for bit, from any step.
"""

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
from cnn_cli.errors import CnnError, ConfigError
from cnn_cli.model.modules import take_auxiliary_logits
from cnn_cli.model.network import memory_format
from cnn_cli.training.datasets import OUTLIERS_PURPOSE, TrainingData
from cnn_cli.training.device import Compute
from cnn_cli.training.ema import Ema
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.metrics import Score
from cnn_cli.training.optimizers import build_optimizer
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.schedules import schedule
from cnn_cli.training.seeds import derive, generator, seed_layers
from cnn_cli.training.task import task_of

CHECK_EVERY = 50
"""Steps between two checks of the loss on a GPU: Python waits for the GPU at each check."""


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
        self.network = network.to(compute.device, memory_format=self.layout).train()  # type: ignore[call-overload]
        self.ema = Ema(self.network, settings.ema) if settings.ema else None
        self.processes = compute.processes
        self.parallel_network = self.processes.data_parallel(self.network)
        self.optimizer = build_optimizer(
            self.network,
            settings.optimizer,
            momentum=settings.momentum,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.steps_per_epoch = -(-len(data.train) // (settings.batch_size * settings.accumulate))
        self._check_batch_size()
        self.lr_factor = schedule(
            settings.schedule,
            total_steps=self.steps_per_epoch * settings.epochs,
            warmup=settings.warmup,
            steps_per_epoch=self.steps_per_epoch,
            step_epochs=settings.step_epochs,
            step_factor=settings.step_factor,
        )
        self.step = 0
        self.history: list[EpochRecord] = []
        self.best: dict[str, Tensor] = self._snapshot()
        self.sums = self._zero_sums()

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
        return len(self.history) >= self.settings.epochs or self._out_of_patience()

    def run(self) -> Iterator[StepRecord | EpochRecord]:
        """Train to the end from the current state. The state may be saved after every record.

        Raises:
            CnnError: the loss is no longer finite.
        """
        while not self.finished:
            yield from self._run_epoch(len(self.history))

    def _run_epoch(self, epoch: int) -> Iterator[StepRecord | EpochRecord]:
        started, trained = time.perf_counter(), 0
        order = torch.randperm(len(self.data.train), generator=generator(self.seed, "order", epoch))
        # Step sizes differ by at most one image: none is dropped, and no small batch is left over.
        steps = order.tensor_split(self.steps_per_epoch)
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
        self.sums = self._zero_sums()
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
            self.processes.share(part).to(self.compute.device) for part in (indices, all_outliers)
        )
        parts = min(self.settings.accumulate, len(images))
        batches = zip(images.tensor_split(parts), outliers.tensor_split(parts), strict=True)
        for batch, batch_outliers in batches:
            loss = self._loss(batch, batch_outliers, draws)
            (loss * (len(batch) * self.processes.count / len(indices))).backward()  # type: ignore[no-untyped-call]
            self._add_to_sums(loss.detach(), len(batch))
        self._update_weights()
        if self.compute.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self._check_loss()

    def _seed_step(self) -> torch.Generator:
        """Seed the layers that draw, such as dropout; return the generator of the augmentation."""
        place = (self.step,) if self.processes.is_main else (self.step, self.processes.rank)
        seed_layers(self.compute.device, derive(self.seed, "dropout", *place))
        return generator(self.seed, "augment", *place)

    def _update_weights(self) -> None:
        """Clip the gradients, take the optimizer's step and update the moving average."""
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step(self._lr(self.step))
        self.optimizer.zero_grad()
        self.step += 1
        if self.ema:
            self.ema.update(self.network, self.step)

    def _lr(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.settings.lr * self.lr_factor(step)

    def _loss(self, batch: Tensor, outliers: Tensor, draws: torch.Generator) -> Tensor:
        """Return the mean loss of a batch, with the losses of outliers and auxiliary classifiers added.

        Args:
            batch: indices int64 [N] of training images.
            outliers: indices int64 [K] of outliers.
            draws: the generator of the augmentation.
        """
        pixels = to_unit_range(self.data.images(batch, outliers), self.preprocessing)
        pixels, mix = augment(pixels, draws, self.data.augment)
        inputs = normalize(pixels, self.preprocessing).contiguous(memory_format=self.layout)
        with self.compute.autocast():
            logits = self.parallel_network(inputs)
        labels = self.data.train.labels[batch]
        smoothing = self.settings.label_smoothing
        loss = self.task.loss(logits, labels, len(outliers), mix, smoothing)
        for weight, auxiliary_logits in take_auxiliary_logits(self.network):
            loss = loss + weight * self.task.loss(auxiliary_logits, labels, len(outliers), mix, smoothing)
        return loss

    def _add_to_sums(self, loss: Tensor, images: int) -> None:
        """Add to the sums of the epoch on the device, so that Python does not wait for the loss."""
        self.sums["loss"] += loss * images
        self.sums["images"] += images
        bad = torch.where(loss.isfinite(), torch.inf, float(self.step + 1))
        self.sums["first_bad_step"] = torch.minimum(self.sums["first_bad_step"], bad)

    def _check_loss(self) -> None:
        step = self.sums["first_bad_step"].item()
        if step != float("inf"):
            raise CnnError(
                f"the loss is no longer a finite number at step {step:.0f} "
                f"(epoch {len(self.history) + 1}, learning rate {self._lr(int(step) - 1):.3g})",
                hint="the learning rate is probably too high: lower train.lr, or set train.clip_norm=1",
            )

    def _validate(self, epoch: int, started: float, images_per_second: float) -> EpochRecord:
        score, temperature = None, 1.0
        images = self.data.validation
        self.processes.broadcast_buffers(self.network)
        if self.ema:
            self.processes.broadcast_buffers(self.ema.network)
        sums = self._total_sums()
        if len(images):
            logits = logits_of(self.evaluated_network, images, self.preprocessing, self.compute)
            score = self.task.score(logits, images.labels.cpu())
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
            best=self._is_best(score),
            temperature=temperature,
            validation_character_error_rate=score.character_error_rate if score else None,
        )

    def _is_best(self, score: Score | None) -> bool:
        """Return whether the accuracy is the highest, or equal with a lower loss; always True without one."""
        best = self.best_record
        if best is None or score is None:
            return True
        return (score.accuracy, -score.loss) > (best.validation_accuracy or 0, -(best.validation_loss or 0))

    @property
    def best_record(self) -> EpochRecord | None:
        """The record of the best epoch, whose weights are kept."""
        return next((record for record in reversed(self.history) if record.best), None)

    def _out_of_patience(self) -> bool:
        best, patience = self.best_record, self.settings.patience
        return bool(patience and best and len(self.history) - best.epoch >= patience)

    @property
    def evaluated_network(self) -> nn.Module:
        """The network that is validated and kept: the moving average, or the trained network without one."""
        return self.ema.network if self.ema else self.network

    def _snapshot(self) -> dict[str, Tensor]:
        """Return a copy, on the CPU, of the weights that are evaluated."""
        state = self.evaluated_network.state_dict()
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def _total_sums(self) -> dict[str, Tensor]:
        """Return the sums of the epoch over all processes."""
        processes = self.processes
        sums = {name: processes.sum(self.sums[name]) for name in ("loss", "images")}
        return sums | {"first_bad_step": processes.min(self.sums["first_bad_step"])}

    def _zero_sums(self) -> dict[str, Tensor]:
        dtype = torch.float32 if self.compute.device.type == "mps" else torch.float64  # mps has no float64
        zero = torch.zeros((), dtype=dtype, device=self.compute.device)
        return {"loss": zero, "images": zero.clone(), "first_bad_step": zero + torch.inf}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and JSON values that another loop continues from; every process must call it."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"sums.{name}": tensor for name, tensor in self._total_sums().items()}
        if self.ema:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.network.state_dict().items()}
        for index, values in enumerate(self.optimizer.state):
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
        return tensors, {"step": self.step, "history": [asdict(record) for record in self.history]}

    def load_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Load what `state` returned, on any device.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: the state is from another network or optimizer.
        """
        parts = by_prefix(tensors)
        self.network.load_state_dict(parts["best"])  # so that wrong shapes raise now, not at the end
        self.network.load_state_dict(parts["network"])
        if self.ema:
            self.ema.network.load_state_dict(parts["ema"])
        optimizer = by_prefix(parts.get("optimizer", {}))
        self.optimizer.load({int(index): values for index, values in optimizer.items()})
        self.best = parts["best"]
        sums = {name: parts["sums"][name].to(zero) for name, zero in self._zero_sums().items()}
        self.sums = sums if self.processes.is_main else self._zero_sums()  # the saved sums count once
        self.step = int(values["step"])
        self.history = [EpochRecord(**record) for record in values["history"]]
