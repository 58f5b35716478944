"""Which program each population of a network becomes, before any number is rounded."""

from dataclasses import dataclass, replace

import numpy as np

from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.quantize.turns import angles

PROGRAM_OF = {"Identity": "quantizer", "RectifiedLinear": "relu quantizer"}
SPIKING = "LIF, CubaLIF, IF"


@dataclass(frozen=True)
class Plan:
    """
    What becomes of one population, or of a memory and the quantizer behind it.

    Attributes
    ----------
    population : Population
        Whose activity is sent.
    state : Population
        Where what it hears is added up: the same, but for a memory in front of it.
    program : str
        Out of `nengo_hybrid.graphs.programs.PROGRAMS`, or "input".
    into : tuple of Projection
        What it hears, in units of what it adds up.
    is_recurrent : bool
        Whether what it sends comes back to it.
    is_output : bool
        Whether it is the network's answer.
    turns : (n // 2,) array, optional
        Angles by which a rotor turns, in radians.
    gain : (n,) array, optional
        Units of activity for each unit of a rotor's state.
    kept : (n,) array, optional
        Part of a leaky state that is left after a step.
    """

    population: object
    state: object
    program: str
    into: tuple
    is_recurrent: bool
    is_output: bool
    turns: np.ndarray | None = None
    gain: np.ndarray | None = None
    kept: np.ndarray | None = None

    @property
    def name(self):
        return self.population.name


def plan(graph):
    """
    Give every population of a folded graph its program.

    A linear population that turns its own pairs of values is a rotor; one that is
    quantized, neuron by neuron, and heard by nobody else shares its neurons with that
    quantizer. One that keeps a part of each of its values is leaky.

    Parameters
    ----------
    graph : SpikingGraph

    Returns
    -------
    tuple of Plan
        In the order of the graph.

    Raises
    ------
    QuantizeError
        If a population has an activation without a program.
    """
    quantizers = {p.name: _quantizer_of(graph, p) for p in graph.populations}
    memories = {q.name: name for name, q in quantizers.items() if q is not None}
    by_name = {p.name: p for p in graph.populations}
    plans = []
    for population in graph.populations:
        if quantizers[population.name] is not None:
            continue
        state, gain = population, np.ones(population.n_neurons)
        if population.name in memories:
            state = by_name[memories[population.name]]
            gain = np.diag(graph.into(population.name)[0].weights)
        turns, kept = _turns(graph, state), _kept(graph, state)
        plans.append(
            Plan(
                population,
                state,
                _program(graph, population, turns, kept),
                tuple(
                    replace(p, post=population.name)
                    for p in graph.into(state.name)
                    if not _is_own(p) or (turns is None and kept is None)
                ),
                _is_recurrent(graph, population.name, memories),
                population.name == graph.output,
                turns,
                gain,
                kept,
            )
        )
    return tuple(plans)


def _program(graph, population, turns, kept):
    if population.activation == "input":
        return "input"
    if turns is not None or kept is not None:
        return "rotor" if kept is None else "leaky"
    if population.dynamics is not None:
        return _spiking_program(population.dynamics)
    if population.activation == "linear" or not population.is_hybrid:
        if population.has_neurons and population.activation != "Identity":
            raise QuantizeError(_no_program(population))
        return "sum" if population.name == graph.output else "quantizer"
    if population.activation not in PROGRAM_OF:
        raise QuantizeError(_no_program(population))
    return PROGRAM_OF[population.activation]


def _spiking_program(dynamics):
    """Return the program of integrate-and-fire neurons."""
    is_plain = dynamics.kind == "IF" and dynamics.tau_syn is None
    rests = dynamics.refractory is not None and np.any(dynamics.refractory)
    program = "integrate-and-fire" if is_plain and not rests else "cuba lif"
    return program if dynamics.reset is not None else f"{program}, subtracting"


def _no_program(population):
    kind = population.activation
    kind = f"HybridSpiking({kind})" if population.is_hybrid else kind
    return (
        f"population {population.name!r} has neurons {kind}, for which there is no "
        f"program; needed HybridSpiking with a base type of {', '.join(PROGRAM_OF)}, "
        f"or one of {SPIKING}"
    )


def _quantizer_of(graph, population):
    """Return the quantizer that shares its neurons with a rotor, or None."""
    if _turns(graph, population) is None:
        return None
    heard_by = [p for p in graph.projections if p.pre == population.name != p.post]
    if len(heard_by) != 1:
        return None
    (only,) = heard_by
    post, weights = graph.population(only.post), only.weights
    is_diagonal = weights.shape[0] == weights.shape[1] and np.array_equal(
        weights, np.diag(np.diag(weights))
    )
    is_plain = post.is_hybrid and post.activation == "Identity" and not only.delay
    is_alone = len(graph.into(post.name)) == 1
    has_bias = post.bias is not None and np.any(post.bias)
    is_positive = is_diagonal and np.all(np.diag(weights) > 0)
    return post if is_positive and is_plain and is_alone and not has_bias else None


def _turns(graph, population):
    """Return the angles by which a linear population turns its values, or None."""
    if population.activation != "linear":
        return None
    for projection in graph.into(population.name):
        if projection.pre == population.name and projection.delay == 1:
            return angles(projection.weights)
    return None


def _kept(graph, population):
    """Return what a linear population keeps of each of its values, or None."""
    own = [p for p in graph.into(population.name) if _is_own(p)]
    if population.activation != "linear" or len(own) != 1:
        return None
    weights = own[0].weights
    kept = np.diag(weights)
    # One that keeps all is a rotor that does not turn.
    is_part = np.all((kept >= 0) & (kept < 1))
    return kept if is_part and np.array_equal(weights, np.diag(kept)) else None


def _is_own(projection):
    return projection.pre == projection.post and projection.delay == 1


def _is_recurrent(graph, name, memories):
    """Tell whether what a population sends comes back to it."""
    reached, ahead = set(), [name]
    while ahead:
        here = ahead.pop()
        for projection in graph.projections:
            if projection.pre == here and projection.post not in reached:
                reached.add(projection.post)
                ahead.append(projection.post)
    return name in reached or memories.get(name) in reached
