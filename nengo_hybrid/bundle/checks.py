"""
What a network has to be before compiled code runs it: `check_graph`, `check_deployed`.

Compiled code looks at no bounds, so that an index out of range in a file would read
memory that belongs to something else. All checks raise a ValueError, which a bundle
tells as its damage.
"""

import numpy as np

from nengo_hybrid.graphs import PROGRAMS, GradedGraph

PER_COMPARTMENT = ("decay_u", "decay_v", "vth", "bias", "refract_delay")
# Of a block, as far as the emulator goes.
MOST_COMPARTMENTS = 2**16
# Smallest and largest numbers of bits that compiled code computes with.
WIDTHS = {"state": (2, 24), "factor": (1, 24), "weight": (2, 8)}
# Steps for which what was sent is kept.
MOST_DELAY = 2**8
PER_CHIP = ("input_gain", "keep_u", "keep_v", "vth", "bias", "vmin", "vmax")


def check_graph(graph):
    """Check that the populations and projections of a `SpikingGraph` fit together."""
    _check_projections(graph.projections, _sizes(graph.populations))
    for p in graph.populations:
        for what in ("bias", "initial_voltage"):
            array = getattr(p, what)
            if array is not None or (p.is_hybrid and what == "initial_voltage"):
                _check_shape(f"{what} of {p.name}", array, (p.n_neurons,))
        if p.dynamics is not None:
            for what, array in vars(p.dynamics).items():
                if array is not None:
                    _check_shape(f"{what} of {p.name}", array, (p.n_neurons,))
        if p.stagger is not None:
            whole = p.stagger.min(initial=1) > 0 and p.stagger.sum() == p.n_neurons
            _require(whole, f"{p.name} has groups of other sizes than its neurons")


def check_deployed(deployed, graph_sha256):
    """
    Check that the parts of a loaded network are whole and belong together.

    Parameters
    ----------
    deployed : Deployed
    graph_sha256 : str
        Digest of the integers, as they were written.
    """
    graph, run = deployed.quantized, deployed.run
    _require(graph.sha256 == graph_sha256, "its integers are not what was written")
    check_graph(deployed.graph)
    if isinstance(graph, GradedGraph):
        sizes = _check_graded(graph)
    else:
        sizes = _check_quantized(graph)
        _check_floats(graph, deployed.floats)
    _check_placement(deployed.placement, sizes)
    of_these = run is None or run.trace.graph_sha256 == graph_sha256
    _require(of_these, "its run is of other integers")


def _require(condition, words):
    if not condition:
        raise ValueError(words)


def _check_shape(what, array, shape):
    found = np.shape(array)
    _require(found == shape, f"{what} has the shape {found}, not {shape}")


def _check_indices(what, array, n, lowest=0):
    """Check that an array holds indices of what there are n of."""
    _require(array.dtype.kind in "iu", f"{what} is of type {array.dtype}")
    if array.size:
        inside = array.min() >= lowest and array.max() < n
        _require(inside, f"{what} goes from {array.min()} to {array.max()}, beyond {n}")


def _sizes(populations):
    """Return the neurons of each population, by name."""
    sizes = {p.name: p.n_neurons for p in populations}
    _require(len(sizes) == len(populations), "two populations have one name")
    _require(min(sizes.values(), default=1) > 0, "a population has no neurons")
    return sizes


def _check_projections(projections, sizes):
    for p in projections:
        needed = sizes.get(p.post), sizes.get(p.pre)
        _require(
            p.weights.shape == needed,
            f"{p.name} has weights of shape {p.weights.shape}, not {needed}",
        )
        _require(p.delay >= 0, f"{p.name} has a delay of {p.delay}")


def _check_graded(graph):
    """Check a `GradedGraph`; return the neurons of each population."""
    sizes = _sizes(graph.populations)
    for name, (least, most) in WIDTHS.items():
        bits = getattr(graph.widths, name)
        _require(least <= bits <= most, f"its {name} has {bits} bits")
    for p in graph.populations:
        known = p.is_input or p.program in PROGRAMS
        _require(known, f"{p.name} has the unknown program {p.program!r}")
        names, registers = set(), set()
        if not p.is_input:
            program = PROGRAMS[p.program]
            names, registers = set(program.parameters), set(program.registers)
        held = set(p.parameters) == names and set(p.initial_state) <= registers
        _require(held, f"{p.name} has other parameters than its program")
        for what, array in {**p.parameters, **p.initial_state, "unit": p.unit}.items():
            _check_shape(f"{what} of {p.name}", array, (p.n_neurons,))
        sent = 2 <= p.payload_bits <= graph.widths.state
        _require(sent, f"{p.name} sends {p.payload_bits} bits")
    _check_projections(graph.projections, sizes)
    longest = max((p.delay for p in graph.projections), default=0)
    _require(longest <= MOST_DELAY, f"a projection has a delay of {longest} steps")
    n_inputs = sum(p.is_input for p in graph.populations)
    _require(graph.output in sizes and n_inputs == 1, "it has no input or no output")
    return sizes


