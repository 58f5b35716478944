"""
Networks of Lava-DL (``.net``) for a chip with graded spikes: `load_lava_graded`.

Sigma-delta neurons, CUBA-LIF neurons and delays, in the integers in which lava-nc
computes them. Sources as in `nengo_hybrid.interchange.lava`, and lava-nc 0.10.0,
``proc/sdn/models.py``.
"""

import math

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graphs import (
    PROGRAMS,
    GradedGraph,
    GradedPopulation,
    GradedProjection,
    Widths,
)
from nengo_hybrid.interchange.hdf5 import told_with_path
from nengo_hybrid.interchange.lava import (
    SHIFT,
    WHAT,
    read_layers,
    read_matrices,
    read_neurons,
    single,
    spread,
    whole,
)
from nengo_hybrid.targets import load_target

# Of dense matrices, a byte for each entry.
MAX_ENTRIES = 2**29
# Fractional bits of a sigma-delta neuron's state, beside those of its spikes.
STATE_EXP = 6
DELTA = "SDNN"
DELTA_SAID = {"type", "activation", "vThMant", "sigma_output"}
# Of training alone.
DELTA_UNUSED = {"scaleRho", "tauRho", "theta"}


def load_lava_graded(path, *, target="loihi2", n_layers=None, spike_exp=6):
    """
    Load a network that Lava-DL exported, for `nengo_hybrid.emulate.run_graded`.

    What it sends is what lava-nc's fixed-point models send. A layer hears the one
    before it a step later, and an input layer with neurons is a population that sends
    by how much the input, in whole numbers, has changed.

    Parameters
    ----------
    path : path-like
    target : str or Target
        Whose spikes carry a payload.
    n_layers : int, optional
        Load the first of the file's layers alone.
    spike_exp : int
        Fractional bits of what sigma-delta neurons send, which a file does not say;
        lava-dl's reader has 6.

    Returns
    -------
    GradedGraph

    Raises
    ------
    InterchangeError
        If the file is damaged or hostile, or has anything that the graph cannot carry:
        resonating and graded neurons, other kinds of layers, delays that are too long.
    CompatError
        If h5py is not installed.
    """
    target = load_target(target) if isinstance(target, str) else target
    with told_with_path(path, WHAT):
        described = read_layers(path, n_layers)
        populations, projections = _interpret(described, target, spike_exp)
    return GradedGraph(
        target.name,
        tuple(populations),
        tuple(projections),
        populations[-1].name,
        {},
        Widths.of(target),
    )


def _interpret(described, target, spike_exp):
    """Make populations and projections of what a file says."""
    bits = target.format("spike_payload_bits")
    if not bits:
        raise InterchangeError(
            f"its network is loaded for graded spikes, and target {target.name!r} has "
            "none; needed one such as loihi2"
        )
    most_delay, exponent = target.format("delay_steps"), spike_exp + STATE_EXP
    shape, populations, projections = None, [], []
    for number, layer in enumerate(described):
        kind, who = layer["type"], layer["who"]
        if kind == "input":
            if number:
                raise InterchangeError(f"{who} needs to be the first layer")
            shape = layer["shape"]
            populations.append(_input(math.prod(shape), bits))
            if "neuron" in layer:
                populations.append(_delta(layer, exponent, bits))
                eye = np.eye(math.prod(shape), dtype=np.int8)
                names = [p.name for p in populations]
                projections.append(GradedProjection("input", *names, eye, exponent))
            continue
        if kind == "flatten":
            shape = shape if shape is None else (math.prod(shape),)
            continue
        matrices, n_pre, shape = read_matrices(layer, shape)
        if not populations:
            populations.append(_input(n_pre, bits))
        source, name = populations[-1].name, f"{kind} {number}"
        populations.append(_population(name, layer, shape, exponent, bits))
        fine = 0 if _is_delta(layer) else SHIFT
        for pre, matrix in zip((source, name), matrices, strict=False):
            projections += _projections(layer, pre, name, matrix, fine, most_delay)
    if len(populations) < 2:
        raise InterchangeError("it needs a dense or conv layer, and has none")
    return populations, projections


def _input(n, bits):
    return GradedPopulation("input", n, "input", {}, {}, bits, np.ones(n))


def _is_delta(layer):
    return _neurons(layer).get("type") == DELTA


def _neurons(layer):
    """Return what a layer says of its neurons."""
    said = layer.get("neuron")
    if not isinstance(said, dict):
        raise InterchangeError(
            f"{layer['who']} has no neurons, and its currents stay: load_lava reads it"
        )
    return said


