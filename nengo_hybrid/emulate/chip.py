"""Emulate the chip's part of a `QuantizedGraph`, for a whole batch."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nengo_hybrid.emulate.kernel import (
    BIAS_FAULT,
    CURRENT_BITS,
    CURRENT_FAULT,
    INPUT_BITS,
    INPUT_FAULT,
    NO_FAULT,
    run_sample,
)
from nengo_hybrid.emulate.program import compile_graph
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.placement import check_placement
from nengo_hybrid.trace import make_trace

FAULTS = {
    INPUT_FAULT: ("input", INPUT_BITS),
    CURRENT_FAULT: ("current", CURRENT_BITS),
    BIAS_FAULT: ("current with its bias", CURRENT_BITS),
}


def run(graph, placement, host_counts, *, target_sha256="", seed=0, progress=None):
    """
    Run the chip part of a graph, bit for bit as NengoLoihi's emulator does.

    Samples run in parallel, each from rest: a sample gives the same result in a
    batch of any size, and on any number of threads.

    Parameters
    ----------
    graph : QuantizedGraph
    placement : Placement
        Where the blocks are; the arithmetic does not depend on it.
    host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
        What the host computed: spike counts of every injected population.
    target_sha256 : str
        Digest of the target, for the record.
    seed : int
        Of the host's initial voltages, for the record.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` after every sample.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError
        If an injected population is missing, of another size, or not of whole
        numbers, or has negative counts where there are no lines for them.
    EmulateError
        If a value overflows a register; names sample, step, population and value.
    """
    lines = graph.inject(host_counts)
    check_placement(graph, placement)
    program = compile_graph(graph)
    every_line = np.concatenate([lines[i.name] for i in graph.inputs], axis=2)
    n_samples, n_steps = every_line.shape[:2]
    spikes = np.zeros((n_samples, n_steps, graph.n_compartments), dtype=np.int8)
    active = np.zeros((n_samples, n_steps, len(graph.blocks)), dtype=np.int32)
    faults = np.zeros((n_samples, 4), dtype=np.int64)

    def one(sample):
        arrays = every_line, spikes, active, faults
        run_sample(program, *(array[sample] for array in arrays))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for n_done, _ in enumerate(threads.map(one, range(n_samples)), start=1):
            if progress is not None:
                progress(n_done, n_samples)
    _raise_faults(graph, faults)
    return make_trace(
        graph,
        lines,
        spikes,
        active,
        backend="emulator",
        target_sha256=target_sha256,
        seed=seed,
    )


def _raise_faults(graph, faults):
    overflown = np.flatnonzero(faults[:, 0] != NO_FAULT)
    if not len(overflown):
        return
    sample = overflown[0]
    kind, step, compartment, value = faults[sample]
    what, bits = FAULTS[int(kind)]
    b = np.searchsorted(graph.block_starts, compartment, side="right") - 1
    block = graph.blocks[b]
    neuron = block.neurons[compartment - graph.block_starts[b]]
    raise EmulateError(
        f"population {block.population!r}, neuron {neuron} has a {what} of {value} at "
        f"sample {sample}, step {step}, more than its {bits} bits and sign hold; raise "
        "chip_steps, or lower omega of the layer before"
    )
