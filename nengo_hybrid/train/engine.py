"""Training: through NengoDL, which runs any network, or in parallel over time."""

import contextlib
import logging
import math
import warnings

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf

from nengo_hybrid.exceptions import LowerError, ShapeError, TrainError
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import (
    copy_network,
    find_ensemble,
    object_names,
    with_parameters,
)
from nengo_hybrid.train.callbacks import AnnealOmega
from nengo_hybrid.train.parallel import LOGIT_SCALE, ParallelSession
from nengo_hybrid.train.plan import make_plan
from nengo_hybrid.train.progress import EpochProgress
from nengo_hybrid.trained import Trained

logger = logging.getLogger(__name__)

ENGINES = ("nengo-dl", "parallel", "auto")


def train(
    network,
    data,
    *,
    smoothing=None,
    epochs=30,
    minibatch_size=100,
    learning_rate=3e-3,
    readout_steps=1,
    rate_limits=None,
    rate_limit_weight=1.0,
    unroll_simulation=8,
    dt=1.0,
    seed=0,
    progress=True,
    engine="nengo-dl",
):
    """
    Train a classifier, spiking in the forward pass.

    The loss is the cross-entropy of the probed activity, averaged over the last
    ``readout_steps`` steps; Adam, its learning rate decaying to zero by a cosine.
    The parameters returned are those of the epoch best on the validation part.

    Parameters
    ----------
    network : nengo.Network
        With one node without inputs, and one probe with a value per class. It is
        left as it is.
    data : nengo_hybrid.datasets.Dataset
    smoothing : Smoothing, optional
        By default omega stays at each population's own from the start.
    epochs, minibatch_size : int
    learning_rate : float
    readout_steps : int
    rate_limits : dict of str to float, optional
        Rates, by ensemble, above which the squared excess is added to the loss.
    rate_limit_weight : float
    unroll_simulation : int
        Steps that NengoDL lays out in its graph at once; has to divide n_steps.
    dt : float
        Time step; with 1, rates are in spikes per step, and the LMU's papers'
        unscaled activations are what they say.
    seed : int
        Of the initial voltages, the order of samples and TensorFlow.
    progress : bool
        Whether to draw a progress bar with the time left.
    engine : str
        "nengo-dl" runs any network, step by step; "parallel" one in which nothing
        trained feeds back, all steps at once; "auto" takes the second where it can.
        In parallel, rates are limited in the last ``readout_steps`` only.

    Returns
    -------
    Trained

    Raises
    ------
    ShapeError
        If the data do not fit the network.
    TrainError
        If a setting is out of range.
    DivergenceError
        If the loss is no longer finite.
    """
    _check_settings(data, epochs, minibatch_size, learning_rate, readout_steps)
    plan = _choose_plan(network, data, engine, dt, seed)
    limits = rate_limits or {}
    untrained = _seeded(network, seed)
    for name in limits:
        find_ensemble(network, name)
    if plan is not None:
        session = ParallelSession(
            plan,
            data,
            smoothing=smoothing,
            rate_limits=limits,
            rate_limit_weight=rate_limit_weight,
            readout_steps=readout_steps,
            minibatch_size=minibatch_size,
            seed=seed,
        )
        best = _fit_parallel(session, epochs, learning_rate, seed, progress)
    else:
        session = _Session(
            network, data, smoothing, limits, readout_steps, minibatch_size, seed
        )
        with session.simulate(dt, unroll_simulation, seed) as sim:
            losses, weights = session.losses(rate_limit_weight)
            optimizer = _optimizer(data, epochs, minibatch_size, learning_rate)
            sim.compile(optimizer, loss=losses, loss_weights=weights)
            best = session.fit(sim, epochs, np.random.RandomState(seed), progress)
    return Trained(
        network=with_parameters(untrained, best.parameters),
        parameters=best.parameters,
        history=session.history,
        best_epoch=best.epoch,
        seed=seed,
        dt=dt,
        readout_steps=readout_steps,
    )


