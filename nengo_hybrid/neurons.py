"""
Hybrid-spiking neurons: the temporally-diffused quantizer as a Nengo neuron type.

Source: Voelker, Rasmussen, Eliasmith, *A Spike in Performance: Training
Hybrid-Spiking Neural Networks with Quantized Activation Functions*,
arXiv 2002.03553.
"""

import math
import numbers

import numpy as np
from nengo.builder import Builder
from nengo.builder.neurons import SimNeurons, build_neurons
from nengo.builder.signal import Signal
from nengo.dists import Distribution, Uniform
from nengo.neurons import Direct, NeuronType, RatesToSpikesNeuronType
from nengo.params import NdarrayParam, NumberParam

from nengo_hybrid.exceptions import BuildError, ShapeError

KNOWN_BASES = "RectifiedLinear, Tanh, Sigmoid, LIFRate, Identity"


class Identity(NeuronType):
    """
    A rate neuron whose output is its input current, of either sign.

    With it as base type, `HybridSpiking` quantizes a linear signal, such as
    the read-out of a Legendre memory.
    """

    negative = True

    def gain_bias(self, max_rates, intercepts):
        """Find the line through the intercept and the maximum rate at 1."""
        max_rates = np.atleast_1d(np.asarray(max_rates, dtype=float))
        intercepts = np.atleast_1d(np.asarray(intercepts, dtype=float))
        gain = max_rates / (1 - intercepts)
        return gain, -intercepts * gain

    def max_rates_intercepts(self, gain, bias):
        """Compute the inverse of `gain_bias`."""
        return gain + bias, -bias / gain

    def step(self, dt, J, output):
        """Copy the current to the output."""
        output[...] = J


class HybridSpiking(RatesToSpikesNeuronType):
    """
    Quantize a rate neuron type, and diffuse the error over time.

    With ``f`` the activation of ``base_type`` (in Hz), each step does ::

        s = voltage + omega * dt * f(J)
        k = floor(s)
        voltage = s - k
        output = k * amplitude / (omega * dt)

    ``omega = 1`` is `nengo.RegularSpiking`, spike for spike; ``omega -> inf``
    is the rate neuron. While ``omega * dt * max|f| <= 1`` the counts ``k`` are
    -1, 0 or 1; above that, spikes are graded (several bits). The output differs
    from ``f`` by less than ``amplitude / (omega * dt)`` at every step, and so
    does its sum over any number of steps.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
        A rate type: RectifiedLinear, Tanh, Sigmoid, LIFRate, `Identity`, ...
    omega : float
        Counts per unit of ``dt * f``; finite and above 0.
    amplitude : float
        Scale of the output, as in Nengo.
    initial_state : {str: Distribution or array_like}
        ``"voltage"`` in [0, 1); uniform by default, which makes the error
        zero-mean.

    Raises
    ------
    BuildError
        If ``base_type`` is not a rate type, or ``omega`` is not a number above 0.

    References
    ----------
    arXiv 2002.03553; the formula is the one of `nengo.RegularSpiking`.
    """

    omega = NumberParam("omega", low=0, low_open=True)
    state = {"voltage": Uniform(low=0, high=1)}

    def __init__(self, base_type, omega=1.0, amplitude=1.0, initial_state=None):
        _check_base_type(base_type)
        _check_omega(omega)
        super().__init__(base_type, amplitude=amplitude, initial_state=initial_state)
        self.omega = omega

    def step(self, dt, J, output, voltage):
        """
        Advance by one time step, in place.

        Parameters
        ----------
        dt : float
            Time step, in seconds.
        J : (n_neurons,) array
            Rates of the base type, in Hz (not the input current).
        output, voltage : (n_neurons,) array
            Overwritten with the output (Hz) and the remaining error in [0, 1).
        """
        self.quantize(dt, J, output, voltage, self.omega)

    def quantize(self, dt, J, output, voltage, omega):
        """Do `step` with an ``omega`` from elsewhere: a training schedule's."""
        voltage += omega * dt * J
        count = np.floor(voltage)
        output[...] = (self.amplitude / (omega * dt)) * count
        voltage -= count

    def with_omega(self, omega):
        """Return the same neuron type with another ``omega``."""
        return HybridSpiking(
            self.base_type,
            omega=omega,
            amplitude=self.amplitude,
            initial_state=self.initial_state,
        )


