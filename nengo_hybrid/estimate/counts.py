"""
Count what a run did, or is expected to do: apart from prices.

Counts of a trace are exact integers; those of rates are expected values, floats.
"""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.estimate.check import published
from nengo_hybrid.estimate.run import read_run
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
    payload_ones, synaptic_ones : int or None
        Bits set in the payloads of spikes, and the same times the synapses behind
        them: additions, if weights are added once for each. None where spikes carry
        nothing, and for rates that do not tell.
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
    payload_ones: int | None = None
    synaptic_ones: int | None = None

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
        if self.payload_ones is not None:
            names += ("payload_ones", "synaptic_ones")
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


def count_ops(placement, activity, target):
    """
    Count what a run did on a target, or is expected to do.

    A message takes the shortest way on the mesh of tiles: tiles are numbered row
    by row, and cores tile by tile.

    Parameters
    ----------
    placement : Placement
    activity : Trace or Rates
        A run of this placement, or what one is expected to do.
    target : Target
        Of the same chip; gives the mesh and what a spike can carry.

    Returns
    -------
    OpCounts

    Raises
    ------
    EstimateError, ShapeError
        See `read_run`.

    Examples
    --------
    Neuron 0 spikes twice into 10 synapses and neuron 1 once into 3: 23 synaptic
    operations. If their block is 2 tiles east of the source, that is 6 hops.
    """
    return count_run(placement, read_run(placement, activity, target), target)


def count_run(placement, run, target):
    """Count a `Run`; see `count_ops`."""
    per_neuron = {
        name: run.events(name).sum(axis=(0, 1)) * run.n_repeats for name in run.spikes
    }
    return OpCounts(
        neuron_updates_active=_whole(sum(map(run.total, run.active)), run),
        neuron_updates_inactive=_whole(sum(map(run.total, run.inactive)), run),
        spikes=sum(per_neuron[name].sum().item() for name in run.on_chip),
        host_injection_steps=run.total(injection_steps(placement, run)),
        host_macs=run.host_macs,
        host_updates=run.host_updates,
        n_steps=run.n_steps,
        n_samples=run.n_samples,
        **_count_routes(placement, per_neuron, target),
        **_count_ones(placement, run),
    )


def _whole(updates, run):
    """Return updates as they were traced, where blocks only had shares of them."""
    return round(updates) if run.exact else updates


def injection_steps(placement, run):
    """
    Find the time steps in which the host injects.

    Returns
    -------
    (n_samples, n_recorded) array
        Whether it does, of a trace. Of rates, how probable it is if neurons spike
        independently of each other.
    """
    silent = np.ones(run.shape) if not run.exact else np.ones(run.shape, dtype=bool)
    lines = {}
    for route in placement.routes:
        if route.source is None:
            n_neurons = run.spikes[route.population].shape[-1]
            sent = lines.setdefault(route.population, np.zeros(n_neurons, dtype=bool))
            sent[route.neurons] = True
    for name, sent in lines.items():
        spikes = run.events(name, sent)
        if run.exact:
            silent &= (spikes == 0).all(axis=-1)
        else:
            silent *= np.prod(1 - np.minimum(spikes, 1), axis=-1)
    return ~silent if run.exact else 1 - silent


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


def _count_routes(placement, per_neuron, target):
    """Count what spikes cause on their way, over all routes."""
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
        counts["synaptic_ops"] += (spikes @ np.asarray(route.synapses)).item()
        messages = (spikes @ np.asarray(route.messages)).item()
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


def _count_ones(placement, run):
    """Count the bits set in payloads, once per spike and once per synapse."""
    found = {name: run.payload_ones(name) for name in run.spikes}
    if any(each is None for each in found.values()):
        return {}
    ones = {n: each.sum(axis=(0, 1)) * run.n_repeats for n, each in found.items()}
    behind = (ones[r.population][r.neurons] @ r.synapses for r in placement.routes)
    return {
        "payload_ones": sum(each.sum().item() for each in ones.values()),
        "synaptic_ones": sum(each.item() for each in behind),
    }


def _hops(core, other_core, target):
    """Return the hops (east-west, north-south) between two cores of one chip."""
    cores_per_tile = published(target, "limits", "cores_per_tile")
    n_columns = published(target, "limits", "mesh_columns")
    row, column = divmod(core // cores_per_tile, n_columns)
    other_row, other_column = divmod(other_core // cores_per_tile, n_columns)
    return int(abs(column - other_column)), int(abs(row - other_row))
