"""The same counts told apart: by population, by core and by step."""

from dataclasses import asdict, dataclass, fields

import numpy as np

from nengo_hybrid.estimate.run import read_run
from nengo_hybrid.estimate.work import work_per_core


@dataclass(frozen=True)
class PopulationCounts:
    """
    What a population did, over all samples and steps.

    Attributes
    ----------
    spikes : int
        On the chip, or injected.
    synaptic_ops, messages : int
        That these spikes caused, wherever they went.
    neuron_updates_active, neuron_updates_inactive : int
    payload_ones : int or None
        Bits set in the payloads of its spikes; None without payloads.
    """

    spikes: int
    synaptic_ops: int
    messages: int
    neuron_updates_active: int
    neuron_updates_inactive: int
    payload_ones: int | None


@dataclass(frozen=True)
class CoreCounts:
    """
    What a core did, over all samples and steps.

    ``synaptic_ops`` were delivered to it; ``spikes`` and ``messages`` left it. Updates
    are whole numbers where the trace tells a population's blocks apart.
    """

    synaptic_ops: int
    neuron_updates_active: int
    neuron_updates_inactive: int
    spikes: int
    messages: int


@dataclass(frozen=True)
class CountDetail:
    """
    Counts by population, core and step; the sums of each are those of `OpCounts`.

    Attributes
    ----------
    populations : dict of str to PopulationCounts
    cores : dict of (int, int) to CoreCounts
        By (chip, core).
    steps : dict of str to (n_steps,) array
        The fields of `CoreCounts`, over all samples and cores. Of rates there is one
        expected step, which is repeated.
    """

    populations: dict
    cores: dict
    steps: dict

    def to_json(self):
        """Return the counts in plain JSON types; a core is named ``chip/core``."""
        cores = {f"{c}/{k}": asdict(counts) for (c, k), counts in self.cores.items()}
        return {
            "populations": {k: asdict(v) for k, v in self.populations.items()},
            "cores": cores,
            "steps": {name: counts.tolist() for name, counts in self.steps.items()},
        }


def count_detail(placement, activity, target):
    """
    Count what a run did, by population, by core and by step.

    Parameters
    ----------
    placement : Placement
    activity : Trace or Rates
    target : Target

    Returns
    -------
    CountDetail

    Raises
    ------
    EstimateError, ShapeError
        See `nengo_hybrid.estimate.run.read_run`.
    """
    run = read_run(placement, activity, target)
    names, cores, steps = [f.name for f in fields(CoreCounts)], {}, 0
    for core, work in work_per_core(placement, run):
        cores[core] = CoreCounts(*(run.total(each) for each in work))
        steps = steps + work.sum(axis=1)
    steps = np.repeat(steps, run.n_repeats, axis=1)
    return CountDetail(
        populations=_populations(placement, run),
        cores=cores,
        steps=dict(zip(names, steps, strict=True)),
    )


def _populations(placement, run):
    counts = {name: dict.fromkeys(_SUMMED, 0) for name in run.spikes}
    for route in placement.routes:
        events = run.events(route.population, route.neurons)
        own = counts[route.population]
        own["synaptic_ops"] += run.total(events @ np.asarray(route.synapses))
        own["messages"] += run.total(events @ np.asarray(route.messages))
    for index, block in enumerate(placement.blocks):
        own = counts[block.population]
        own["neuron_updates_active"] += run.total(run.active[index])
        own["neuron_updates_inactive"] += run.total(run.inactive[index])
    for name, own in counts.items():
        ones = run.payload_ones(name)
        own["spikes"] = run.total(run.events(name))
        own["payload_ones"] = None if ones is None else run.total(ones)
    return {name: PopulationCounts(**own) for name, own in counts.items()}


_SUMMED = (
    "synaptic_ops",
    "messages",
    "neuron_updates_active",
    "neuron_updates_inactive",
)
