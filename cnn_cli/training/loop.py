"""The training loop: a stream of records from weights that change step by step.

Every random draw is a function of (seed, purpose, epoch or step), so a loop that is rebuilt from its saved
state goes on bit for bit, from any step.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.checkpoint.tensorfile import by_prefix
from cnn_cli.config import schema
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.preprocess import normalize, to_unit_range
from cnn_cli.errors import CnnError, ConfigError
from cnn_cli.model.modules import take_auxiliary_logits
from cnn_cli.model.network import memory_format
from cnn_cli.training.calibration import fit_temperature
from cnn_cli.training.datasets import OUTLIERS_PURPOSE, TrainingData
from cnn_cli.training.device import Compute
from cnn_cli.training.ema import Ema
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.loss import cross_entropy
from cnn_cli.training.optimizers import build_optimizer
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.schedules import schedule
from cnn_cli.training.seeds import derive, generator, seed_layers

CHECK_EVERY = 50
"""Steps between two looks at the loss on a device that computes ahead of Python: a look waits for it."""


class TrainingLoop:
    """One run of training.

    Args:
        network: with its first weights.
        data: images for training and validation.
        preprocessing: how pixels become inputs.
        settings: the config's `train` section.
        seed: of every draw.
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
        self.data = data.to(compute.device)
        self.layout = memory_format(settings.channels_last)
        self.network = network.to(compute.device, memory_format=self.layout).train()  # type: ignore[call-overload]
        self.average = Ema(self.network, settings.ema) if settings.ema else None
        self.processes = compute.processes
        self.shared_network = self.processes.shared(self.network)
        self.optimizer = build_optimizer(
            self.network,
            settings.optimizer,
            momentum=settings.momentum,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.steps_per_epoch = -(-len(data.train) // (settings.batch_size * settings.accumulate))
        self._check_shares()
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

    def _check_shares(self) -> None:
        """Each process needs an image in each step."""
        smallest = len(self.data.train) // max(1, self.steps_per_epoch)
        if smallest < self.processes.count:
            raise ConfigError(
                f"train.batch_size: {self.processes.count} processes cannot share steps of {smallest}",
                hint="raise train.batch_size, or start fewer processes",
            )

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        return len(self.history) >= self.settings.epochs or self._out_of_patience()

    def run(self) -> Iterator[StepRecord | EpochRecord]:
        """Train to the end, from wherever the state is. Between two records the state is always whole.

        Raises:
            CnnError: the loss is no longer finite, or memory ran out.
        """
        while not self.finished:
            yield from self._run_epoch(len(self.history))

    def _run_epoch(self, epoch: int) -> Iterator[StepRecord | EpochRecord]:
        started, trained = time.perf_counter(), 0
        order = torch.randperm(len(self.data.train), generator=generator(self.seed, "order", epoch))
        # Steps of equal size, give or take one image: none is dropped or left over as a tiny batch.
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
        """One step of the optimizer over the images at `indices`, in `accumulate` batches.

        Several processes share the images; the mean of their gradients is that of the whole step.
        """
        place = (self.step,) if self.processes.is_main else (self.step, self.processes.rank)
        seed_layers(self.compute.device, derive(self.seed, "dropout", *place))
        draws = generator(self.seed, "augment", *place)
        outlier_indices = self.data.outliers.sample(
            len(indices), generator(self.seed, OUTLIERS_PURPOSE, self.step)
        )
        own, own_outliers = (
            self.processes.share(part).to(self.compute.device) for part in (indices, outlier_indices)
        )
        parts = min(self.settings.accumulate, len(own))
        for batch, outliers in zip(own.tensor_split(parts), own_outliers.tensor_split(parts), strict=True):
            loss = self._loss(batch, outliers, draws)
            (loss * (len(batch) * self.processes.count / len(indices))).backward()  # type: ignore[no-untyped-call]
            self._count(loss.detach(), len(batch))
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step(self._lr(self.step))
        self.optimizer.zero_grad()
        self.step += 1
        if self.average:
            self.average.update(self.network, self.step)
        if self.compute.device.type == "cpu" or self.step % CHECK_EVERY == 0:
            self._check_loss()

    def _lr(self, step: int) -> float:
        """Learning rate of the step with that number, from 0."""
        return self.settings.lr * self.lr_factor(step)

    def _loss(self, batch: Tensor, outliers: Tensor, draws: torch.Generator) -> Tensor:
        """Mean loss of the training images at `batch` int64 [N]; that of the outliers at `strange` [K] and
        that of auxiliary classifiers are added."""
        pixels = to_unit_range(self.data.images(batch, outliers), self.preprocessing)
        pixels, mix = augment(pixels, draws, self.data.augment)
        inputs = normalize(pixels, self.preprocessing).contiguous(memory_format=self.layout)
        with self.compute.autocast():
            logits = self.shared_network(inputs)
        labels = self.data.train.labels[batch]
        smoothing = self.settings.label_smoothing
        loss = cross_entropy(logits, labels, len(outliers), mix, smoothing)
        for weight, beside in take_auxiliary_logits(self.network):
            loss = loss + weight * cross_entropy(beside, labels, len(outliers), mix, smoothing)
        return loss

    def _count(self, loss: Tensor, images: int) -> None:
        """Add to the epoch's sums, on the device: no step waits for a number to come back."""
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
        accuracy, loss, temperature = None, None, 1.0
        images = self.data.validation
        self.processes.broadcast_buffers(self.network)
        if self.average:
            self.processes.broadcast_buffers(self.average.network)
        sums = self._all_sums()
        if len(images):
            network = self.average.network if self.average else self.network
            logits = logits_of(network, images, self.preprocessing, self.compute)
            labels = images.labels.cpu()
            accuracy = (logits.argmax(1) == labels).double().mean().item()
            loss = F.cross_entropy(logits.double(), labels).item()
            temperature = fit_temperature(logits, labels)
        return EpochRecord(
            epoch=epoch + 1,
            epochs=self.settings.epochs,
            train_loss=(sums["loss"] / sums["images"]).item(),
            validation_loss=loss,
            validation_accuracy=accuracy,
            lr=self._lr(self.step - 1),
            images_per_second=images_per_second,
            seconds=time.perf_counter() - started,
            best=self._is_best(accuracy, loss),
            temperature=temperature,
        )

    def _is_best(self, accuracy: float | None, loss: float | None) -> bool:
        """Higher accuracy wins, then lower loss. Without validation the last epoch is the best."""
        best = self.best_record
        if best is None or accuracy is None or loss is None:
            return True
        return (accuracy, -loss) > (best.validation_accuracy or 0.0, -(best.validation_loss or 0.0))

    @property
    def best_record(self) -> EpochRecord | None:
        """The epoch whose weights are kept."""
        return next((record for record in reversed(self.history) if record.best), None)

    def _out_of_patience(self) -> bool:
        best, patience = self.best_record, self.settings.patience
        return bool(patience and best and len(self.history) - best.epoch >= patience)

    def _snapshot(self) -> dict[str, Tensor]:
        """A copy, on the CPU, of the weights that are evaluated."""
        network = self.average.network if self.average else self.network
        return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def _all_sums(self) -> dict[str, Tensor]:
        """The epoch's sums over all processes."""
        processes = self.processes
        sums = {name: processes.sum(self.sums[name]) for name in ("loss", "images")}
        return sums | {"first_bad_step": processes.least(self.sums["first_bad_step"])}

    def _zero_sums(self) -> dict[str, Tensor]:
        kind = torch.float32 if self.compute.device.type == "mps" else torch.float64  # mps has no float64
        zero = torch.zeros((), dtype=kind, device=self.compute.device)
        return {"loss": zero, "images": zero.clone(), "first_bad_step": zero + torch.inf}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that another loop needs to go on: tensors, and values for JSON. All processes ask together."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"sums.{name}": tensor for name, tensor in self._all_sums().items()}
        if self.average:
            tensors |= {f"average.{name}": t for name, t in self.average.network.state_dict().items()}
        for index, values in enumerate(self.optimizer.state):
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
        return tensors, {"step": self.step, "history": [asdict(record) for record in self.history]}

    def load_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on where `state` was taken, on any device.

        Raises:
            KeyError, RuntimeError, TypeError, ValueError: the state is of another network or optimizer.
        """
        parts = by_prefix(tensors)
        self.network.load_state_dict(parts["best"])  # a best that does not fit is refused now, not at the end
        self.network.load_state_dict(parts["network"])
        if self.average:
            self.average.network.load_state_dict(parts["average"])
        optimizer = by_prefix(parts.get("optimizer", {}))
        self.optimizer.load({int(index): values for index, values in optimizer.items()})
        self.best = parts["best"]
        sums = {name: parts["sums"][name].to(zero) for name, zero in self._zero_sums().items()}
        self.sums = sums if self.processes.is_main else self._zero_sums()  # what was summed counts once
        self.step = int(values["step"])
        self.history = [EpochRecord(**record) for record in values["history"]]
