"""
What is counted: a trace of a run, or the rates that one is expected to have.

Both become a `Run`: spikes by sample, recorded step and neuron. A trace records every
step; rates are the same in all steps, so one recorded step stands for all of them.
"""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.estimate.check import check_placement_target, check_trace, published
from nengo_hybrid.estimate.rates import Rates, check_rates
from nengo_hybrid.graded_trace import GradedTrace

_ONES = np.array([byte.bit_count() for byte in range(256)], dtype=np.uint8)


@dataclass(frozen=True)
class Run:
    """
    A trace or rates, in the form in which they are counted.

    Attributes
    ----------
    n_samples, n_steps : int
        Samples, and time steps of the chip per sample.
    n_repeats : int
        Steps that a recorded step stands for.
    spikes : dict of str to (n_samples, n_steps / n_repeats, n_neurons) array
        Integer counts of a trace, or float rates.
    on_chip : frozenset of str
        Populations that are not injected.
    payload : bool
        Whether a spike carries a number.
    active, inactive : tuple of (n_samples, n_steps / n_repeats) array
        Updates of each block of the placement.
    host_macs, host_updates : int
        Of the host, over all samples.
    ones : dict of str to (1, 1, n_neurons) array, optional
        Bits set in the payloads that rates stand for.
    """

    n_samples: int
    n_steps: int
    n_repeats: int
    spikes: dict
    on_chip: frozenset
    payload: bool
    active: tuple
    inactive: tuple
    host_macs: int
    host_updates: int
    ones: dict | None = None

    @property
    def shape(self):
        """Samples and recorded steps."""
        return self.n_samples, self.n_steps // self.n_repeats

    @property
    def exact(self):
        """Whether counts are integers."""
        return all(array.dtype.kind != "f" for array in self.spikes.values())

    def events(self, name, neurons=slice(None)):
        """
        Return the spikes that travel, (n_samples, n_recorded, n_neurons) array.

        Without a payload, a count of k is |k| spikes; with one, it is a single spike
        that carries k.
        """
        spikes = self.spikes[name][..., neurons]
        if spikes.dtype.kind == "f":
            return spikes
        if self.payload:
            return (spikes != 0).astype(np.int64)
        return np.abs(spikes, dtype=np.int64)

    def payload_ones(self, name):
        """
        Return the bits that are set in each spike's payload.

        Returns
        -------
        (n_samples, n_recorded, n_neurons) int64 array, or None
            Of the magnitudes; None without payloads, and for rates that tell nothing
            of them.
        """
        if self.ones is not None:
            return self.ones[name]
        spikes = self.spikes[name]
        if not self.payload or spikes.dtype.kind == "f":
            return None
        bytes_ = np.abs(spikes, dtype=np.int64)[..., None].view(np.uint8)
        return _ONES[bytes_].sum(axis=-1, dtype=np.int64)

    def total(self, counts):
        """Sum counts of recorded steps over all steps: an int if they are exact."""
        return counts.sum().item() * self.n_repeats


def read_run(placement, activity, target):
    """
    Check what a run did, or is expected to do, and bring it into one form.

    Parameters
    ----------
    placement : Placement
    activity : Trace, GradedTrace or Rates
    target : Target

    Returns
    -------
    Run

    Raises
    ------
    EstimateError, ShapeError
        See `check_trace` and `check_rates`.
    """
    check_placement_target(placement, target)
    if isinstance(activity, GradedTrace):
        activity = _graded_rates(activity)
    if isinstance(activity, Rates):
        return _of_rates(placement, activity, target)
    check_trace(placement, activity, target)
    return _of_trace(placement, activity, target)


def _of_trace(placement, trace, target):
    used = _population_sizes(placement)
    n_input_steps = int(trace.n_input_steps) * int(trace.n_samples)
    active, inactive = _block_updates(placement, trace)
    return Run(
        n_samples=int(trace.n_samples),
        n_steps=int(trace.n_steps),
        n_repeats=1,
        spikes={name: np.asarray(trace.populations[name].spikes) for name in used},
        on_chip=frozenset(n for n in used if trace.populations[n].on_chip),
        payload=published(target, "formats", "spike_payload_bits") > 0,
        active=active,
        inactive=inactive,
        host_macs=int(trace.host_macs_per_step) * n_input_steps,
        host_updates=int(trace.host_updates_per_step) * n_input_steps,
    )


def _block_updates(placement, trace):
    """
    Share a population's updates between its blocks.

    Exact where the trace tells the blocks apart, else by their compartments.
    """
    active, inactive, n_seen = [], [], {}
    sizes = {}
    for block in placement.blocks:
        sizes[block.population] = sizes.get(block.population, 0) + len(block.neurons)
    for block in placement.blocks:
        population = trace.populations[block.population]
        which = n_seen.get(block.population, 0)
        n_seen[block.population] = which + 1
        if population.active_by_block is not None:
            own = np.asarray(population.active_by_block)[..., which].astype(np.int64)
            active.append(own)
            inactive.append(len(block.neurons) - own)
            continue
        share = len(block.neurons) / sizes[block.population]
        active.append(share * np.asarray(population.updates_active))
        inactive.append(share * np.asarray(population.updates_inactive))
    return tuple(active), tuple(inactive)


def _graded_rates(trace):
    """
    Take what a run sent on average for what is expected of an inference.

    A population acts in one time step of ``trace.chip_steps``, and skips in the others.
    """
    return Rates(
        n_steps=trace.n_time_steps,
        spikes={name: trace.spikes_per_time_step(name) for name in trace.by_bits},
        active=1 / trace.chip_steps,
        ones={
            name: ones / (trace.n_samples * trace.n_time_steps)
            for name, ones in trace.ones.items()
        },
    )


def _of_rates(placement, rates, target):
    sizes = _population_sizes(placement)
    on_chip = frozenset(block.population for block in placement.blocks)
    check_rates(rates, sizes, on_chip, target)
    updates = [np.full((1, 1), float(len(b.neurons))) for b in placement.blocks]
    return Run(
        n_samples=1,
        n_steps=int(rates.n_steps),
        n_repeats=int(rates.n_steps),
        spikes={name: rates.of(name, n)[None, None] for name, n in sizes.items()},
        on_chip=on_chip,
        payload=published(target, "formats", "spike_payload_bits") > 0,
        active=tuple(rates.active * n for n in updates),
        inactive=tuple((1 - rates.active) * n for n in updates),
        host_macs=rates.host_macs,
        host_updates=rates.host_updates,
        ones=_ones(rates, sizes),
    )


def _ones(rates, sizes):
    if rates.ones is None:
        return None
    return {name: np.asarray(rates.ones[name], float)[None, None] for name in sizes}


def _population_sizes(placement):
    """Return how many neurons of each population are placed or sent from."""
    sizes = {}
    for part in (*placement.blocks, *placement.routes):
        last = int(np.max(part.neurons, initial=-1)) + 1
        sizes[part.population] = max(sizes.get(part.population, 0), last)
    return dict(sorted(sizes.items()))
