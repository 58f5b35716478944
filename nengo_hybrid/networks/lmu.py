"""
The Legendre Memory Unit as a Nengo network.

Source: Voelker, Kajic, Eliasmith, *Legendre Memory Units: Continuous-Time
Representation in Recurrent Neural Networks*, NeurIPS 2019.
"""

import math

import nengo
import numpy as np
from nengo.params import BoolParam

from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.networks.memory import (
    check_at_least_one,
    rotations,
    state_space,
)

QUANTIZERS = ("input", "readout", "loop", "hub")


class LMU(nengo.Network):
    """
    A window of the input as Legendre coefficients, and a hidden layer on it.

    Each time step computes, with ``x`` the input and ``h`` the hidden activity ::

        u_t = x_t  [+ e_h h_{t-1}]  [+ e_m m_{t-1}]
        m_t = A m_{t-1} + B u_t
        h_t = f(W_m m_t  [+ W_x x_t]  [+ W_h h_{t-1}])

    The bracketed terms are there on demand. ``A`` and ``B`` come from
    `lmu_matrices` and are not trained unless ``train_memory`` is set.

    In the basis of `rotations`, A is ``local + spread @ gather``: coefficients turn in
    pairs, which are local to two neurons and exact, and meet in two hubs. With a
    quantizer in the loop only what goes through the hubs is quantized, ::

        m_t = local m_{t-1} + spread hub_t + B u_t,   hub_t = q_h(gather q(m_{t-1}))

    so that its error does not add up, with 4 x order synapses in place of order^2.

    Parameters
    ----------
    order : int
        Legendre coefficients per input dimension.
    theta_steps : float
        Length of the window, in time steps (not seconds).
    size_in : int
        Input dimensions; each has a memory of its own.
    n_hidden : int
        Size of the hidden layer; 0 for the memory alone.
    hidden_type : nengo.neurons.NeuronType
        Neuron type of the hidden layer, such as
        ``HybridSpiking(nengo.RectifiedLinear())``.
    quantizer : dict
        Where messages are quantized, and how: a neuron type for any of
        ``"input"`` (what enters the memory), ``"readout"`` (what leaves it for
        others; the state stays exact) and ``"loop"`` (every message of the
        memory, to itself too), and ``"hub"`` (what the hubs of the basis of
        rotations send).
    readout_scale : float or (size_in * order,) array
        Factor on each coefficient before the read-out's or loop's quantizer, so
        that ``memory`` has the scaled coefficients; the loop undoes it. ``1 /
        std`` of each coefficient makes its bits count.
    basis : str
        "legendre" or "rotations".
    hub_scale : float or (size_in * 2,) array
        Factor on each hub before its quantizer, undone behind it.
    hidden_to_hidden, hidden_to_memory, memory_to_memory, input_to_hidden : bool
        Which of the bracketed terms to have; they start at zero, apart from
        ``input_to_hidden`` and ``hidden_to_hidden``, which start at random.
    train_memory : bool
        Whether training may change A and B.
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        Where to connect the input, ``size_in`` dimensions.
    memory : nengo.Node or nengo.ensemble.Neurons
        The (quantized) coefficients, to connect from, ``size_in * order``.
    hidden : nengo.ensemble.Neurons or None
        The hidden layer.
    state : nengo.Node
        The exact coefficients.
    A : (order, order) array
    B : (order, 1) array

    Raises
    ------
    BuildError
        For sizes below 1, an unknown place for a quantizer, or terms that need
        a hidden layer where there is none.
    """

    def __init__(
        self,
        order,
        theta_steps,
        size_in=1,
        *,
        n_hidden=0,
        hidden_type=None,
        quantizer=None,
        readout_scale=1.0,
        basis="legendre",
        hub_scale=1.0,
        hidden_to_hidden=False,
        hidden_to_memory=False,
        memory_to_memory=False,
        input_to_hidden=False,
        train_memory=False,
        label="lmu",
        seed=None,
        add_to_container=None,
    ):
        self.A, self.B = state_space(order, theta_steps, basis)
        check_at_least_one("size_in", size_in, whole=True)
        needs_hidden = hidden_to_hidden or hidden_to_memory or input_to_hidden
        _check_hidden(n_hidden, hidden_type, needs_hidden)
        quantizer = _check_quantizer(quantizer, basis)
        self.order, self.theta_steps, self.size_in = order, theta_steps, size_in
        self.basis = basis
        self.readout_scale = _check_scale(
            "readout_scale", readout_scale, size_in * order
        )
        self.hub_scale = _check_scale("hub_scale", hub_scale, size_in * 2)
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        # The name under which NengoDL looks up what an optimizer may change.
        for kind in (nengo.Ensemble, nengo.Connection):
            self.config[kind].set_param(
                "trainable", BoolParam("trainable", None, optional=True)
            )
        with self:
            self._build_memory(quantizer, train_memory)
            self._build_hidden(n_hidden, hidden_type)
            if input_to_hidden:
                self._connect_random(self.input, self.hidden, "input_to_hidden")
            if hidden_to_hidden:
                self._connect_random(
                    self.hidden, self.hidden, "hidden_to_hidden", synapse=0
                )
            if hidden_to_memory:
                self._connect_zero(self.hidden, "hidden_to_memory")
            if memory_to_memory:
                self._connect_zero(self.memory, "memory_to_memory")

    def _build_memory(self, quantizer, train_memory):
        size = self.size_in * self.order
        eye = np.eye(self.size_in)
        self.input = nengo.Node(size_in=self.size_in, label="input")
        self.drive = nengo.Node(size_in=self.size_in, label="drive")
        self.state = nengo.Node(size_in=size, label="state")
        source = self._quantize(self.input, quantizer, "input", 1.0)
        self._connect_fixed(source, self.drive, 1.0, "input_to_drive")
        self._connect_fixed(
            self.drive, self.state, np.kron(eye, self.B), "B", trainable=train_memory
        )
        place = "loop" if "loop" in quantizer else "readout"
        self.memory = self._quantize(self.state, quantizer, place, self.readout_scale)
        is_quantized = "loop" in quantizer
        source = self.memory if is_quantized else self.state
        undo = 1.0 / self.readout_scale if is_quantized else np.ones(size)
        if self.basis == "legendre":
            self._connect_fixed(
                source,
                self.state,
                np.kron(eye, self.A) * undo,
                "A",
                synapse=0,
                trainable=train_memory,
            )
        else:
            self._build_rotations(source, undo, quantizer, train_memory)

    def _build_rotations(self, source, undo, quantizer, train_memory):
        """Join the memory to itself: pairs locally, all through the hubs."""
        parts, eye = rotations(self.order, self.theta_steps), np.eye(self.size_in)
        local = {"synapse": 0, "trainable": train_memory}
        self._connect_fixed(
            self.state, self.state, np.kron(eye, parts.local), "local", **local
        )
        gathered = nengo.Node(size_in=2 * self.size_in, label="gathered")
        self._connect_fixed(
            source, gathered, np.kron(eye, parts.gather) * undo, "gather", **local
        )
        hub = self._quantize(gathered, quantizer, "hub", self.hub_scale)
        scale = self.hub_scale if "hub" in quantizer else 1.0
        self._connect_fixed(
            hub,
            self.state,
            np.kron(eye, parts.spread) / scale,
            "spread",
            trainable=train_memory,
        )

    def _quantize(self, source, quantizer, place, scale):
        """Put a quantizer behind ``source`` if one is asked for at ``place``."""
        if place not in quantizer:
            return source
        n = source.size_out
        ensemble = nengo.Ensemble(
            n,
            1,
            neuron_type=quantizer[place],
            gain=np.ones(n),
            bias=np.zeros(n),
            label=place,
        )
        self.config[ensemble].trainable = False
        self._connect_fixed(source, ensemble.neurons, scale, f"{place}_scale")
        return ensemble.neurons

    def _build_hidden(self, n_hidden, hidden_type):
        self.hidden = None
        if not n_hidden:
            return
        ensemble = nengo.Ensemble(
            n_hidden,
            1,
            neuron_type=hidden_type,
            gain=np.ones(n_hidden),
            bias=np.zeros(n_hidden),
            label="hidden",
        )
        self.hidden = ensemble.neurons
        self._connect_random(self.memory, self.hidden, "memory_to_hidden")

    def _connect_fixed(
        self, pre, post, transform, label, *, synapse=None, trainable=False
    ):
        transform = np.asarray(transform, dtype=float)
        connection = nengo.Connection(
            pre, post, transform=transform, synapse=synapse, label=label
        )
        self.config[connection].trainable = trainable

    def _connect_random(self, pre, post, label, *, synapse=None):
        """Connect with Glorot-uniform weights, to be trained."""
        limit = math.sqrt(6 / (pre.size_out + post.size_in))
        weights = nengo.dists.Uniform(-limit, limit)
        nengo.Connection(pre, post, transform=weights, synapse=synapse, label=label)

    def _connect_zero(self, pre, label):
        """Feed back into the drive with weights of zero, to be trained."""
        weights = np.zeros((self.size_in, pre.size_out))
        nengo.Connection(pre, self.drive, transform=weights, synapse=0, label=label)


