"""Check that a placement, a trace and a target belong together; read its spikes."""

import numpy as np

from nengo_hybrid.exceptions import EstimateError, ShapeError


def check_run(placement, trace, target):
    """
    Check that a trace can be counted on a placement.

    A profile of the same name with other prices is welcome; another name is not.

    Raises
    ------
    EstimateError
        If one is of another target, a population is missing or on the other side,
        a core is not on the chip, or spikes are not what the target can send.
    ShapeError
        If arrays disagree about samples, steps or neurons.
    """
    _check_target(placement, trace, target)
    _check_populations(placement, trace)
    for name in sorted(used_populations(placement)):
        _check_shapes(name, trace.populations[name], trace)
    for block in placement.blocks:
        _check_neurons(f"block '{block.name}'", block, trace)
    for route in placement.routes:
        _check_route(route, placement, trace)
    _check_cores(placement, target)
    _check_spikes(trace, target)


def used_populations(placement):
    """Return the names of the populations that are on the chip or injected."""
    placed = {block.population for block in placement.blocks}
    return placed | {route.population for route in placement.routes}


def spike_events(spikes, target):
    """
    Turn spike counts into the spikes that travel.

    Parameters
    ----------
    spikes : (..., n_neurons) int array
    target : Target
        Without a spike payload, a count of k is |k| spikes; with one, it is a
        single spike that carries k.

    Returns
    -------
    (..., n_neurons) int64 array
    """
    if published(target, "formats", "spike_payload_bits") == 0:
        return np.abs(spikes, dtype=np.int64)
    return (np.asarray(spikes) != 0).astype(np.int64)


def published(target, section, name):
    """Return a limit or format that counting cannot do without."""
    entry = target.sourced(section, name)
    if entry is None:
        raise EstimateError(
            f"target '{target.name}' has null for {section}.{name}, "
            "and counts cannot be made without it"
        )
    return entry.value


def _check_target(placement, trace, target):
    if target.kind != "neuromorphic":
        raise EstimateError(
            f"target '{target.name}' is a {target.kind}, and runs no placement; "
            "name it in compare instead"
        )
    for what, name in (("placement", placement.target), ("trace", trace.target)):
        if name != target.name:
            raise EstimateError(
                f"the {what} is of target '{name}', the prices are of target "
                f"'{target.name}'; load the target of the {what}"
            )
    if not placement.blocks:
        raise EstimateError(
            f"the placement has nothing on target '{target.name}'; a network that "
            "runs on the host alone is priced by compare_dense"
        )
    if trace.n_samples < 1 or trace.n_steps < 1:
        raise EstimateError(
            f"the trace has {trace.n_samples} samples of {trace.n_steps} steps; "
            "needed at least one of each"
        )
    if trace.bin_steps != 1:
        raise EstimateError(
            f"the trace sums up {trace.bin_steps} steps at a time, and what a step "
            "costs is not known; run it again with bin_steps=1"
        )


def _check_populations(placement, trace):
    for name in sorted(used_populations(placement)):
        if name not in trace.populations:
            known = ", ".join(sorted(trace.populations)) or "none"
            raise EstimateError(
                f"population '{name}' is placed but not in the trace, "
                f"which has {known}; run this placement"
            )
    placed = {block.population for block in placement.blocks}
    for name, population in sorted(trace.populations.items()):
        if population.on_chip != (name in placed):
            sides = ("on the chip", "on the host")
            ran, sits = sides if population.on_chip else sides[::-1]
            raise EstimateError(
                f"population '{name}' ran {ran}, but the placement has it {sits}; "
                "run this placement"
            )


def _check_shapes(name, population, trace):
    steps = (trace.n_samples, trace.n_steps)
    for what in ("spikes", "updates_active", "updates_inactive"):
        shape = np.shape(getattr(population, what))
        n_axes = 3 if what == "spikes" else 2
        if len(shape) != n_axes or shape[:2] != steps:
            raise ShapeError(
                f"population '{name}' has {what} of shape {shape}; "
                f"the trace has {steps[0]} samples of {steps[1]} steps"
            )
    dtype = np.asarray(population.spikes).dtype
    if dtype.kind not in "iub":
        raise EstimateError(
            f"population '{name}' has spikes of type {dtype}; needed integer counts"
        )


def _check_neurons(who, part, trace):
    n_neurons = trace.populations[part.population].spikes.shape[-1]
    if np.size(part.neurons) == 0:
        return
    first, last = np.min(part.neurons), np.max(part.neurons)
    if first < 0 or last >= n_neurons:
        raise ShapeError(
            f"{who} has neurons {first} to {last} of population "
            f"'{part.population}', whose spikes have {n_neurons} neurons"
        )


def _check_route(route, placement, trace):
    target_block = placement.blocks[route.target].name
    who = f"the route from population '{route.population}' to block '{target_block}'"
    sizes = {
        what: np.size(getattr(route, what))
        for what in ("neurons", "messages", "synapses")
    }
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{n} {what}" for what, n in sizes.items())
        raise ShapeError(f"{who} has {listed}; needed one of each per neuron")
    _check_neurons(who, route, trace)


def _check_cores(placement, target):
    n_cores = published(target, "limits", "cores_per_chip")
    for block in placement.blocks:
        if not 0 <= block.core < n_cores:
            raise EstimateError(
                f"block '{block.name}' is on core {block.core}; a chip of target "
                f"'{target.name}' has cores 0 to {n_cores - 1}"
            )


def _check_spikes(trace, target):
    if published(target, "formats", "spike_payload_bits") > 0:
        return
    for name, population in trace.populations.items():
        if not population.on_chip:
            continue
        spikes = np.asarray(population.spikes)
        wrong = (spikes < 0) | (spikes > 1)
        if wrong.any():
            sample, step, neuron = np.argwhere(wrong)[0]
            raise EstimateError(
                f"population '{name}' has {spikes[sample, step, neuron]} spikes of "
                f"neuron {neuron} at sample {sample}, step {step}; on target "
                f"'{target.name}' it is 0 or 1 (a spike has no payload)"
            )
