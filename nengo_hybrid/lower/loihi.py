"""
From a `SpikingGraph` to what Loihi 1 runs, with NengoLoihi's blocks and rounding.

The chip integrates current without a leak, spikes at most once a step, and resets
to zero; a hybrid-spiking population sends several bits a step. So every step of
the network lasts ``chip_steps`` time steps of the chip, and a count is sent as
that many one-bit spikes, spread evenly over them.
"""

import numbers

import numpy as np
from nengo.exceptions import BuildError
from nengo_loihi.block import Axon, LoihiBlock, Synapse, SynapseConfig
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.builder.split_blocks import split_model
from nengo_loihi.inputs import SpikeInput as LoihiSpikeInput

from nengo_hybrid.chip_numbers import ChipNumbers, join_numbers
from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graphs import QuantizedGraph, SpikingGraph
from nengo_hybrid.lower.chip import read_blocks, read_inputs

NO_FILTER_S = 0.0
SIGNED = ("Identity", "Tanh")


def to_loihi(graph, *, target="loihi1", chip_steps=4):
    """
    Put on the chip what can run there, and leave the rest to the host.

    Parameters
    ----------
    graph : SpikingGraph
    target : str
        Name of the target, for the record.
    chip_steps : int
        Time steps of the chip for every step of the network, at least 1.

    Returns
    -------
    QuantizedGraph
        Integers as NengoLoihi rounds them; a population too large for a core is
        split into several blocks.

    Raises
    ------
    LowerError
        If the output cannot run on the chip, or no integers are right for it.
    """
    return _lower(graph, target, chip_steps)[0]


def unrounded(graph, *, chip_steps=4):
    """
    Return the numbers that `to_loihi` rounds to integers, in the integers' units.

    Parameters
    ----------
    graph : SpikingGraph
    chip_steps : int
        Time steps of the chip for every step of the network.

    Returns
    -------
    ChipNumbers
        Of the same blocks, synapses and rows.

    Raises
    ------
    LowerError
        As `to_loihi`.
    """
    return _lower(graph, "", chip_steps)[1]


def _lower(graph, target, chip_steps):
    """Return a graph in integers, and what they were before they were rounded."""
    _check_chip_steps(chip_steps)
    graph.refuse_dynamics("to_loihi", LowerError)
    reasons = check_output(graph)
    chip = [p for p in graph.populations if p.name not in reasons]
    model = Model(dt=1.0)
    loihi_blocks = {p.name: _make_block(model, p, graph.dt / chip_steps) for p in chip}
    loihi_inputs = _connect(model, graph, loihi_blocks)
    wanted = {name: _float_weights(b) for name, b in loihi_blocks.items()}
    block_map = split_model(model)
    floats = [_copy_floats(block) for block in model.blocks]
    try:
        discretize_model(model)
    except BuildError as error:
        raise LowerError(
            f"{error}: the weights onto a population are too small beside its "
            "threshold or its biases; raise its omega or its weights"
        ) from error
    except AssertionError as error:  # all that it says of a threshold of 0
        raise LowerError(_largest_weight(wanted)) from error
    quantized = QuantizedGraph(
        target=target,
        host=_host_part(graph, reasons, tuple(loihi_inputs)),
        host_reasons=reasons,
        chip_steps=chip_steps,
        latency_steps=_latency(graph, loihi_blocks),
        inputs=read_inputs(loihi_inputs, list(model.blocks)),
        blocks=read_blocks(list(model.blocks), _owners(block_map, loihi_blocks)),
        output=graph.output,
        errors={
            name: _weight_error(wanted[name], block_map[block])
            for name, block in loihi_blocks.items()
        },
    )
    infos = [block.compartment.discretize_info for block in model.blocks]
    return quantized, join_numbers(map(_scaled, floats, infos))


def check_output(graph):
    """
    See that the output can run on Loihi 1.

    Returns
    -------
    dict of str to str
        As of `host_reasons`.

    Raises
    ------
    LowerError
        If it cannot, with the reason.
    """
    reasons = host_reasons(graph)
    if graph.output in reasons:
        raise LowerError(
            f"population {graph.output!r} is the output and has to be on the chip, "
            f"but {reasons[graph.output]}; train it as hybrid-spiking RectifiedLinear "
            "neurons of spiking inputs, or take a target with graded spikes"
        )
    return reasons


