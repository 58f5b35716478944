"""The progress bar of a training."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class EpochProgress:
    """
    Show epoch, loss, accuracy and the time left, on standard error.

    Parameters
    ----------
    epochs, n_batches : int
    enabled : bool
    n_done : int
        Minibatches done before, by the training that this one goes on from.
    """

    def __init__(self, epochs, n_batches, *, enabled, n_done=0):
        self.epochs, self.epoch, self.status = epochs, n_done // n_batches, ""
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
            self._title(), total=epochs * n_batches, completed=n_done, status=""
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

    def minibatch_done(self, loss):
        """Advance by one minibatch."""
        self.bar.update(self.task, advance=1, status=f"loss {loss:.3f} {self.status}")

    def epoch_done(self, row):
        """Show what the epoch came to."""
        self.epoch += 1
        self.status = f"validation {100 * row['val_accuracy']:.1f} %"
        self.bar.update(self.task, description=self._title())
