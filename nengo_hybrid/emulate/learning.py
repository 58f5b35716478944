"""
PES learning on the chip, from the random stream that NengoLoihi's emulator draws.

Every ``trace_epoch`` steps the trace of each input axon decays and grows by the
spikes that came; every ``weight_epoch`` steps each weight changes by the product of
its axon's trace and its compartment's error. Both are rounded at random. Errors are
signed pairs: the first half of the compartments gets minus the error, the second
half the error.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from nengo_hybrid.emulate.layout import store_weights
from nengo_hybrid.emulate.state import spiked
from nengo_hybrid.exceptions import EmulateError, ShapeError

MAX_TRACE = 127
MAX_ERROR = 127
# Fractional bits of a weight while it learns, and the bits of a product of two
# factors of 7 bits and a rate of 3 that do not fit the 15 of the accumulator.
LEARN_FRACTION = 7
LEARN_OVERFLOW = 2 * 7 + 3 - 15
WEIGHT_BITS = 8


@dataclass
class _Group:
    """Synapses that learn: where they are, and their state."""

    key: tuple
    name: str
    rule: object
    weights: np.ndarray
    trace: np.ndarray
    spiked: np.ndarray
    errors: np.ndarray
    sources: list


class Learner:
    """
    The synapses of a graph that learn.

    Parameters
    ----------
    graph : QuantizedGraph
    program : Program
        Whose weights are changed in place.
    strict : bool
        Whether spikes that the trace loses are an error, or a warning.
    """

    def __init__(self, graph, program, *, strict):
        self.strict, self._slots = strict, program.slots
        self.groups = [_Group(**g) for g in _learning_groups(graph, program)]

    def set_errors(self, errors):
        """Set the errors of all groups; see `Emulator.set_errors`."""
        for group in self.groups:
            group.errors[:] = 0
        for block, synapses, error in errors:
            group = next((g for g in self.groups if g.key == (block, synapses)), None)
            if group is None or np.shape(error) != group.errors.shape:
                wanted = None if group is None else group.errors.shape
                raise ShapeError(
                    f"synapses {synapses} of block {block} need errors of shape "
                    f"{wanted}, got {np.shape(error)}"
                )
            group.errors += _scale_errors(error, group.rule.error_scale)

    def step(self, t, state, rng):
        """
        Compute what a step changes, from what arrives in it.

        Parameters
        ----------
        t : int
            Step, counting from 1.
        state : State
            Before the step.
        rng : numpy.random.RandomState

        Returns
        -------
        list of (group, weights)
            New weights, or None, of every group; to be stored after the step.
        """
        for group in self.groups:
            self._gather(group, state)
            if t % group.rule.trace_epoch == 0:
                _update_trace(group, rng)
        return [
            (g, _new_weights(g, rng) if t % g.rule.weight_epoch == 0 else None)
            for g in self.groups
        ]

    def store(self, learned):
        """Let what `step` found take effect."""
        for group, weights in learned:
            if weights is not None:
                group.weights[:] = weights

    def _gather(self, group, state):
        """Note which axons get a spike in this step."""
        lost = False
        for first, is_line, axons in group.sources:
            values = state.lines if is_line else spiked(state, self._slots)
            counts = values[0, first : first + len(axons)]
            sent = (counts != 0) & (axons >= 0)
            for axon, count in zip(axons[sent], counts[sent], strict=True):
                lost |= bool(group.spiked[axon]) or count > 1
                group.spiked[axon] = True
        if lost:
            words = (
                f"Synaptic trace spikes lost: synapses {group.name!r} got two spikes "
                f"on an axon in {group.rule.trace_epoch} steps; the trace counts one"
            )
            if self.strict:
                raise EmulateError(words)
            warnings.warn(words, stacklevel=2)


def _learning_groups(graph, program):
    """Describe every group of synapses that learns."""
    runs = store_weights(graph)[0] if graph.learns else {}
    for b, block in enumerate(graph.blocks):
        for s, group in enumerate(block.synapses):
            if group.learning is None:
                continue
            run = runs[b, s]
            n_axons, n_targets = len(group.weights), group.weights[0].shape[1]
            stored = program.weights[run.start[0, 0] : run.stop[-1, -1]]
            yield {
                "key": (b, s),
                "name": group.name,
                "rule": group.learning,
                "weights": stored.reshape(n_axons, n_targets),
                "trace": np.zeros(n_axons, np.int32),
                "spiked": np.zeros(n_axons, bool),
                "errors": np.zeros(block.n_compartments // 2, np.int32),
                "sources": list(_sources(graph, b, s)),
            }


def _sources(graph, block, synapses):
    """Find what sends spikes: the first line or compartment, which, and its axons."""
    starts = np.cumsum([0] + [lines.n_lines for lines in graph.inputs])
    found = [(starts[i], True, lines) for i, lines in enumerate(graph.inputs)]
    found += [
        (start, False, b)
        for start, b in zip(graph.block_starts, graph.blocks, strict=True)
    ]
    for first, is_line, source in found:
        for axon in source.axons:
            if (axon.target_block, axon.target_synapses) == (block, synapses):
                yield first, is_line, axon.axon_of_neuron


def _scale_errors(error, scale):
    """Round errors to whole numbers that the chip takes; warn of larger ones."""
    scaled = np.round(scale * np.asarray(error)).astype(np.int32)
    if np.any(np.abs(scaled) > MAX_ERROR):
        warnings.warn(
            f"PES error of {np.abs(error).max():.3g} is more than the "
            f"{MAX_ERROR / scale:.3g} that the chip takes; lower pes_error_scale",
            stacklevel=4,
        )
    return np.clip(scaled, -MAX_ERROR, MAX_ERROR)


def _update_trace(group, rng):
    decayed = np.exp(-group.rule.trace_epoch / group.rule.trace_tau) * group.trace
    decayed[group.spiked] += group.rule.trace_increment
    group.trace[:] = _round(decayed, rng, MAX_TRACE, f"traces of {group.name!r}")
    group.spiked[:] = False


def _new_weights(group, rng):
    """Return the weights, (n_axons, n_targets), after an update."""
    rule = group.rule
    error = np.concatenate([-group.errors, group.errors])
    change = _shift(
        np.outer(group.trace, error) * np.int32(rule.rate_mantissa),
        LEARN_FRACTION + rule.rate_exponent - LEARN_OVERFLOW,
    )
    fine = _shift(group.weights, LEARN_FRACTION - rule.weight_exponent) + change
    stored = _round(
        fine * 2.0 ** (-LEARN_FRACTION - rule.shift_bits),
        rng,
        2 ** (WEIGHT_BITS - rule.shift_bits) - 1,
        f"learned weights of {group.name!r}",
    )
    return np.left_shift(stored, rule.weight_exponent + rule.shift_bits)


def _round(x, rng, largest, what):
    """Round at random, up as often as the fraction says; cut to the largest."""
    fraction, whole = np.modf(np.abs(x))
    rounded = whole.astype(np.int32) + (fraction > rng.rand(*x.shape))
    if np.any(rounded > largest):
        warnings.warn(f"clipped {what} to {largest}", stacklevel=5)
    return np.sign(x).astype(np.int32) * np.minimum(rounded, largest).astype(np.int32)


def _shift(x, bits):
    return np.right_shift(x, -bits) if bits < 0 else np.left_shift(x, bits)
