"""The progress bar of a training, and its stop when the loss is lost."""

import math

import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nengo_hybrid.exceptions import DivergenceError


class EpochProgress(tf.keras.callbacks.Callback):
    """
    Show epoch, loss, accuracy and the time left, on standard error.

    Raises `DivergenceError` when a minibatch has a loss that is not finite.

    Parameters
    ----------
    epochs, n_batches : int
    enabled : bool
    """

    def __init__(self, epochs, n_batches, *, enabled):
        super().__init__()
        self.epochs, self.epoch, self.status = epochs, 0, ""
        self.enabled = enabled
        self.bar = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(
            self._title(), total=epochs * n_batches, status=""
        )

    def _title(self):
        return f"train, epoch {min(self.epoch + 1, self.epochs)}/{self.epochs}"

    def __enter__(self):
        if self.enabled:
            self.bar.start()
        return self

    def __exit__(self, *exc_info):
        if self.enabled:
            self.bar.stop()

    def on_train_batch_end(self, batch, logs=None):
        """Advance by one minibatch."""
        loss = logs["loss"]
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the loss is {loss} at epoch {self.epoch}, minibatch {batch}; "
                "lower learning_rate"
            )
        self.bar.update(self.task, advance=1, status=f"loss {loss:.3f} {self.status}")

    def epoch_done(self, row):
        """Show what the epoch came to."""
        self.epoch += 1
        self.status = f"validation {100 * row['val_accuracy']:.1f} %"
        self.bar.update(self.task, description=self._title())