class Staggered(Distribution):
    """
    Voltages spread evenly within each group of neurons, from one drawn for it.

    Neuron j of a group of p starts at ``(v + j) / p``, with v uniform in [0, 1). Such
    a group sends together what one neuron of p times the drive sends; see
    `nengo_hybrid.to_one_bit`.

    Parameters
    ----------
    sizes : (n_groups,) int array
        Neurons of each group, in their order.
    """

    sizes = NdarrayParam("sizes", shape=("*",), dtype=np.int64)

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes

    def sample(self, n, d=None, rng=np.random):
        """Draw a voltage for each of n neurons, all that there are."""
        if n != self.sizes.sum():
            raise ShapeError(
                f"Staggered has groups of {self.sizes.sum()} neurons in all, and "
                f"cannot draw voltages for {n}"
            )
        drawn = self.spread(rng.uniform(size=len(self.sizes)))
        return drawn if d is None else np.repeat(drawn[:, None], d, axis=1)

    def spread(self, voltages):
        """Turn voltages of groups (..., n_groups) into those of neurons (..., n)."""
        sizes = self.sizes
        place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return (np.repeat(voltages, sizes, axis=-1) + place) / np.repeat(sizes, sizes)


class SimHybridSpiking(SimNeurons):
    """
    Run `HybridSpiking`, reading ``omega`` from a signal.

    The signal lets a simulator that trains hold ``omega`` as a variable which
    a schedule moves and which is saved with the parameters.
    """

    def __init__(self, neurons, J, output, omega, *, state, tag=None):
        super().__init__(neurons, J, output, state=state, tag=tag)
        self.reads.append(omega)

    @property
    def omega(self):
        return self.reads[1]

    def make_step(self, signals, dt, rng):
        J, omega = signals[self.J], signals[self.omega]
        output, voltage = signals[self.output], signals[self.state["voltage"]]

        def step_hybrid_spiking():
            self.neurons.quantize(dt, J, output, voltage, omega)

        return step_hybrid_spiking


@Builder.register(HybridSpiking)
def build_hybrid_spiking(model, neuron_type, neurons):
    """Build the base type, then the quantizer, joined by the ``rate_out`` signal."""
    sig = model.sig[neurons]
    rate = Signal(shape=sig["in"].shape, name=f"{neurons}.rate_out")
    build_neurons(
        model, neuron_type.base_type, neurons, input_sig=sig["in"], output_sig=rate
    )
    sig["rate_out"] = rate

    rng = np.random.RandomState(model.seeds[neurons.ensemble] + 1)
    state = neuron_type.make_state(neurons.size_in, rng=rng, dtype=rate.dtype)
    sig["voltage"] = Signal(state["voltage"], name=f"{neurons}.voltage")
    sig["omega"] = omega = Signal(
        np.array([neuron_type.omega], dtype=rate.dtype), name=f"{neurons}.omega"
    )
    # NengoDL's words for "a parameter, the same for the whole minibatch, that no
    # optimizer moves"; Nengo's own simulator does not read them.
    omega.trainable = False
    omega.minibatched = False

    model.add_op(
        SimHybridSpiking(
            neuron_type,
            J=rate,
            output=sig["out"],
            omega=omega,
            state={"voltage": sig["voltage"]},
        )
    )


def _check_base_type(base_type):
    known = f"(one of {KNOWN_BASES}, or another nengo.neurons.NeuronType)"
    if not isinstance(base_type, NeuronType):
        raise BuildError(
            f"HybridSpiking needs a rate neuron type {known}, got {base_type!r}; "
            "pass an instance such as nengo.RectifiedLinear()"
        )
    if base_type.spiking or isinstance(base_type, Direct):
        raise BuildError(
            f"HybridSpiking needs a rate neuron type {known}, got "
            f"{type(base_type).__name__}, which has no rate output; "
            "pass its rate equivalent such as nengo.LIFRate()"
        )


def _check_omega(omega):
    is_number = isinstance(omega, numbers.Real) and not isinstance(omega, bool)
    if not is_number or not math.isfinite(omega) or omega <= 0:
        raise BuildError(
            f"HybridSpiking needs a finite omega above 0, got {omega!r}; omega=1 is "
            "nengo.RegularSpiking, larger values give graded spikes"
        )