def _check_quantized(graph):
    """Check a `QuantizedGraph`; return the neurons of each population."""
    check_graph(graph.host)
    sizes = _sizes(graph.host.populations)
    for lines in graph.inputs:
        n = sizes.get(lines.population, 0)
        _require(lines.n_lines in (n, 2 * n), f"{lines.name} has {lines.n_lines} lines")
        _check_axons(graph, lines, lines.n_lines)
    parts = {}
    for block in graph.blocks:
        _check_block(graph, block)
        parts.setdefault(block.population, []).append(block.neurons)
    for name, neurons in parts.items():
        neurons = np.sort(np.concatenate(neurons))
        whole = np.array_equal(neurons, np.arange(len(neurons)))
        _require(whole, f"the blocks of {name} have other neurons than it")
        sizes[name] = len(neurons)
    _require(graph.output in parts, "its output is not on the chip")
    _require(graph.chip_steps > 0 <= graph.latency_steps, "it has no time steps")
    for probe in graph.probes:
        for block, neurons in probe.parts:
            _require(0 <= block < len(graph.blocks), f"{probe.name} reads no block")
            _check_indices(probe.name, neurons, graph.blocks[block].n_compartments)
    return sizes


def _check_block(graph, block):
    n = block.n_compartments
    for what in PER_COMPARTMENT:
        _check_shape(f"{what} of {block.name}", getattr(block, what), (n,))
    if block.noise is not None:
        _check_shape(f"noise of {block.name}", block.noise.enabled, (n,))
    for group in block.synapses:
        n_rows = len(group.weights)
        _require(n_rows == len(group.indices), f"{group.name} has rows without indices")
        for row, reached in zip(group.weights, group.indices, strict=True):
            _require(row.ndim == 2, f"{group.name} has weights that are no rows")
            _check_shape(f"indices of {group.name}", reached, row.shape)
            _check_indices(f"indices of {group.name}", reached, MOST_COMPARTMENTS)
        _check_indices(f"row_of_axon of {group.name}", group.row_of_axon, n_rows)
        shape = group.row_of_axon.shape
        _check_shape(f"base_of_axon of {group.name}", group.base_of_axon, shape)
    _check_axons(graph, block, n)


def _check_axons(graph, source, n):
    """Check where the spikes of n compartments or lines go."""
    for axon in source.axons:
        blocks = graph.blocks
        known = 0 <= axon.target_block < len(blocks) and (
            0 <= axon.target_synapses < len(blocks[axon.target_block].synapses)
        )
        _require(known, f"{source.name} sends spikes to no synapses")
        group = blocks[axon.target_block].synapses[axon.target_synapses]
        n_atoms = max((len(row) for row in group.weights), default=1)
        for what, most, lowest in (
            ("axon_of_neuron", group.n_axons, -1),
            ("atom_of_neuron", n_atoms, 0),
        ):
            array = getattr(axon, what)
            _check_shape(f"{what} of {source.name}", array, (n,))
            _check_indices(f"{what} of {source.name}", array, most, lowest)


def _check_floats(graph, floats):
    """Check that what was rounded is of the same compartments and synapses."""
    _require(floats is not None, "it lacks what was rounded")
    for what in PER_CHIP:
        _check_shape(what, getattr(floats, what), (graph.n_compartments,))
    own = [[[w.shape for w in g.weights] for g in b.synapses] for b in graph.blocks]
    found = [[[np.shape(w) for w in g] for g in b] for b in floats.weights]
    _require(own == found, "what was rounded has other weights")


def _check_placement(placement, sizes):
    n_blocks = len(placement.blocks)
    for part in (*placement.blocks, *placement.routes):
        what = f"the placement of {part.population}"
        _check_indices(what, part.neurons, sizes.get(part.population, 0))
    for route in placement.routes:
        known = 0 <= route.target < n_blocks
        known &= route.source is None or 0 <= route.source < n_blocks
        _require(known, f"a route of {route.population} leads to no block")
