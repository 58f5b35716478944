"""Check that a placement, a trace and a target belong together."""

from collections import Counter

import numpy as np

from nengo_hybrid.exceptions import EstimateError, ShapeError


def check_placement_target(placement, target):
    """
    Check that a placement can be counted on a target.

    Another profile of the same chip is welcome; another chip is not.

    Raises
    ------
    EstimateError
        If it is of another chip, has nothing on it, or a core that is not there.
    ShapeError
        If a route has uneven arrays.
    """
    if target.kind != "neuromorphic":
        raise EstimateError(
            f"target '{target.name}' is a {target.kind}, and runs no placement; "
            "name it in compare instead"
        )
    _check_chip("placement", placement.target, target)
    if not placement.blocks:
        raise EstimateError(
            f"the placement has nothing on target '{target.name}'; a network that "
            "runs on the host alone is priced by compare_dense"
        )
    for route in placement.routes:
        _check_route(route, placement)
    _check_cores(placement, target)


def check_trace(placement, trace, target):
    """
    Check that a trace can be counted on a placement.

    Raises
    ------
    EstimateError
        If it is of another target, a population is missing or on the other side, or
        spikes are not what the target can send.
    ShapeError
        If arrays disagree about samples, steps, blocks or neurons.
    """
    _check_chip("trace", trace.target, target)
    _check_length(trace)
    _check_populations(placement, trace)
    for name in sorted(used_populations(placement)):
        _check_shapes(name, trace.populations[name], trace)
    _check_blocks(placement, trace)
    for block in placement.blocks:
        _check_neurons(f"block '{block.name}'", block, trace)
    for route in placement.routes:
        _check_neurons(_way(route, placement), route, trace)
    _check_spikes(trace, target)


def used_populations(placement):
    """Return the names of the populations that are on the chip or injected."""
    placed = {block.population for block in placement.blocks}
    return placed | {route.population for route in placement.routes}


def published(target, section, name):
    """Return a limit or format that counting cannot do without."""
    entry = target.sourced(section, name)
    if entry is None:
        raise EstimateError(
            f"target '{target.name}' has null for {section}.{name}, "
            "and counts cannot be made without it"
        )
    return entry.value


def _check_chip(what, name, target):
    if name not in (target.name, target.chip):
        raise EstimateError(
            f"the {what} is of target '{name}', the prices are of target "
            f"'{target.name}'; load the target of the {what}"
        )


def _check_length(trace):
    if trace.n_samples < 1 or trace.n_steps < 1:
        raise EstimateError(
            f"the trace has {trace.n_samples} samples of {trace.n_steps} steps; "
            "needed at least one of each"
        )
    if trace.bin_steps != 1:
        raise EstimateError(
            f"the trace sums up {trace.bin_steps} steps at a time, and what a step "
            "costs is not known; run it again with bin_steps=1, or estimate from its "
            "mean spikes a step, as Rates"
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


def _check_blocks(placement, trace):
    """Check that updates told apart by block are of this placement's blocks."""
    n_blocks = Counter(block.population for block in placement.blocks)
    for name, n in sorted(n_blocks.items()):
        by_block = trace.populations[name].active_by_block
        shape = (trace.n_samples, trace.n_steps, n)
        if by_block is not None and np.shape(by_block) != shape:
            raise ShapeError(
                f"population '{name}' has active_by_block of shape "
                f"{np.shape(by_block)}; needed {shape}, for it has {n} blocks"
            )


def _way(route, placement):
    target_block = placement.blocks[route.target].name
    return f"the route from population '{route.population}' to block '{target_block}'"


def _check_route(route, placement):
    sizes = {
        what: np.size(getattr(route, what))
        for what in ("neurons", "messages", "synapses")
    }
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{n} {what}" for what, n in sizes.items())
        raise ShapeError(
            f"{_way(route, placement)} has {listed}; needed one of each per neuron"
        )


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
