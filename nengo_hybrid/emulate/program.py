"""A `QuantizedGraph` as flat arrays, the way the compiled kernel reads it."""

from typing import NamedTuple

import numpy as np


class Program(NamedTuple):
    """
    Everything a step needs. Arrays are int32 unless said otherwise.

    A source is an input line or, behind all lines, a compartment. Its spikes run
    through the segments ``first_segment[s]`` to ``first_segment[s + 1]``; a segment
    is a run of weights, from ``start`` to ``stop``, onto compartments ``base +
    targets``. Axons that share weights share the run.

    Attributes
    ----------
    first_segment : (n_lines + n_compartments + 1,) array
    start, stop, base : (n_segments,) array
    weights, targets : (n_stored,) array
    decay_u, decay_v, vth, vmin, vmax, bias, refract_delay : (n_compartments,) array
    block : (n_compartments,) array
        Index of the block of each compartment.
    """

    first_segment: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    base: np.ndarray
    weights: np.ndarray
    targets: np.ndarray
    decay_u: np.ndarray
    decay_v: np.ndarray
    vth: np.ndarray
    vmin: np.ndarray
    vmax: np.ndarray
    bias: np.ndarray
    refract_delay: np.ndarray
    block: np.ndarray


PARAMETERS = ("decay_u", "decay_v", "vth", "vmin", "vmax", "bias", "refract_delay")


def compile_graph(graph):
    """
    Lay a graph out as a `Program`.

    Parameters
    ----------
    graph : QuantizedGraph

    Returns
    -------
    Program
    """
    runs, weights, targets = _store_weights(graph)
    segments, first_segment = [], [0]
    for source in (*graph.inputs, *graph.blocks):
        n_sources = getattr(source, "n_lines", None) or source.n_compartments
        for neuron in range(n_sources):
            segments += _segments(graph, source.axons, neuron, runs)
            first_segment.append(len(segments))
    start, stop, base = np.array(segments, dtype=np.int32).reshape(-1, 3).T
    parameters = [_per_compartment(graph, name) for name in PARAMETERS]
    sizes = [block.n_compartments for block in graph.blocks]
    block = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    first = np.array(first_segment, dtype=np.int32)
    arrays = (first, start, stop, base, weights, targets, *parameters, block)
    return Program(*(np.ascontiguousarray(array) for array in arrays))


def _store_weights(graph):
    """Put all rows of weights behind one another; say where each is."""
    runs, weights, targets, n_stored = {}, [], [], 0
    for b, block in enumerate(graph.blocks):
        for s, group in enumerate(block.synapses):
            rows = zip(group.weights, group.indices, strict=True)
            for r, (row_weights, row_indices) in enumerate(rows):
                for atom in range(len(row_weights)):
                    weights.append(row_weights[atom])
                    targets.append(row_indices[atom])
                    stop = n_stored + len(row_weights[atom])
                    runs[b, s, r, atom] = n_stored, stop
                    n_stored = stop
    empty = [np.zeros(0)]
    return (
        runs,
        np.concatenate(weights or empty).astype(np.int32),
        np.concatenate(targets or empty).astype(np.int32),
    )


def _segments(graph, axons, neuron, runs):
    """List (start, stop, base) of what a spike of one neuron runs through."""
    found = []
    for axon in axons:
        index = axon.axon_of_neuron[neuron]
        group = graph.blocks[axon.target_block].synapses[axon.target_synapses]
        if index < 0 or group.base_of_axon[index] < 0:
            continue
        row, atom = group.row_of_axon[index], axon.atom_of_neuron[neuron]
        run = runs[axon.target_block, axon.target_synapses, row, atom]
        base = graph.block_starts[axon.target_block] + group.base_of_axon[index]
        found.append((*run, base))
    return found


def _per_compartment(graph, name):
    values = [
        np.broadcast_to(getattr(block, name), (block.n_compartments,))
        for block in graph.blocks
    ]
    return np.concatenate(values).astype(np.int32)
