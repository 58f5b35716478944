"""Layers of whole weights as the blocks of a `QuantizedGraph`."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graphs import AxonGroup, Block, SynapseGroup

LIMITS = {
    "compartments": "compartments_per_core",
    "input_axons": "input_axons_per_core",
    "synapse_bits": "synapse_memory_per_core",
}
# Synapses behind one header, and the least bits of an index: NengoLoihi, block.py.
RUN = 64
INDEX_BITS = 6


@dataclass(frozen=True)
class Layer:
    """
    Neurons with integer parameters, and the weights onto them.

    Attributes
    ----------
    name : str
    weights : dict of str to (n_neurons, n_pre) scipy.sparse.csr_array
        By the name of what sends; each entry is a synapse, of zero too.
    decay_u, decay_v, vth, bias : (n_neurons,) int array
        As in `Block`.
    weight_bits : int
        That a weight takes in the memory of a core.
    """

    name: str
    weights: dict
    decay_u: np.ndarray
    decay_v: np.ndarray
    vth: np.ndarray
    bias: np.ndarray
    weight_bits: int = 8

    @property
    def n_neurons(self):
        return len(self.vth)


def to_blocks(layers, n_lines, target, *, vmin, vmax):
    """
    Cut layers into blocks that fit a core, and connect them.

    Parameters
    ----------
    layers : list of Layer
        Each gets its spikes from "input" or from layers by name.
    n_lines : int
        Of the input.
    target : Target
        Whose limits hold; those it has no number for do not.
    vmin, vmax : int

    Returns
    -------
    blocks : tuple of Block
    axons : tuple of AxonGroup
        Of the input.

    Raises
    ------
    InterchangeError
        If a single neuron needs more than a core has.
    """
    parts = [
        (layer, neurons, groups)
        for layer in layers
        for neurons, groups in _cut(layer, target)
    ]
    ways = {}
    for b, (_, _, groups) in enumerate(parts):
        for s, (source, (_, axons)) in enumerate(groups.items()):
            ways.setdefault(source, []).append((b, s, axons))
    blocks = []
    for layer, neurons, groups in parts:
        blocks.append(
            Block(
                name=f"{layer.name}[{neurons[0]}:{neurons[-1] + 1}]",
                population=layer.name,
                neurons=neurons,
                decay_u=layer.decay_u[neurons].astype(np.int32),
                decay_v=layer.decay_v[neurons].astype(np.int32),
                vth=layer.vth[neurons].astype(np.int32),
                bias=layer.bias[neurons].astype(np.int32),
                # A delay of 1 is none: spikes are at least so many steps apart.
                refract_delay=np.ones(len(neurons), np.int32),
                vmin=vmin,
                vmax=vmax,
                synapses=tuple(group for group, _ in groups.values()),
                axons=_axons(ways.get(layer.name, ()), neurons),
            )
        )
    return tuple(blocks), _axons(ways["input"], np.arange(n_lines))


def _axons(ways, neurons):
    """List the ways of spikes of some neurons, out of those of their whole source."""
    found = []
    for block, synapses, axon_of_neuron in ways:
        axons = axon_of_neuron[neurons]
        n_slots = int(np.count_nonzero(axons >= 0))
        if n_slots:
            atoms = np.zeros_like(axons)
            found.append(AxonGroup(block, synapses, axons, atoms, n_slots))
    return tuple(found)


def _cut(layer, target):
    """
    Yield the neurons of each block, and its synapses with the axon of each source.

    Neurons stay in their order; a block has as many as half of half of a core's
    compartments, until all that they need fits.
    """
    limits = {name: target.limit(key) for name, key in LIMITS.items()}
    start, size = 0, min(layer.n_neurons, limits["compartments"] or layer.n_neurons)
    while start < layer.n_neurons:
        neurons = np.arange(start, min(start + size, layer.n_neurons))
        groups = {
            name: _synapses(name, weights[neurons], layer.weight_bits, target)
            for name, weights in layer.weights.items()
        }
        used = {
            "compartments": len(neurons),
            "input_axons": sum(group.n_axons for group, _ in groups.values()),
            "synapse_bits": sum(group.memory_bits for group, _ in groups.values()),
        }
        over = [n for n in used if limits[n] is not None and used[n] > limits[n]]
        if not over:
            yield neurons, groups
            start += size
        elif size == 1:
            raise InterchangeError(
                f"{layer.name!r} needs {used[over[0]]:,} {over[0].replace('_', ' ')} "
                f"for one neuron; a core of target {target.name!r} has "
                f"{limits[over[0]]:,.0f}"
            )
        else:
            size = -(-size // 2)


def _synapses(name, weights, weight_bits, target):
    """
    Store weights (n_neurons, n_pre), rows that are alike once.

    Returns
    -------
    group : SynapseGroup
    axon_of_neuron : (n_pre,) int array
        -1 for those that reach nothing.
    """
    columns = sparse.csc_array(weights)
    columns.sort_indices()
    starts, n_pre = columns.indptr.tolist(), columns.shape[1]
    all_values, all_indices = (
        x.astype(np.int32) for x in (columns.data, columns.indices)
    )
    sending = np.flatnonzero(np.diff(starts))
    rows, row_of_axon, base_of_axon = {}, [], []
    for j in sending:
        part = slice(starts[j], starts[j + 1])
        indices, values = all_indices[part], all_values[part]
        base = indices[0]
        indices = indices - base
        key = indices.tobytes(), values.tobytes()
        row = rows.setdefault(key, (len(rows), values[None], indices[None]))
        row_of_axon.append(row[0])
        base_of_axon.append(base)
    is_dense = columns.nnz == len(sending) * columns.shape[0]
    axon_of_neuron = np.full(n_pre, -1)
    axon_of_neuron[sending] = np.arange(len(sending))
    group = SynapseGroup(
        name=f"{name} to here",
        weights=tuple(values for _, values, _ in rows.values()),
        indices=tuple(indices for _, _, indices in rows.values()),
        row_of_axon=np.array(row_of_axon, dtype=np.int64),
        base_of_axon=np.array(base_of_axon, dtype=np.int64),
        memory_bits=sum(
            row_bits(indices.size, int(indices.max()), weight_bits, target, is_dense)
            for _, _, indices in rows.values()
        ),
        weight_exponent=0,
    )
    return group, axon_of_neuron


def row_bits(n_synapses, last_index, weight_bits, target, is_dense):
    """
    Count the bits of one row in the synapse memory of a core.

    Runs of `RUN` synapses, each with a header and filled up to whole words; a row
    that skips compartments has the index of each.

    Source: NengoLoihi 1.1, ``SynapseConfig.bits_per_axon``.

    Examples
    --------
    >>> from nengo_hybrid.targets import load_target
    >>> row_bits(128, 127, 8, load_target("loihi1"), True)  # 2 runs of 64 * 8 + 10
    1152
    """
    index_bits = 0 if is_dense else max(INDEX_BITS, last_index.bit_length())
    bits = weight_bits + index_bits
    header, word = (
        target.formats.get(name)
        for name in ("synapse_header_bits", "synapse_word_bits")
    )
    if header is None or word is None:
        return n_synapses * bits
    runs = [RUN] * (n_synapses // RUN) + [n_synapses % RUN] * (n_synapses % RUN > 0)
    return sum(
        -(-(run * bits + int(header.value)) // int(word.value)) * int(word.value)
        for run in runs
    )