def host_reasons(graph):
    """
    Find what Loihi 1 cannot run, and why.

    Returns
    -------
    dict of str to str
        Reason by population, in the graph's order; the others run on the chip.
    """
    reasons = {}
    for population in graph.populations:
        reason = _own_reason(population)
        if reason is None:
            reason = _input_reason(graph, population)
        if reason is not None:
            reasons[population.name] = reason
    while True:
        found = _feeding_reasons(graph, reasons)
        if not found:
            return {
                p.name: reasons[p.name] for p in graph.populations if p.name in reasons
            }
        reasons |= found


def _own_reason(population):
    if population.activation == "input":
        return "it is the input, which comes from outside the chip"
    if population.activation == "linear":
        return "it holds real numbers exactly; Loihi 1 sends nothing but one-bit spikes"
    if not population.is_hybrid:
        return "it sends rates; Loihi 1 sends nothing but one-bit spikes"
    if population.activation != "RectifiedLinear":
        return (
            f"its activation {population.activation} is not a non-leaky "
            "integrate-and-fire neuron, the one that a compartment computes"
        )
    return None


def _input_reason(graph, population):
    by_name = {p.name: p for p in graph.populations}
    for projection in graph.into(population.name):
        pre = by_name[projection.pre]
        if not pre.is_hybrid:
            return f"{pre.name} sends it real numbers, not spikes"
        if projection.delay:
            return (
                f"{pre.name} reaches it a step of the network late; on the chip it "
                "would be a step of the chip"
            )
    return None


def _feeding_reasons(graph, reasons):
    """Find what feeds the host, whose part is computed before the chip's."""
    return {
        p.pre: f"it feeds {p.post}, which runs on the host"
        for p in graph.projections
        if p.post in reasons and p.pre not in reasons
    }


def _check_chip_steps(chip_steps):
    is_whole = isinstance(chip_steps, numbers.Integral)
    if not is_whole or isinstance(chip_steps, bool) or chip_steps < 1:
        raise LowerError(
            f"loihi1 needs chip_steps to be a whole number of at least 1, got "
            f"{chip_steps!r}; 4 sends counts of up to 4 in every step of the network"
        )


def _make_block(model, population, dt):
    """Make compartments with threshold 1, and the bias of a chip step of ``dt``."""
    block = LoihiBlock(population.n_neurons, label=population.name)
    block.compartment.configure_relu(vth=1.0, dt=model.dt)
    block.compartment.configure_filter(NO_FILTER_S, dt=model.dt)
    block.compartment.bias[:] = population.omega * population.bias * dt
    model.add_block(block)
    return block


def _connect(model, graph, loihi_blocks):
    """Give every projection onto the chip its axons and synapses."""
    inputs = {}
    by_name = {p.name: p for p in graph.populations}
    for projection in graph.projections:
        if projection.post not in loihi_blocks:
            continue
        pre, post = by_name[projection.pre], by_name[projection.post]
        # What one spike of pre adds to the voltage of post, in thresholds.
        per_spike = projection.weights.T * pre.amplitude * post.omega / pre.omega
        if pre.name in loihi_blocks:
            source = loihi_blocks[pre.name]
        else:
            if pre.name not in inputs:
                inputs[pre.name] = _make_input(model, pre)
            source = inputs[pre.name]
            per_spike = _signed_lines(per_spike, pre)
        _add_synapses(source, loihi_blocks[post.name], per_spike, projection.name)
    return inputs


def n_lines(population):
    """Count the lines of an injected population: two a neuron if spikes have signs."""
    return population.n_neurons * (2 if population.activation in SIGNED else 1)


def _signed_lines(per_spike, population):
    """Stack weights for positive and, behind them, negative spikes."""
    if n_lines(population) == population.n_neurons:
        return per_spike
    return np.concatenate([per_spike, -per_spike])