def _delta(layer, exponent, bits):
    """Return the population that sends by how much the input has changed."""
    if not _is_delta(layer):
        raise InterchangeError(
            f"{layer['who']} needs {DELTA} neurons or none; load_lava_input turns "
            "values into the spikes of others"
        )
    for name in ("bias", "weight"):
        if name in layer:
            raise InterchangeError(f"{layer['who']} has a {name}, which would be lost")
    threshold = _threshold(layer) << exponent
    parameters = {"threshold": threshold, "shift": STATE_EXP}
    return _made("input 0", "delta", math.prod(layer["shape"]), parameters, bits)


def _population(name, layer, shape, exponent, bits):
    """Return the population of a layer."""
    n, who = math.prod(shape), layer["who"]
    bias = layer.get("bias", 0)
    if not _is_delta(layer):
        neurons = read_neurons(layer, n, shape)
        parameters = {
            "bias": spread(bias, shape, who, "bias", -(2**12), 2**12 - 1) << SHIFT,
            "threshold": neurons.vth << SHIFT,
            "minimum": 1 - 2**23,
            # The chip adds 1 to this decay.
            "decay_u": neurons.decay_u - 1,
            "decay_v": neurons.decay_v,
            "refractory": 0,
        }
        return _made(name, "cuba lif", n, parameters, bits)
    if np.any(_neurons(layer).get("sigma_output", False)):
        if np.any(np.ravel(bias)):
            raise InterchangeError(f"{who} has a bias, which its sums would not get")
        return _made(name, "sigma", n, {}, bits)
    parameters = {
        "bias": spread(bias, shape, who, "bias", -(2**12), 2**12 - 1) << exponent,
        "threshold": _threshold(layer) << exponent,
        "shift": STATE_EXP,
    }
    return _made(name, "sigma-delta", n, parameters, bits)


def _threshold(layer):
    """Read the threshold of sigma-delta neurons, and refuse what else they may have."""
    said, who = _neurons(layer), layer["who"]
    unknown = sorted(set(said) - DELTA_SAID - DELTA_UNUSED)
    if unknown:
        raise InterchangeError(
            f"{who} has neurons with {unknown[0]!r}, which would be lost"
        )
    activation = said.get("activation", "relu")
    if str(activation).lower() != "relu":
        raise InterchangeError(
            f"{who} needs the activation 'relu', got {str(activation)[:20]!r}"
        )
    if "vThMant" not in said:
        raise InterchangeError(f"{who} needs vThMant of its neurons, and has none")
    threshold = int(single(said["vThMant"], who, "vThMant"))
    if not 0 <= threshold < 2**10:
        raise InterchangeError(
            f"{who} needs a vThMant of 0 to {2**10 - 1:,}, got {threshold:,}"
        )
    return threshold


def _made(name, program, n, parameters, bits):
    spread_out = {
        key: np.broadcast_to(value, n).astype(np.int32)
        for key, value in parameters.items()
    }
    rest = {key: np.zeros(n, np.int32) for key in PROGRAMS[program].registers}
    return GradedPopulation(name, n, program, spread_out, rest, bits, np.ones(n))


def _projections(layer, pre, post, matrix, fine, most_delay):
    """
    Yield the projections of a layer's weights, one for each delay.

    Weights of 9 bits, which are even where they have both signs, are halved.
    """
    who = layer["who"]
    if math.prod(matrix.shape) > MAX_ENTRIES:
        raise InterchangeError(
            f"{who} is a matrix of {math.prod(matrix.shape):,} entries; "
            f"{MAX_ENTRIES:,} are the most"
        )
    weights = matrix.toarray()
    is_wide = weights.max(initial=0) > 127 or weights.min(initial=0) < -128
    if is_wide and np.any(weights % 2):
        raise InterchangeError(
            f"{who} has odd weights of up to {np.abs(weights).max()}; synapses of 8 "
            "bits with a sign hold even ones from there"
        )
    exponent = fine + is_wide
    weights = (weights >> is_wide).astype(np.int8)
    delays = _delays(layer, weights.shape, most_delay)
    for delay in np.unique(delays):
        part = np.where(delays == delay, weights, 0).astype(np.int8)
        if part.any():
            name = f"{pre} to {post}" + (f", {delay} late" if delay else "")
            yield GradedProjection(name, pre, post, part, exponent, int(delay) + 1)


def _delays(layer, shape, most_delay):
    """Return delays that fit the weights: one, or by neuron, as lava-dl reads them."""
    who = layer["who"]
    delays = whole(layer.get("delay", 0), who, "delay")
    if delays.min() < 0 or delays.max() > most_delay:
        raise InterchangeError(
            f"{who} needs delays of 0 to {most_delay:.0f} steps, got {delays.min()} to "
            f"{delays.max()}"
        )
    if delays.size == 1:
        return delays.reshape(1, 1)
    if delays.shape == (shape[0],):
        return delays[:, None]
    if delays.shape == (shape[1],):
        return delays[None]
    raise InterchangeError(
        f"{who} needs a delay for all, or for each of {shape[0]} neurons or {shape[1]} "
        f"inputs, got {delays.shape}"
    )