def _optimizer(data, epochs, minibatch_size, learning_rate):
    """Make Adam, its learning rate decaying to zero by a cosine."""
    n_steps = epochs * (len(data.train) // minibatch_size)
    schedule = tf.keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    return tf.keras.optimizers.Adam(schedule)


def _check_settings(data, epochs, minibatch_size, learning_rate, readout_steps):
    for name, value in (("epochs", epochs), ("minibatch_size", minibatch_size)):
        if not isinstance(value, int) or value < 1:
            raise TrainError(f"train needs {name} of at least 1, got {value!r}")
    if len(data.train) < minibatch_size:
        raise TrainError(
            f"train needs a minibatch_size of at most {len(data.train)}, the size of "
            f"{data.name}.train; got {minibatch_size}"
        )
    if not 1 <= readout_steps <= data.n_steps:
        raise TrainError(
            f"train needs readout_steps in 1..{data.n_steps}, the steps of "
            f"{data.name}; got {readout_steps!r}"
        )
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise TrainError(
            f"train needs a finite learning_rate above 0, got {learning_rate!r}"
        )


def _seeded(network, seed):
    """Copy a network, with a seed."""
    network = copy_network(network)
    if network.seed is None:
        network.seed = seed
    return network


def _choose_plan(network, data, engine, dt, seed):
    """Plan a training in parallel over time; None if NengoDL is to do it."""
    if engine not in ENGINES:
        raise TrainError(f"train knows engines {', '.join(ENGINES)}; got {engine!r}")
    _find_ends(network, data)
    if engine == "nengo-dl":
        return None
    try:
        plan, reasons = make_plan(_seeded(network, seed), dt=dt)
    except LowerError as error:
        plan, reasons = None, [str(error)]
    if plan is None and engine == "parallel":
        raise TrainError(f"cannot train in parallel over time: {'; '.join(reasons)}")
    if plan is None:
        logger.info("trained by NengoDL, since %s", "; ".join(reasons))
    return plan


def _fit_parallel(session, epochs, learning_rate, seed, progress):
    """Train a `ParallelSession` epoch by epoch; return the `_Best`."""
    data, size = session.data, session.minibatch_size
    n_batches = len(data.train) // size
    session.compile(_optimizer(data, epochs, size, learning_rate))
    best, rng = _Best(), np.random.RandomState(seed)
    with EpochProgress(epochs, n_batches, enabled=progress) as bar:
        for epoch in range(epochs):
            order = rng.permutation(len(data.train))[: n_batches * size]
            parts = (epoch + np.arange(n_batches) / n_batches) / epochs
            loss, done = session.fit_epoch(order, parts, bar), (epoch + 1) / epochs
            session.set_omega(done)
            row = {"epoch": epoch, "loss": loss, **session.validate(seed)}
            for name in session.hybrid:
                row[f"omega.{name}"] = session.omega(name, done)
            for key, value in row.items():
                session.history.setdefault(key, []).append(value)
            bar.epoch_done(row)
            if session.smoothing is None or session.smoothing.is_held(done):
                best.offer((row["val_accuracy"], -row["val_loss"]), session.read, epoch)
    return best


class _Best:
    """The best parameters so far, judged on the validation part."""

    def __init__(self):
        self.score, self.parameters, self.epoch = None, None, None

    def offer(self, score, parameters, epoch):
        if self.score is None or score > self.score:
            self.score, self.parameters, self.epoch = score, parameters(), epoch


class _Session:
    """One training: a copy of the network with the probes that training needs."""

    def __init__(
        self, network, data, smoothing, rate_limits, readout_steps, minibatch_size, seed
    ):
        self.network = _seeded(network, seed)
        self.data, self.smoothing = data, smoothing
        self.readout_steps, self.minibatch_size = readout_steps, minibatch_size
        self.input, self.probe = _find_ends(self.network, data)
        self.rate_limits = _add_rate_probes(self.network, rate_limits)
        self.hybrid = {
            name: ensemble
            for ensemble, name in object_names(self.network).items()
            if isinstance(ensemble, nengo.Ensemble)
            and isinstance(ensemble.neuron_type, HybridSpiking)
        }
        self.history = {}

    @contextlib.contextmanager
    def simulate(self, dt, unroll_simulation, seed):
        """Open NengoDL's simulator, without its banners."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No GPU support detected")
            sim = nengo_dl.Simulator(
                self.network,
                dt=dt,
                minibatch_size=self.minibatch_size,
                unroll_simulation=unroll_simulation,
                seed=seed,
                progress_bar=False,
            )
        with sim:
            yield sim

    def losses(self, rate_limit_weight):
        """Return NengoDL's losses and their weights, by probe."""

        def cross_entropy(labels, activity):
            logits = LOGIT_SCALE * tf.reduce_mean(
                activity[:, -self.readout_steps :], axis=1
            )
            return tf.keras.losses.sparse_categorical_crossentropy(
                labels[:, 0], logits, from_logits=True
            )

        def above(limit):
            return lambda _, rate: tf.reduce_mean(
                tf.square(tf.nn.relu(rate - limit)), axis=(1, 2)
            )

        losses, weights = {self.probe: cross_entropy}, {self.probe: 1.0}
        for probe, limit in self.rate_limits.items():
            losses[probe], weights[probe] = above(limit), rate_limit_weight
        return losses, weights

    def fit(self, sim, epochs, rng, progress):
        """Train epoch by epoch; return the `_Best`."""
        best, annealing = _Best(), AnnealOmega(sim, self.smoothing, epochs)
        n_batches = len(self.data.train) // self.minibatch_size
        with EpochProgress(epochs, n_batches, enabled=progress) as bar:
            for epoch in range(epochs):
                done = (epoch + 1) / epochs
                row = {"epoch": epoch}
                row["loss"] = self._fit_epoch(sim, epoch, rng, [annealing, bar])
                row |= self._validate(sim)
                for name, ensemble in self.hybrid.items():
                    row[f"omega.{name}"] = annealing.omega(ensemble, done)
                for key, value in row.items():
                    self.history.setdefault(key, []).append(value)
                bar.epoch_done(row)
                if self.smoothing is None or self.smoothing.is_held(done):
                    score = (row["val_accuracy"], -row["val_loss"])
                    best.offer(score, lambda: self._read(sim, annealing), epoch)
        return best

    def _fit_epoch(self, sim, epoch, rng, callbacks):
        train, size = self.data.train, self.minibatch_size
        order = rng.permutation(len(train))[: len(train) // size * size]
        targets = {self.probe: train.y[order, None, None]}
        for probe in self.rate_limits:
            targets[probe] = np.zeros((len(order), 1, probe.size_in), np.float32)
        result = sim.fit(
            {self.input: train.x[order]},
            targets,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        return float(result.history["loss"][0])

    def _validate(self, sim):
        """Return loss and accuracy on the validation part, spiking."""
        split, size = self.data.validation, self.minibatch_size
        padding = -len(split) % size
        x = np.concatenate([split.x, np.zeros((padding, *split.x.shape[1:]))])
        activity = sim.predict({self.input: x.astype(np.float32)}, verbose=0)
        means = activity[self.probe][: len(split), -self.readout_steps :].mean(axis=1)
        logits = LOGIT_SCALE * means
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return {
            "val_loss": float(-np.mean(log_p[np.arange(len(split)), split.y])),
            "val_accuracy": float(np.mean(np.argmax(means, axis=1) == split.y)),
        }

    def _read(self, sim, annealing):
        """Read the values that training changed."""
        parameters = {}
        for obj, name in object_names(self.network).items():
            if isinstance(obj, nengo.Connection):
                signal = sim.model.sig[obj]["weights"]
                if signal is not None and signal.trainable:
                    (values,) = sim.data.get_params((obj, "weights"))
                    parameters[f"{name}.weights"] = values
            elif isinstance(obj, nengo.Ensemble):
                values = sim.get_nengo_params(obj)
                for key in self._trained_keys(sim, obj):
                    parameters[f"{name}.{key}"] = values[key]
        parameters = {k: np.asarray(v, np.float32) for k, v in parameters.items()}
        for name, ensemble in self.hybrid.items():
            parameters[f"{name}.omega"] = np.float32(annealing.omega(ensemble, 1.0))
        return parameters

    def _trained_keys(self, sim, ensemble):
        """
        Name what training may have changed in an ensemble.

        Nengo takes gain and bias together; encoders matter only where something
        comes in through them.
        """
        keys = ()
        if sim.model.sig[ensemble.neurons]["bias"].trainable:
            is_given = isinstance(ensemble.gain, np.ndarray)
            keys = ("bias",) if is_given else ("gain", "bias")
        is_encoded = any(c.post_obj is ensemble for c in self.network.all_connections)
        if is_encoded and sim.model.sig[ensemble]["encoders"].trainable:
            keys = ("gain", "bias", "encoders")
        return keys


def _find_ends(network, data):
    """Return the input node and the probe, and check their sizes."""
    inputs = [node for node in network.all_nodes if node.size_in == 0]
    if len(inputs) != 1 or len(network.all_probes) != 1:
        raise TrainError(
            f"train needs a network with one input node and one probe, got "
            f"{len(inputs)} and {len(network.all_probes)}"
        )
    (node,), (probe,) = inputs, network.all_probes
    if node.size_out != data.size_in:
        raise ShapeError(
            f"the network's input node has {node.size_out} dimensions, {data.name} has "
            f"{data.size_in}"
        )
    if probe.size_in != data.n_classes:
        raise ShapeError(
            f"the network's probe has {probe.size_in} values, {data.name} has "
            f"{data.n_classes} classes"
        )
    return node, probe


def _add_rate_probes(network, rate_limits):
    """Probe the rates of the ensembles that have a limit; return it by probe."""
    ensembles = {find_ensemble(network, name): v for name, v in rate_limits.items()}
    with network:
        return {
            nengo.Probe(ensemble.neurons, "rate_out"): limit
            for ensemble, limit in ensembles.items()
        }