def _check_hidden(n_hidden, hidden_type, needs_hidden):
    if n_hidden:
        check_at_least_one("n_hidden", n_hidden, whole=True)
        if not isinstance(hidden_type, nengo.neurons.NeuronType):
            raise BuildError(
                "LMU needs a neuron type as hidden_type for its hidden layer, got "
                f"{hidden_type!r}; pass HybridSpiking(nengo.RectifiedLinear())"
            )
    elif needs_hidden:
        raise BuildError(
            "LMU needs a hidden layer for hidden_to_hidden, hidden_to_memory and "
            "input_to_hidden, got n_hidden=0; pass n_hidden and hidden_type"
        )


def _check_quantizer(quantizer, basis):
    quantizer = dict(quantizer or {})
    for place, neuron_type in quantizer.items():
        if place not in QUANTIZERS:
            raise BuildError(
                f"LMU can be quantized at {', '.join(QUANTIZERS)}; got {place!r}"
            )
        if not isinstance(neuron_type, nengo.neurons.NeuronType):
            raise BuildError(
                f"LMU needs a neuron type to quantize its {place}, got "
                f"{neuron_type!r}; pass HybridSpiking(Identity(), omega=...)"
            )
    if "readout" in quantizer and "loop" in quantizer:
        raise BuildError(
            "LMU has one quantizer on its memory, got both readout and loop; "
            "loop quantizes the read-out too"
        )
    if "hub" in quantizer and basis != "rotations":
        raise BuildError(
            f"LMU has hubs in the basis of rotations only, got basis {basis!r} and a "
            "quantizer for its hub"
        )
    return quantizer


def _check_scale(name, scale, size):
    scale = np.asarray(scale, dtype=float)
    if scale.ndim > 1 or (scale.ndim == 1 and scale.shape != (size,)):
        raise ShapeError(
            f"LMU needs a {name} of shape () or ({size},), got {scale.shape}"
        )
    if not np.all(np.isfinite(scale)) or np.any(scale <= 0):
        raise BuildError(f"LMU needs a finite {name} above 0 everywhere")
    return np.broadcast_to(scale, (size,)).copy()
