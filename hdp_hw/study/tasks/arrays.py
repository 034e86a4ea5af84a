"""Files of images and their classes, as numpy saves them."""

import zipfile
from pathlib import Path

import numpy as np

from hdp_hw.study.models import Model
from hdp_hw.study.tasks.rows import TaskError

LEGAL = "legal: arrays `images` [n, channels, height, width] and `labels` [n]"


def read_images(path: Path, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """``(images, labels)`` of a .npz file for a model. Raises TaskError, OSError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := {"images", "labels"} - set(file.files):
                has = ", ".join(sorted(file.files)) or "none"
                raise TaskError(f"{path}: the arrays {', '.join(sorted(missing))} are missing; it has {has}; {LEGAL}")
            images, labels = file["images"], file["labels"]
    except (zipfile.BadZipFile, EOFError, ValueError, AttributeError, KeyError) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(f"{path} is not a sound .npz file of numbers ({error}); {LEGAL}") from None
    _check_images(path, images, model)
    return images, _classes(path, labels, len(images), model)


def _check_images(path: Path, images: np.ndarray, model: Model) -> None:
    if images.dtype.kind not in "uif":
        raise TaskError(f"{path}: images are {images.dtype}; legal: integers or floats")
    shape = model.encoder.image_shape
    if images.ndim != 4 or images.shape[1:] != shape:
        raise TaskError(f"{path}: images have the shape {images.shape}; legal for {model.name}: (n, {str(shape)[1:]}")
    if not len(images):
        raise TaskError(f"{path} holds no examples")
    finite = np.isfinite(images).all((1, 2, 3))
    if not finite.all():
        raise TaskError(f"{path}: image {int(finite.argmin())}, counted from 0, holds NaN or infinity")


def _classes(path: Path, labels: np.ndarray, n: int, model: Model) -> np.ndarray:
    if labels.shape != (n,):
        raise TaskError(f"{path}: labels have the shape {labels.shape}; legal: ({n},), one for each image")
    if labels.dtype.kind not in "uif" or not (np.isfinite(labels) & (labels == np.floor(labels))).all():
        raise TaskError(f"{path}: labels are {labels.dtype}, not all whole; legal: whole numbers of classes")
    highest = len(model.labels) - 1 if model.labels else 999
    wrong = (labels < 0) | (labels > highest)
    if wrong.any():
        index = int(wrong.argmax())
        raise TaskError(
            f"{path}: label {index}, counted from 0, is {labels[index]}; legal for {model.name}: 0 to {highest}"
        )
    return labels.astype(int)
