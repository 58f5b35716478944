"""What happens before and after each minibatch while NengoDL trains."""

import nengo
import tensorflow as tf

from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import object_names
from nengo_hybrid.train.smoothing import Schedules


def set_omega(sim, ensemble, omega):
    """
    Write the ``omega`` of an ensemble into NengoDL's variable, without a rebuild.

    Parameters
    ----------
    sim : nengo_dl.Simulator
    ensemble : nengo.Ensemble
        Of `HybridSpiking` neurons, in the simulator's network.
    omega : float
    """
    tensor = sim.tensor_graph.signals[sim.model.sig[ensemble.neurons]["omega"]]
    variable = sim.tensor_graph.base_params[tensor.key]
    values = variable.numpy()
    for start, stop in tensor.slices:
        values[start:stop] = omega
    variable.assign(values)


def omega_of(sim, signal):
    """
    Return an ``omega`` as it is in NengoDL's variable, for use in its graph.

    Parameters
    ----------
    sim : nengo_dl.Simulator
    signal : nengo.builder.signal.Signal

    Returns
    -------
    scalar tensor
    """
    tensor = sim.tensor_graph.signals[signal]
    ((start, _),) = tensor.slices
    return sim.tensor_graph.base_params[tensor.key][start]


class AnnealOmega(tf.keras.callbacks.Callback):
    """
    Move the ``omega`` of every hybrid-spiking ensemble along a schedule.

    For ``nengo_dl.Simulator.fit(..., callbacks=[AnnealOmega(sim, smoothing, 10)])``.

    Parameters
    ----------
    sim : nengo_dl.Simulator
    smoothing : Smoothing, dict of str to Smoothing, or None
        See `Schedules`; None sets each ensemble's own omega and leaves it there.
    epochs : int
        Epochs of the whole training, over which the schedule runs.
    """

    def __init__(self, sim, smoothing, epochs):
        super().__init__()
        self.sim, self.epochs = sim, epochs
        is_made = isinstance(smoothing, Schedules)
        self.schedules = smoothing if is_made else Schedules(smoothing)
        self.names = object_names(sim.model.toplevel)
        self.epoch = 0
        self.ensembles = [
            ensemble
            for ensemble in sim.model.toplevel.all_ensembles
            if isinstance(ensemble.neuron_type, HybridSpiking)
        ]

    def on_epoch_begin(self, epoch, logs=None):
        """Note where in the training this is."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        """Set omega for a minibatch."""
        n_batches = (self.params or {}).get("steps") or 1
        self.set_all((self.epoch + batch / n_batches) / self.epochs)

    def on_epoch_end(self, epoch, logs=None):
        """Set omega to what the epoch came to, for its validation."""
        self.set_all((epoch + 1) / self.epochs)

    def set_all(self, done):
        """Set omega for a training of which the part ``done`` is over."""
        for ensemble in self.ensembles:
            set_omega(self.sim, ensemble, self.omega(ensemble, done))

    def omega(self, ensemble: nengo.Ensemble, done):
        """Return the omega of an ensemble when the part ``done`` is over."""
        target = ensemble.neuron_type.omega
        return self.schedules.omega(self.names[ensemble], done, target)


class EachMinibatch(tf.keras.callbacks.Callback):
    """
    Call a function before, and another after each minibatch of one epoch.

    Parameters
    ----------
    begin, end : callable
        Called as ``begin(minibatch)`` and ``end(minibatch, loss)``.
    first : int
        Number of the first minibatch.
    """

    def __init__(self, begin, end, *, first):
        super().__init__()
        self.begin, self.end, self.first = begin, end, first

    def on_train_batch_begin(self, batch, logs=None):
        # Keras' loss is the mean since the last reset; wanted is that of one minibatch.
        self.model.reset_metrics()
        self.begin(self.first + batch)

    def on_train_batch_end(self, batch, logs=None):
        self.end(self.first + batch, float(logs["loss"]))
