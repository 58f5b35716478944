"""Training step by step, through NengoDL, which runs any network."""

import warnings

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo.builder.processes import SimProcess
from nengo.synapses import LinearFilter
from threadpoolctl import threadpool_limits

from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.graphs import digest
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.parameters import find_ensemble, object_names
from nengo_hybrid.train.budgets import penalty, without_rates
from nengo_hybrid.train.callbacks import AnnealOmega, EachMinibatch, omega_of
from nengo_hybrid.train.losses import cross_entropy
from nengo_hybrid.train.neuron_builders import HybridSpikingBuilder


class StepwiseSession:
    """
    One training through NengoDL; see `nengo_hybrid.train.engine.train`.

    For use in a ``with`` block, which closes NengoDL's simulator.

    Parameters
    ----------
    network : nengo.Network
        A copy, to which the probes are added that training needs.
    data : nengo_hybrid.datasets.Dataset
    **settings
        As in `train`.
    """

    def __init__(
        self,
        network,
        data,
        *,
        schedules,
        budgets,
        budget_weight,
        readout_steps,
        minibatch_size,
        seed,
        logit_scale,
        label_smoothing,
        unroll_simulation,
        dt,
    ):
        self.network, self.data, self.names = network, data, object_names(network)
        (self.probe,) = network.all_probes
        (self.input,) = (n for n in network.all_nodes if n.size_in == 0)
        self.readout_steps, self.minibatch_size = readout_steps, minibatch_size
        self.logit_scale, self.label_smoothing = logit_scale, label_smoothing
        self.budgets, self.budget_weight = budgets, budget_weight
        self.rate_probes = _add_rate_probes(network, budgets)
        self.dt = dt
        self.sim = _build(
            network,
            dt=dt,
            minibatch_size=minibatch_size,
            unroll_simulation=unroll_simulation,
            seed=seed,
        )
        self.annealing = AnnealOmega(self.sim, schedules, epochs=1)
        self.set_omega = self.annealing.set_all

    def __enter__(self):
        self.sim.__enter__()
        return self

    def __exit__(self, *exc_info):
        self.sim.__exit__(*exc_info)

    def omegas(self, done):
        """Return every omega, by ensemble, when the part ``done`` is over."""
        return {
            self.names[ensemble]: self.annealing.omega(ensemble, done)
            for ensemble in self.network.all_ensembles
            if isinstance(ensemble.neuron_type, HybridSpiking)
        }

    @property
    def undecayed(self):
        """
        The variables that ``weight_decay`` leaves alone.

        Raises
        ------
        TrainError
            If NengoDL keeps weights and others in one variable.
        """
        decayed, others = {}, set()
        for obj, name in self.names.items():
            if isinstance(obj, nengo.Connection):
                decayed |= {key: name for key in self._keys(obj, "weights")}
            elif isinstance(obj, nengo.Ensemble):
                others |= self._keys(obj, "encoders")
                others |= self._keys(obj.neurons, "bias")
        for key in decayed.keys() & others:
            raise TrainError(
                f"weight_decay cannot decay the weights of {decayed[key]} alone, which "
                "NengoDL keeps in one variable with biases or encoders; needed 0"
            )
        params = self.sim.tensor_graph.base_params
        return [v for k, v in params.items() if v.trainable and k not in decayed]

    def _keys(self, obj, attribute):
        """Return the key of the variable that holds a trained signal, or nothing."""
        signals, signal = self.sim.tensor_graph.signals, self._signal(obj, attribute)
        return (
            {signals[signal].key} if signal is not None and signal in signals else set()
        )

    def _signal(self, obj, attribute):
        """Return a signal if it is trained, else None."""
        signal = self.sim.model.sig[obj].get(attribute)
        return signal if signal is not None and signal.trainable else None

    def compile(self, optimizer):
        """Get ready to train with an optimizer."""
        self.optimizer = optimizer
        optimizer.build(self.sim.keras_model.trainable_variables)

        def answer(labels, activity):
            return cross_entropy(
                tf.reduce_mean(activity[:, -self.readout_steps :], axis=1),
                labels[:, 0, 0],
                logit_scale=self.logit_scale,
                label_smoothing=self.label_smoothing,
            )

        def above(name):
            limits = self.budgets[name]
            return lambda _, rates: self._penalty(name, rates, limits)

        losses, weights = {self.probe: answer}, {self.probe: 1.0}
        for name, probe in self.rate_probes.items():
            losses[probe], weights[probe] = above(name), self.budget_weight
        self.sim.compile(optimizer, loss=losses, loss_weights=weights)

    def _penalty(self, name, rates, limits):
        """Return what an ensemble is over some limits, before the weight of that."""
        signal = self.sim.model.sig[find_ensemble(self.network, name).neurons]
        scale = None
        if "omega" in signal:
            scale = self.dt * omega_of(self.sim, signal["omega"])
        return penalty(limits, rates, scale)

    def fit_epoch(self, epoch, order, first, *, begin, end):
        """
        Train on the samples of an epoch, or on those that are left of it.

        Parameters
        ----------
        epoch : int
        order : (n,) int array
            The samples, a multiple of the minibatch's size.
        first : int
            The minibatch to begin with.
        begin, end : callable
            Called as ``begin(minibatch)`` and ``end(minibatch, loss)``.
        """
        left = order[first * self.minibatch_size :]
        targets = {self.probe: self.data.train.y[left, None, None]}
        for probe in self.rate_probes.values():
            targets[probe] = np.zeros((len(left), 1, probe.size_in), np.float32)
        self.sim.fit(
            {self.input: self.data.train.x[left]},
            targets,
            shuffle=False,
            verbose=0,
            callbacks=[EachMinibatch(begin, end, first=first)],
        )

    def validate(self, *, bits):
        """
        Try the validation part, spiking.

        Parameters
        ----------
        bits : bool
            Not measured here, since every population would have to be recorded.

        Returns
        -------
        scores : dict of str to float
            Loss and accuracy, and what is over the budgets of bits and spikes, if any.
        bits : dict
            Empty.
        """
        split, size = self.data.validation, self.minibatch_size
        padding = -len(split) % size
        x = np.concatenate([split.x, np.zeros((padding, *split.x.shape[1:]))])
        activity = self.sim.predict({self.input: x.astype(np.float32)}, verbose=0)
        means = activity[self.probe][: len(split), -self.readout_steps :].mean(axis=1)
        logits = self.logit_scale * means
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        scores = {
            "val_loss": float(-np.mean(log_p[np.arange(len(split)), split.y])),
            "val_accuracy": float(np.mean(np.argmax(means, axis=1) == split.y)),
        }
        costs = without_rates(self.budgets)
        if costs:
            rates = {n: activity[self.rate_probes[n]][: len(split)] for n in costs}
            scores["val_penalty"] = self.budget_weight * sum(
                float(self._penalty(name, tf.constant(rates[name]), limits))
                for name, limits in costs.items()
            )
        return scores, {}

    def first_not_finite(self):
        """Name the first parameter with a value that is not finite, if any."""
        for name, values in self.read().items():
            if not np.all(np.isfinite(values)):
                return f"parameter {name}"
        return None

    def read(self):
        """Return the values that training changed, and the final omegas."""
        parameters, sim = {}, self.sim
        for obj, name in self.names.items():
            if isinstance(obj, nengo.Connection):
                if self._signal(obj, "weights") is not None:
                    (values,) = sim.data.get_params((obj, "weights"))
                    parameters[f"{name}.weights"] = values
            elif isinstance(obj, nengo.Ensemble):
                values = sim.get_nengo_params(obj)
                for key in self._trained_keys(obj):
                    parameters[f"{name}.{key}"] = values[key]
        parameters = {k: np.asarray(v, np.float32) for k, v in parameters.items()}
        omegas = {f"{n}.omega": np.float32(o) for n, o in self.omegas(1.0).items()}
        return parameters | omegas

    def _trained_keys(self, ensemble):
        """
        Name what training may have changed in an ensemble.

        Nengo takes gain and bias together; encoders matter only where something
        comes in through them.
        """
        keys = ()
        if self._signal(ensemble.neurons, "bias") is not None:
            is_given = isinstance(ensemble.gain, np.ndarray)
            keys = ("bias",) if is_given else ("gain", "bias")
        is_encoded = any(c.post_obj is ensemble for c in self.network.all_connections)
        if is_encoded and self._signal(ensemble, "encoders") is not None:
            keys = ("gain", "bias", "encoders")
        return keys

    def _variables(self):
        """All that changes while training, by name."""
        builders = self.sim.tensor_graph.op_builder.op_builds.values()
        drawn = [b.n_drawn for b in builders if isinstance(b, HybridSpikingBuilder)]
        return {
            f"{kind}.{i}": variable
            for kind, variables in (
                ("model", self.sim.keras_model.weights),
                ("optimizer", self.optimizer.variables),
                ("drawn", drawn),
            )
            for i, variable in enumerate(variables)
        }

    def state(self):
        """Return, by name, the arrays from which `restore` goes on."""
        return {name: v.numpy() for name, v in self._variables().items()}

    def restore(self, state):
        """Go back to what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def identity(self):
        """
        Return a digest of the network before its training.

        Raises
        ------
        TrainError
            If a process of the network, of noise say, has a state that no checkpoint
            holds.
        """
        for op in self.sim.model.operators:
            if isinstance(op, SimProcess) and not isinstance(op.process, LinearFilter):
                raise TrainError(
                    f"checkpoints cannot hold the state of the process {op.process}; "
                    "needed a network without it, or checkpoints=None"
                )
        graph = self.sim.tensor_graph
        variables = [*self.sim.keras_model.weights, *graph.saved_state.values()]
        objects = [(n, *_structure(obj)) for obj, n in self.names.items()]
        return digest((objects, [variable.numpy() for variable in variables]))


def _build(network, **settings):
    """Build NengoDL's simulator, without its banners."""
    bits = nengo.rc.get("precision", "bits")
    try:
        # In one thread, as in `engine._choose_plan`.
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            warnings.filterwarnings("ignore", message="No GPU support detected")
            return nengo_dl.Simulator(network, progress_bar=False, **settings)
    finally:
        # NengoDL sets it, and leaves it so when a network cannot be built.
        nengo.rc.set("precision", "bits", bits)


def _structure(obj):
    """Return what of an object is in none of NengoDL's variables."""
    if isinstance(obj, nengo.Connection):
        return repr(obj.pre_slice), repr(obj.post_slice), repr(obj.synapse)
    kind = repr(obj.neuron_type) if isinstance(obj, nengo.Ensemble) else "node"
    return obj.size_in, obj.size_out, kind


def _add_rate_probes(network, names):
    """Probe the rates of ensembles; return the probes by their names."""
    ensembles = {name: find_ensemble(network, name) for name in names}
    with network:
        return {
            name: nengo.Probe(ensemble.neurons, _rate_signal(ensemble.neuron_type))
            for name, ensemble in ensembles.items()
        }


def _rate_signal(neuron_type):
    """Name what has the rates: of neurons that send none, what is behind counts."""
    return "rate_out" if isinstance(neuron_type, HybridSpiking) else "output"
