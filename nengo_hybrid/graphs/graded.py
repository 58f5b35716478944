"""
What a chip with graded spikes runs, in integers: `GradedGraph`.

Every neuron runs a program, as `nengo_hybrid.graphs.programs` has them, on what comes
over its synapses in a step of the network, and sends an integer on. The populations
stand in the order in which they act within a step; `GradedGraph.phases` lays that order
out on the chip's own clock, where a message takes a time step.
"""

import functools
from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import BuildError
from nengo_hybrid.graphs.content import digest
from nengo_hybrid.graphs.programs import Widths


@dataclass(frozen=True)
class GradedPopulation:
    """
    Neurons that run one program.

    Attributes
    ----------
    name : str
    n_neurons : int
    program : str
        A key of `nengo_hybrid.graphs.programs.PROGRAMS`, or "input".
    parameters, initial_state : dict of str to (n_neurons,) int32 array
        What the program wants, by its own names.
    payload_bits : int
        Of what it sends, with the sign.
    unit : (n_neurons,) float array
        What a payload of 1 stands for in the network in floats.
    """

    name: str
    n_neurons: int
    program: str
    parameters: dict
    initial_state: dict
    payload_bits: int
    unit: np.ndarray

    @property
    def is_input(self):
        return self.program == "input"


@dataclass(frozen=True)
class GradedProjection:
    """
    Synapses ``weights * 2**exponent``, with (n_post, n_pre) int8 weights.

    ``delay`` is in steps of the network. Weights in pairs are two projections.
    """

    name: str
    pre: str
    post: str
    weights: np.ndarray
    exponent: int
    delay: int = 0


@dataclass(frozen=True)
class GradedGraph:
    """
    A network of programs; ``populations`` stand in an order of evaluation.

    Attributes
    ----------
    target : str
        Name of the target it was quantized for.
    populations, projections : tuple
    output : str
        The population whose payloads are the network's answer.
    errors : dict of str to float
        Root mean square of the rounding of the weights, by projection of the network in
        floats, relative to that of the weights.
    widths : Widths
        Bits of the target's integers.
    """

    target: str
    populations: tuple
    projections: tuple
    output: str
    errors: dict
    widths: Widths

    @functools.cached_property
    def sha256(self):
        """Digest of the whole graph; see `nengo_hybrid.graphs.digest`."""
        return digest(self)

    def population(self, name):
        """Return the population of this name; a `BuildError` if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        known = ", ".join(p.name for p in self.populations) or "none"
        raise BuildError(f"the graph has no population {name!r}; it has {known}")

    def into(self, name):
        """Return the projections that end at a population."""
        return tuple(p for p in self.projections if p.post == name)

    @functools.cached_property
    def phases(self):
        """
        Time step of the chip at which each population acts in a step of the network.

        A message sent in one time step arrives in the next, so a population comes at
        least one after those that it hears in the same step of the network.
        """
        found = {}
        for population in self.populations:
            heard = [p.pre for p in self.into(population.name) if not p.delay]
            found[population.name] = max((found[pre] + 1 for pre in heard), default=0)
        # What hears nothing in the same step acts as late as what it feeds allows.
        for population in reversed(self.populations):
            fed = [
                found[p.post] - 1
                for p in self.projections
                if p.pre == population.name and not p.delay
            ]
            if fed and not population.is_input:
                found[population.name] = min(fed)
        return found

    @functools.cached_property
    def chip_steps(self):
        """Time steps of the chip for every step of the network."""
        late = (
            -(-(self.phases[p.pre] + 1 - self.phases[p.post]) // p.delay)
            for p in self.projections
            if p.delay
        )
        return max([1, *late])

    @functools.cached_property
    def longest_delay(self):
        """Steps of the network for which a message may be on its way."""
        return max((p.delay for p in self.projections), default=0)

    def synaptic_delay(self, projection):
        """Return the time steps for which a projection's synapses hold a message."""
        arrives = self.phases[projection.post] + projection.delay * self.chip_steps
        return arrives - self.phases[projection.pre] - 1
