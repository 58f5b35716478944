"""Which program each population of a network becomes, before any number is rounded."""

from dataclasses import dataclass, replace

import numpy as np

from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.quantize.turns import angles

PROGRAM_OF = {"Identity": "quantizer", "RectifiedLinear": "relu quantizer"}


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
        Out of `nengo_hybrid.programs.PROGRAMS`, or "input".
    into : tuple of Projection
        What it hears, in units of what it adds up.
    is_recurrent : bool
        Whether what it sends comes back to it.
    turns : (n // 2,) array, optional
        Angles by which a rotor turns, in radians.
    gain : (n,) array, optional
        Units of activity for each unit of a rotor's state.
    """

    population: object
    state: object
    program: str
    into: tuple
    is_recurrent: bool
    turns: np.ndarray | None = None
    gain: np.ndarray | None = None

    @property
    def name(self):
        return self.population.name


def plan(graph):
    """
    Give every population of a folded graph its program.

    A linear population that turns its own pairs of values is a rotor; one that is
    quantized, neuron by neuron, and heard by nobody else shares its neurons with that
    quantizer.

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
        turns = _turns(graph, state)
        plans.append(
            Plan(
                population,
                state,
                _program(graph, population, turns),
                tuple(
                    replace(p, post=population.name)
                    for p in graph.into(state.name)
                    if not _turns_itself(p, turns)
                ),
                _is_recurrent(graph, population.name, memories),
                turns,
                gain,
            )
        )
    return tuple(plans)


def _program(graph, population, turns):
    if population.activation == "input":
        return "input"
    if turns is not None:
        return "rotor"
    if population.activation == "linear" or not population.is_hybrid:
        if population.has_neurons and population.activation != "Identity":
            raise QuantizeError(_no_program(population))
        return "sum" if population.name == graph.output else "quantizer"
    if population.activation not in PROGRAM_OF:
        raise QuantizeError(_no_program(population))
    return PROGRAM_OF[population.activation]


def _no_program(population):
    kind = population.activation
    kind = f"HybridSpiking({kind})" if population.is_hybrid else kind
    return (
        f"population {population.name!r} has neurons {kind}, for which there is no "
        f"program; needed HybridSpiking with a base type of {', '.join(PROGRAM_OF)}"
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


def _turns_itself(projection, turns):
    is_own = projection.pre == projection.post and projection.delay == 1
    return is_own and turns is not None


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
