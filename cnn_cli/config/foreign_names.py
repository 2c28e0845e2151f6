"""The names that other trainers give to our settings.

They are no aliases: an unknown key of such a name is still an error, but the message names the right key.
"""

FOREIGN_NAMES = {
    # Lightning, Hugging Face Transformers, Ultralytics, timm, Keras, fastai
    "batch": "train.batch_size",
    "bs": "train.batch_size",
    "per_device_train_batch_size": "train.batch_size",
    "train_batch_size": "train.batch_size",
    "max_epochs": "train.epochs",
    "n_epochs": "train.epochs",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "learning_rate": "train.lr",
    "lr0": "train.lr",
    "optim": "train.optimizer",
    "opt": "train.optimizer",
    "wd": "train.weight_decay",
    "lr_scheduler": "train.schedule",
    "lr_scheduler_type": "train.schedule",
    "scheduler": "train.schedule",
    "warmup_ratio": "train.warmup",
    "smoothing": "train.label_smoothing",
    "label_smoothing_factor": "train.label_smoothing",
    "clip_grad": "train.clip_norm",
    "clip_grad_norm": "train.clip_norm",
    "gradient_clip_val": "train.clip_norm",
    "max_grad_norm": "train.clip_norm",
    "accumulate_grad_batches": "train.accumulate",
    "grad_accum_steps": "train.accumulate",
    "gradient_accumulation_steps": "train.accumulate",
    "ema_decay": "train.ema",
    "model_ema_decay": "train.ema",
    "early_stopping_patience": "train.patience",
    "accelerator": "train.device",
    "amp": "train.precision",
    "bf16": "train.precision",
    "dtype": "train.precision",
    "fp16": "train.precision",
    "image_size": "data.size",
    "img_size": "data.size",
    "imgsz": "data.size",
    "in_channels": "data.channels",
    "in_chans": "data.channels",
    "data_dir": "data.root",
    "data_path": "data.root",
    "dataset": "data.name",
    "val_split": "data.validation",
    "num_classes": "model.classes",
    "output_dir": "output.folder",
    "save_dir": "output.folder",
    "manual_seed": "seed",
    "random_seed": "seed",
    "random_state": "seed",
}
"""The name elsewhere -> the dotted key of the setting here."""

_NO_LOADER_WORKERS = (
    "there are no loader workers, because the data set is decoded once and held in memory as one uint8 tensor"
)
_DROPOUT = "dropout is a layer; write `dropout: 0.5` where it belongs in model.layers"
NO_SUCH_SETTING = {
    "dataloader_num_workers": _NO_LOADER_WORKERS,
    "num_workers": _NO_LOADER_WORKERS,
    "workers": _NO_LOADER_WORKERS,
    "pin_memory": _NO_LOADER_WORKERS,
    "drop": _DROPOUT,
    "drop_rate": _DROPOUT,
    "dropout": _DROPOUT,
}
"""The name elsewhere -> why there is no setting for it here."""
