"""The loop over the epochs of a training, whatever computes its minibatches."""

import logging
import math
import signal

import numpy as np

from nengo_hybrid.exceptions import DivergenceError, Terminated
from nengo_hybrid.train.progress import EpochProgress
from nengo_hybrid.train.stopping import StopSignals

logger = logging.getLogger(__name__)

# NumPy's names for the parts of a RandomState, but for its array of keys.
RNG_PLAIN = ("algorithm", "position", "has_gauss", "cached_gaussian")


class Best:
    """The best parameters so far, judged on the validation part."""

    def __init__(self):
        self.score, self.parameters, self.epoch = None, {}, None

    def offer(self, score, parameters, epoch):
        """Keep what the function ``parameters`` returns, if the score is better."""
        if self.score is None or score > self.score:
            self.score, self.parameters, self.epoch = score, parameters(), epoch


class Epochs:
    """
    The epochs of one training; it can stop after any minibatch and go on later.

    Parameters
    ----------
    session : ParallelSession or StepwiseSession
        Trains on minibatches, validates, and gives and takes its state.
    n_samples, minibatch_size : int
        Samples to train on; what is left of the last minibatch is not.
    epochs : int
    schedules : Schedules
    seed : int
        Of the order of samples.
    learning_rate : callable
        From the number of minibatches done to the learning rate of the next.
    checkpoints : Checkpoints, optional
    scalars : Scalars, optional

    Attributes
    ----------
    epoch, minibatch : int
        What comes next.
    history : dict of str to list
    best : Best
    """

    def __init__(
        self,
        session,
        *,
        n_samples,
        minibatch_size,
        epochs,
        schedules,
        seed,
        learning_rate,
        checkpoints=None,
        scalars=None,
    ):
        self.session, self.epochs, self.schedules = session, epochs, schedules
        self.n_samples, self.minibatch_size = n_samples, minibatch_size
        self.n_batches = n_samples // minibatch_size
        self.learning_rate = learning_rate
        self.checkpoints, self.scalars = checkpoints, scalars
        self.epoch = self.minibatch = 0
        self.total, self.history, self.best = 0.0, {}, Best()
        self._order = np.random.RandomState(seed)
        if checkpoints is not None and checkpoints.loaded is not None:
            self._restore(*checkpoints.loaded)

    def run(self, *, progress):
        """
        Train the epochs that are left.

        Parameters
        ----------
        progress : bool
            Whether to draw a progress bar.

        Returns
        -------
        Best

        Raises
        ------
        DivergenceError
            If a loss is no longer finite.
        Terminated, KeyboardInterrupt
            If SIGTERM or Ctrl-C came, and a checkpoint was written.
        """
        n_done = self.epoch * self.n_batches + self.minibatch
        bar = EpochProgress(
            self.epochs, self.n_batches, enabled=progress, n_done=n_done
        )
        with StopSignals(enabled=self.checkpoints is not None) as stop, bar:
            while self.epoch < self.epochs:
                self._train_epoch(bar, stop)
                row = self._validate()
                bar.epoch_done(row)
                self._save(self._order.get_state())
                self._end_if_told(stop)
        return self.best

    def _train_epoch(self, bar, stop):
        """Train the minibatches that are left of the epoch, and note its loss."""
        before = self._order.get_state()
        order = self._order.permutation(self.n_samples)
        order = order[: self.n_batches * self.minibatch_size]

        def begin(minibatch):
            done = (self.epoch + minibatch / self.n_batches) / self.epochs
            self.session.set_omega(done)

        def end(minibatch, loss):
            where = f"epoch {self.epoch}, minibatch {minibatch}"
            self._check_finite(f"the loss is {loss} at {where}", loss)
            self.total, self.minibatch = self.total + loss, minibatch + 1
            bar.minibatch_done(loss)
            if stop.received and self.minibatch < self.n_batches:
                self._save(before)
                self._end_if_told(stop)

        if self.minibatch < self.n_batches:
            first = self.minibatch
            self.session.fit_epoch(self.epoch, order, first, begin=begin, end=end)

    def _validate(self):
        """End the epoch: note its row, and the parameters if they are the best."""
        epoch, done = self.epoch, (self.epoch + 1) / self.epochs
        self.session.set_omega(done)
        row = {"epoch": epoch, "loss": self.total / self.n_batches}
        scores, bits = self.session.validate(bits=self.scalars is not None)
        row |= scores
        loss = row["val_loss"]
        self._check_finite(f"the validation loss is {loss} at epoch {epoch}", loss)
        row |= {f"omega.{n}": v for n, v in self.session.omegas(done).items()}
        for key, value in row.items():
            self.history.setdefault(key, []).append(value)
        if self.schedules.is_held(done):
            # What is over a budget counts as it does in the loss.
            over = row.get("val_penalty", 0.0)
            score = (row["val_accuracy"] - over, -row["val_loss"])
            self.best.offer(score, self.session.read, epoch)
        if self.scalars is not None:
            last = self.learning_rate((epoch + 1) * self.n_batches - 1)
            shown = {**row, "learning_rate": last, **bits}
            del shown["epoch"]
            self.scalars.write(epoch, shown)
        self.epoch, self.minibatch, self.total = epoch + 1, 0, 0.0
        return row

    def _check_finite(self, what, loss):
        if math.isfinite(loss):
            return
        found = self.session.first_not_finite() or "the loss itself"
        last = self.checkpoints and self.checkpoints.last
        kept = f"; the last good checkpoint is {last}" if last else ""
        raise DivergenceError(
            f"{what}; first not finite: {found}{kept}; lower learning_rate"
        )

    def _end_if_told(self, stop):
        if stop.received is None:
            return
        message = (
            f"stopped by {stop.received.name} at epoch {self.epoch}, minibatch "
            f"{self.minibatch}; the checkpoint is {self.checkpoints.last}, pass "
            "resume=True (--resume) to go on"
        )
        if stop.received == signal.SIGINT:
            raise KeyboardInterrupt(message)
        logger.warning(message)  # a process that ends with a status says nothing else
        raise Terminated(message)

    def _save(self, order_state):
        """Write a checkpoint, with the generator's state before the epoch's order."""
        if self.checkpoints is None:
            return
        algorithm, keys, *rest = order_state
        plain = dict(zip(RNG_PLAIN, (algorithm, *rest), strict=True))
        header = {
            "epoch": self.epoch,
            "minibatch": self.minibatch,
            "total": self.total,
            "history": self.history,
            "best": {"score": self.best.score, "epoch": self.best.epoch},
            "order": plain,
        }
        state = {f"session.{n}": v for n, v in self.session.state().items()}
        best = {f"best.{n}": v for n, v in self.best.parameters.items()}
        self.checkpoints.save(header, {"order": keys, **state, **best})

    def _restore(self, header, arrays):
        """Go back to where a checkpoint was."""
        self.epoch, self.minibatch = header["epoch"], header["minibatch"]
        self.total, self.history = header["total"], header["history"]
        parts = {"session": {}, "best": {}}
        for name, array in arrays.items():
            part, _, key = name.partition(".")
            if part in parts:
                parts[part][key] = array[()]  # a number, if it has no dimensions
        self.session.restore(parts["session"])
        best = header["best"]
        self.best.epoch, self.best.parameters = best["epoch"], parts["best"]
        self.best.score = None if best["score"] is None else tuple(best["score"])
        algorithm, *rest = (header["order"][name] for name in RNG_PLAIN)
        self._order.set_state((algorithm, arrays["order"], *rest))
