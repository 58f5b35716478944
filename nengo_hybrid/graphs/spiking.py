"""What is deployed, in floats: `SpikingGraph`."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import BuildError


@dataclass(frozen=True)
class Dynamics:
    """
    Integrate-and-fire neurons in floats: LIF, CubaLIF or IF, by what they have.

    With x what comes in, in steps of dt and in this order ::

        i += dt / tau_syn * (w_in * x - i)
        v += dt / tau_mem * (leak - v + resistance * i)
        spike if v > threshold; then v = reset

    Without ``tau_syn`` i is x; without ``tau_mem`` v grows by dt * resistance * i;
    without ``reset`` a spike takes the threshold from v.

    With a ``minimum`` v does not fall below it; after a spike v stays as it is for
    ``refractory`` steps, whatever comes in.

    All arrays have shape (n_neurons,); times are in the unit of the graph's ``dt``.
    ``i`` starts at 0, ``v`` at the population's ``initial_voltage``; without one at
    ``leak``, or else at 0.
    """

    threshold: np.ndarray
    resistance: np.ndarray
    reset: np.ndarray | None = None
    tau_mem: np.ndarray | None = None
    leak: np.ndarray | None = None
    tau_syn: np.ndarray | None = None
    w_in: np.ndarray | None = None
    minimum: np.ndarray | None = dataclasses.field(
        default=None, metadata={"added": True}
    )
    refractory: np.ndarray | None = dataclasses.field(
        default=None, metadata={"added": True}
    )

    @property
    def kind(self):
        """What the Neuromorphic Intermediate Representation calls them."""
        if self.tau_mem is None:
            return "IF"
        return "LIF" if self.tau_syn is None else "CubaLIF"


@dataclass(frozen=True)
class Population:
    """
    Neurons, or the dimensions of a linear node, that are updated together.

    ``activation`` is "input" (given from outside), "linear" (a sum, no neuron)
    or the name of a rate neuron type such as "RectifiedLinear", by whose bare
    function ``amplitude`` is a factor; with ``dynamics``, the kind of these, whose
    spikes have the size ``amplitude``.
    ``omega`` is None for rate neurons, else that of `HybridSpiking`. ``bias`` and
    ``initial_voltage`` have shape (n_neurons,). ``stagger`` has the sizes of groups for
    which one voltage is drawn, as `nengo_hybrid.neurons.Staggered` does; by default
    each neuron has its own.
    """

    name: str
    n_neurons: int
    activation: str
    omega: float | None = None
    amplitude: float = 1.0
    bias: np.ndarray | None = None
    initial_voltage: np.ndarray | None = None
    stagger: np.ndarray | None = None
    dynamics: Dynamics | None = dataclasses.field(
        default=None, metadata={"added": True}
    )

    @property
    def is_hybrid(self):
        return self.omega is not None

    @property
    def has_neurons(self):
        return self.activation not in ("input", "linear")


@dataclass(frozen=True)
class Convolution:
    """
    A convolution as PyTorch defines it, with zeros for what is padded.

    Attributes
    ----------
    kernel : (n_out, n_in / groups, size, ...) array
    input_shape : tuple of int
        Channels, then a size for each dimension of the kernel.
    stride, padding, dilation : tuple of int
        One for each dimension.
    groups : int
    """

    kernel: np.ndarray
    input_shape: tuple
    stride: tuple
    padding: tuple
    dilation: tuple
    groups: int


@dataclass(frozen=True)
class Projection:
    """
    Weights (n_post, n_pre) between two populations, ``delay`` steps late.

    ``convolution`` says what the weights were made of, if it is known. The weights
    alone count: what changes them may leave it as it was.
    """

    name: str
    pre: str
    post: str
    weights: np.ndarray
    delay: int = 0
    convolution: Convolution | None = dataclasses.field(
        default=None, metadata={"added": True}
    )


@dataclass(frozen=True)
class SpikingGraph:
    """
    A network in floats; ``populations`` stand in an order of evaluation.

    ``dt`` is the length of a step in the units of the neurons' rates;
    ``output`` is the population whose activity is the network's answer.
    """

    dt: float
    populations: tuple
    projections: tuple
    output: str

    def population(self, name):
        """Return the population of this name; a `BuildError` if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        known = ", ".join(p.name for p in self.populations) or "none"
        raise BuildError(f"the graph has no population {name!r}; it has {known}")

    def refuse_dynamics(self, who, error):
        """Raise an error if any population has neurons that are not rate neurons."""
        for population in self.populations:
            if population.dynamics is not None:
                raise error(
                    f"{who} takes rate and hybrid-spiking neurons, and population "
                    f"{population.name!r} has {population.activation} neurons; "
                    "graph_run.run_neurons runs it in floats"
                )

    def into(self, name):
        """Return the projections that end at a population."""
        return tuple(p for p in self.projections if p.post == name)
