"""
From a `SpikingGraph` to the integers of a chip with graded spikes.

A threshold of a neuron is ``2**shift`` units of its state, with the largest shift for
which its weights fit into their bits and what arrives into the state's. So a network
whose weights are whole numbers of such units is deployed exactly.
"""

import numbers

import numpy as np

from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.graphs import GradedGraph, Widths
from nengo_hybrid.quantize.calibration import measure
from nengo_hybrid.quantize.fold import fold
from nengo_hybrid.quantize.plan import plan
from nengo_hybrid.quantize.rounding import largest_weight, store
from nengo_hybrid.quantize.scales import Scaling

# Neurons of so few synapses get them in pairs; so do those that hear themselves.
FEW_SYNAPSES = 8


def quantize(
    graph, target, calibration, *, input_bits=9, message_bits=12, payload_bits=16
):
    """
    Choose scales, and round a network to what a chip with graded spikes runs.

    Parameters
    ----------
    graph : SpikingGraph
    target : Target
        Whose spikes carry a payload.
    calibration : (n_samples, n_steps, size_in) array
        Input by which ranges are chosen, such as some of the training set.
    input_bits : int
        Bits, with the sign, of what the host injects.
    message_bits : int
        Bits, with the sign, of what linear populations send; their error is diffused
        over time as that of quantizers is.
    payload_bits : int
        Bits, with the sign, of a graded spike.

    Returns
    -------
    GradedGraph

    Raises
    ------
    QuantizeError
        If the target has no graded spikes, a neuron type no program, if a delay is too
        long, or payloads too narrow for the calibration data, with the width that would
        do.
    ShapeError
        If the calibration data do not fit the network.
    """
    check_widths(target, input_bits, message_bits, payload_bits)
    graph = fold(graph)
    plans = plan(graph)
    ranges = measure(graph, calibration, payload_bits)
    _check_payloads(ranges, payload_bits)
    widths = Widths.of(target)
    bits = input_bits, message_bits, payload_bits
    scaling = Scaling(graph.dt, ranges, widths, *bits)
    units = {planned.name: scaling.unit(planned) for planned in plans}
    populations, projections, errors = [], [], {}
    for planned in plans:
        in_pairs = _in_pairs(planned)
        drives = [p.weights * units[p.pre] for p in planned.into]
        limit = largest_weight(widths.weight, in_pairs)
        made, scale = scaling.scaled(planned, drives, limit)
        populations.append(made)
        for projection, drive in zip(planned.into, drives, strict=True):
            weights = scale[:, None] * drive
            stored, error = store(projection, weights, widths.weight, in_pairs=in_pairs)
            projections += stored
            errors[projection.name] = error
    made = GradedGraph(
        target.name,
        tuple(populations),
        tuple(projections),
        graph.output,
        errors,
        widths,
    )
    _check_delays(made, target)
    return made


def _in_pairs(planned):
    """Tell whether a population's synapses are worth pairs; see `FEW_SYNAPSES`."""
    n = sum(np.count_nonzero(p.weights, axis=1).max(initial=0) for p in planned.into)
    return planned.is_recurrent or n <= FEW_SYNAPSES


def check_widths(target, input_bits, message_bits, payload_bits):
    """
    Check that a target can send payloads of so many bits.

    Raises
    ------
    QuantizeError
    """
    most = target.format("spike_payload_bits")
    if not most:
        raise QuantizeError(
            f"target {target.name!r} has no graded spikes; needed one whose spikes "
            "carry a payload, such as loihi2"
        )
    widths = {
        "input_bits": input_bits,
        "message_bits": message_bits,
        "payload_bits": payload_bits,
    }
    for name, bits in widths.items():
        is_whole = isinstance(bits, numbers.Integral) and not isinstance(bits, bool)
        limit = most if name == "payload_bits" else min(most, payload_bits)
        if not is_whole or not 2 <= bits <= limit:
            raise QuantizeError(
                f"quantize needs {name} to be a whole number from 2 to {limit}, got "
                f"{bits!r}"
            )


def _check_delays(graph, target):
    """Refuse messages that synapses would have to hold for too long."""
    most = target.format("delay_steps")
    for projection in graph.projections:
        delay = graph.synaptic_delay(projection)
        if most is not None and delay > most:
            raise QuantizeError(
                f"projection {projection.name!r} has a delay of {projection.delay} "
                f"steps, for which its synapses hold a message for {delay} time steps; "
                f"those of target {target.name!r} hold one for {most:.0f}"
            )


def _check_payloads(ranges, payload_bits):
    """Refuse payloads that are too narrow for the calibration data."""
    for name, part in ranges.beyond.items():
        if part:
            most = int(ranges.largest[name].max())
            raise QuantizeError(
                f"population {name!r} sends counts of up to {most}; {part:.2%} of them "
                f"do not fit into payloads of {payload_bits} bits. Take payload_bits="
                f"{most.bit_length() + 1}"
            )
