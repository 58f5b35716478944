"""What each core has to do, step by step: one core after the other, to spare memory."""

from collections import defaultdict

import numpy as np

# Names of ``Target.times``; a core's work is counted in this order.
WORK = (
    "synaptic_op",
    "neuron_update_active",
    "neuron_update_inactive",
    "spike_generation",
    "message_out",
)


def work_per_core(placement, run):
    """
    Count the work of one core after the other, step by step.

    Synaptic operations are counted in the step in which the spike is sent.

    Parameters
    ----------
    placement : Placement
    run : Run

    Yields
    ------
    core : tuple of int
        (chip, core)
    work : (5, n_samples, n_recorded) array
        Counts of each recorded step in the order of ``WORK``; integers where the run
        is a trace that tells the blocks of a population apart.
    """
    blocks, arriving, leaving = _by_core(placement)
    for core in sorted(blocks):
        ops, messages = _delivered(arriving[core], run), np.zeros(run.shape, np.int64)
        for route in leaving[core]:
            events = run.events(route.population, route.neurons)
            messages = messages + events @ np.asarray(route.messages)
        own = [(i, placement.blocks[i]) for i in blocks[core]]
        spikes = sum(run.events(b.population, b.neurons).sum(axis=-1) for _, b in own)
        active = sum(run.active[i] for i, _ in own)
        inactive = sum(run.inactive[i] for i, _ in own)
        yield core, np.stack([ops, active, inactive, spikes, messages])


def _by_core(placement):
    """Sort blocks and routes by the core where they are, arrive and leave."""
    blocks, arriving, leaving = (defaultdict(list) for _ in range(3))
    cores = [(int(block.chip), int(block.core)) for block in placement.blocks]
    for index, core in enumerate(cores):
        blocks[core].append(index)
    for route in placement.routes:
        arriving[cores[route.target]].append(route)
        if route.source is not None:
            leaving[cores[route.source]].append(route)
    return blocks, arriving, leaving


def _delivered(routes, run):
    ops = np.zeros(run.shape, np.int64)
    for route in routes:
        events = run.events(route.population, route.neurons)
        ops = ops + events @ np.asarray(route.synapses)
    return ops