def _make_input(model, population):
    lines = LoihiSpikeInput(n_lines(population), label=population.name)
    model.add_input(lines)
    return lines


def _add_synapses(source, block, per_spike, label):
    synapse = Synapse(len(per_spike), label=label)
    synapse.set_weights(per_spike.astype(np.float32))
    block.add_synapse(synapse)
    axon = Axon(len(per_spike), label=label)
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(len(per_spike), dtype=np.int32))
    source.add_axon(axon)


def _latency(graph, loihi_blocks):
    """Count the chip steps from an injected spike to a spike of the output."""
    depth = {}
    for population in graph.populations:
        if population.name in loihi_blocks:
            sources = [p.pre for p in graph.into(population.name)]
            depth[population.name] = 1 + max(
                (depth.get(name, 0) for name in sources), default=0
            )
    return depth[graph.output]


def _host_part(graph, reasons, injected):
    """Keep what the host computes; its answer is what it injects."""
    return SpikingGraph(
        dt=graph.dt,
        populations=tuple(p for p in graph.populations if p.name in reasons),
        projections=tuple(p for p in graph.projections if p.post in reasons),
        output=injected[0] if injected else "",
    )


def _owners(block_map, loihi_blocks):
    """Tell the population of each block, and which of its neurons the block has."""
    return [
        (name, np.array(list(neurons), dtype=np.int64))
        for name, whole in loihi_blocks.items()
        for neurons in block_map[whole].values()
    ]


def _float_weights(block):
    """Copy a block's weights, in thresholds per spike, before they are rounded."""
    return [_rows(synapse).copy() for synapse in block.synapses]


def _largest_weight(wanted):
    """Say which population's threshold is nothing beside its weights."""
    largest = {n: max(np.abs(w).max() for w in ws) for n, ws in wanted.items() if ws}
    name = max(largest, key=largest.get)
    return (
        f"population {name!r}: one spike adds {largest[name]:g} thresholds to a "
        "voltage, beside which its threshold is 0 in Loihi 1's units; lower its "
        "omega or its weights"
    )


def _copy_floats(block):
    """Copy what is about to be rounded in place: numbers, and rows of weights."""
    names = "decay_u", "decay_v", "vth", "bias", "vmin", "vmax"
    compartment, n = block.compartment, block.n_neurons
    numbers = {
        name: np.broadcast_to(getattr(compartment, name), n).astype(float)
        for name in names
    }
    rows = [
        [(w.astype(float), i.copy()) for w, i in zip(s.weights, s.indices, strict=True)]
        for s in block.synapses
    ]
    return numbers, rows


def _scaled(floats, info):
    """Bring the numbers of a block to the units that its integers have."""
    numbers, rows = floats
    voltage, shape = info["v_scale"], numbers["vth"].shape
    weight = info["w_scale"] * SynapseConfig.get_scale(info["w_exp"])
    weight = np.broadcast_to(np.asarray(weight, dtype=float), shape)
    return ChipNumbers(
        weights=(tuple(tuple(w * weight[i] for w, i in group) for group in rows),),
        input_gain=voltage / weight,
        keep_u=1 - numbers["decay_u"],
        keep_v=1 - numbers["decay_v"],
        vth=numbers["vth"] * voltage,
        bias=numbers["bias"] * info["b_scale"],
        vmin=numbers["vmin"] * voltage,
        vmax=numbers["vmax"] * voltage,
    )


def _rows(synapse):
    """Stack the weights (n_axons, n_targets) of dense synapses; axons may share."""
    axons = range(synapse.n_axons)
    return np.concatenate([synapse.weights[synapse.axon_weight_idx(a)] for a in axons])


def _weight_error(wanted, parts):
    """Return the largest error of a population's weights over thresholds, relative."""
    largest = max((np.abs(w).max() for w in wanted), default=0.0)
    if not largest:
        return 0.0
    worst = 0.0
    for part, neurons in parts.items():
        columns = list(neurons)
        for floats, synapse in zip(wanted, part.synapses, strict=True):
            rounded = _rows(synapse) / part.compartment.vth
            worst = max(worst, np.abs(rounded - floats[:, columns]).max())
    return float(worst / largest)
