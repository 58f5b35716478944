"""Count what a run did, in exact integers: apart from prices."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.estimate.run import (
    check_run,
    published,
    spike_events,
    used_populations,
)
from nengo_hybrid.exceptions import EstimateError


@dataclass(frozen=True)
class OpCounts:
    """
    What a run did, over all its samples.

    Attributes
    ----------
    synaptic_ops : int
        Spikes delivered through one stored synapse each.
    neuron_updates_active, neuron_updates_inactive : int
        Compartment updates; each update is one or the other.
    spikes : int
        Spikes of neurons on the chip, connected or not.
    spike_messages : int
        Messages on the mesh from block to block, on one chip.
    spike_hops_east_west, spike_hops_north_south : int
        Tile boundaries that these messages crossed.
    chip_crossings : int
        Messages from one chip to another; their hops are not known.
    host_messages : int
        Messages of the spikes that the host injected; where they enter the mesh is
        not known, so they have no hops.
    host_injection_steps : int
        Time steps in which the host injected at least one spike.
    host_macs, host_updates : int
        Multiply-accumulates and neuron updates of the host part.
    n_steps : int
        Time steps of the chip per sample.
    n_samples : int
        Samples; one is one inference.
    """

    synaptic_ops: int
    neuron_updates_active: int
    neuron_updates_inactive: int
    spikes: int
    spike_messages: int
    spike_hops_east_west: int
    spike_hops_north_south: int
    chip_crossings: int
    host_messages: int
    host_injection_steps: int
    host_macs: int
    host_updates: int
    n_steps: int
    n_samples: int

    @property
    def spike_hops(self):
        """Hops in either direction."""
        return self.spike_hops_east_west + self.spike_hops_north_south

    def per_inference(self, name):
        """
        Return one of the counts, divided by the number of samples.

        Returns
        -------
        float
            The correctly rounded quotient of two exact integers.
        """
        return getattr(self, name) / self.n_samples

    def to_json(self):
        """Return the counts per inference, as floats; ``n_steps`` is an int."""
        names = (
            "synaptic_ops",
            "neuron_updates_active",
            "neuron_updates_inactive",
            "spikes",
            "spike_hops",
            "host_messages",
            "host_macs",
            "host_updates",
        )
        counts = {name: self.per_inference(name) for name in names}
        return {**counts, "n_steps": self.n_steps}


@dataclass(frozen=True)
class DenseCounts:
    """
    What the same network costs a processor that computes every weight each step.

    Attributes
    ----------
    macs : int
        Multiply-accumulates per inference.
    updates : int
        Neuron updates per inference.
    """

    macs: int
    updates: int


def count_ops(placement, trace, target):
    """
    Count what a run did on a target.

    A message takes the shortest way on the mesh of tiles: tiles are numbered row
    by row, and cores tile by tile.

    Parameters
    ----------
    placement : Placement
    trace : Trace
        A run of this placement.
    target : Target
        Of the same name; gives the mesh and what a spike can carry.

    Returns
    -------
    OpCounts

    Raises
    ------
    EstimateError, ShapeError
        See `check_run`.

    Examples
    --------
    Neuron 0 spikes twice into 10 synapses and neuron 1 once into 3: 23 synaptic
    operations. If their block is 2 tiles east of the source, that is 6 hops.
    """
    check_run(placement, trace, target)
    events = {
        name: spike_events(trace.populations[name].spikes, target)
        for name in sorted(used_populations(placement))
    }
    on_chip = [name for name in events if trace.populations[name].on_chip]
    n_input_steps = int(trace.n_input_steps) * int(trace.n_samples)
    return OpCounts(
        neuron_updates_active=_sum_updates(trace, on_chip, "updates_active"),
        neuron_updates_inactive=_sum_updates(trace, on_chip, "updates_inactive"),
        spikes=sum(int(events[name].sum()) for name in on_chip),
        host_injection_steps=int(injection_steps(placement, trace).sum()),
        host_macs=int(trace.host_macs_per_step) * n_input_steps,
        host_updates=int(trace.host_updates_per_step) * n_input_steps,
        n_steps=int(trace.n_steps),
        n_samples=int(trace.n_samples),
        **_count_routes(placement, events, target),
    )


def injection_steps(placement, trace):
    """
    Find the time steps in which the host injects.

    Returns
    -------
    (n_samples, n_steps) bool array
    """
    injects = np.zeros((trace.n_samples, trace.n_steps), dtype=bool)
    for route in placement.routes:
        if route.source is None:
            spikes = np.asarray(trace.populations[route.population].spikes)
            injects |= (spikes[..., route.neurons] != 0).any(axis=-1)
    return injects


def count_dense(graph, n_steps):
    """
    Count the same network as dense rates, with every neuron updated each step.

    Every weight that is not 0 is one MAC, so a scaling of n dimensions counts n.
    Input and linear populations are no neurons: their sums are MACs already.

    Parameters
    ----------
    graph : SpikingGraph
    n_steps : int
        Steps of the input per inference, at least 1.

    Returns
    -------
    DenseCounts

    Raises
    ------
    EstimateError
        If ``n_steps`` is below 1.

    Examples
    --------
    2 inputs to 3 neurons with one weight 0, and those to 1 linear output, for 10
    steps: (5 + 3) * 10 = 80 MACs and 3 * 10 = 30 updates.
    """
    if n_steps < 1:
        raise EstimateError(f"count_dense got {n_steps} steps; needed at least 1")
    macs = sum(int(np.count_nonzero(p.weights)) for p in graph.projections)
    updates = sum(p.n_neurons for p in graph.populations if p.has_neurons)
    return DenseCounts(macs=macs * n_steps, updates=updates * n_steps)


def _sum_updates(trace, names, field):
    updates = (getattr(trace.populations[name], field) for name in names)
    return sum(int(np.sum(array, dtype=np.int64)) for array in updates)


def _count_routes(placement, events, target):
    """Count what spikes cause on their way, over all routes."""
    per_neuron = {name: spikes.sum(axis=(0, 1)) for name, spikes in events.items()}
    counts = dict.fromkeys(
        (
            "synaptic_ops",
            "spike_messages",
            "spike_hops_east_west",
            "spike_hops_north_south",
            "chip_crossings",
            "host_messages",
        ),
        0,
    )
    for route in placement.routes:
        spikes = per_neuron[route.population][route.neurons]
        counts["synaptic_ops"] += int(spikes @ np.asarray(route.synapses, np.int64))
        messages = int(spikes @ np.asarray(route.messages, np.int64))
        if route.source is None:
            counts["host_messages"] += messages
            continue
        source, end = placement.blocks[route.source], placement.blocks[route.target]
        if source.chip != end.chip:
            counts["chip_crossings"] += messages
            continue
        east_west, north_south = _hops(source.core, end.core, target)
        counts["spike_messages"] += messages
        counts["spike_hops_east_west"] += messages * east_west
        counts["spike_hops_north_south"] += messages * north_south
    return counts


def _hops(core, other_core, target):
    """Return the hops (east-west, north-south) between two cores of one chip."""
    cores_per_tile = published(target, "limits", "cores_per_tile")
    n_columns = published(target, "limits", "mesh_columns")
    row, column = divmod(core // cores_per_tile, n_columns)
    other_row, other_column = divmod(other_core // cores_per_tile, n_columns)
    return int(abs(column - other_column)), int(abs(row - other_row))
