"""
Networks of Lava-DL (``.net``) as a `QuantizedGraph`: `load_lava`.

What a file means is what lava-dl's own reader makes of it, and lava-nc computes in
integers: a weight w adds ``64 w`` to the current of its target, ``iDecay`` includes the
offset of 1 that Loihi adds to the current's decay, thresholds and biases are shifted
by 6 bits, voltages are cut at 23 bits, and a neuron spikes above its threshold, not at
it.

Sources: lava-dl 0.6.0, ``lib/dl/netx/hdf5.py`` and ``blocks/process.py``; lava-nc
0.10.0, ``proc/lif/models.py``, ``proc/dense/models.py`` and ``utils/weightutils.py``.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graphs import (
    Population,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
)
from nengo_hybrid.interchange.blocks import Layer, to_blocks
from nengo_hybrid.interchange.convolution import convolution_matrix
from nengo_hybrid.interchange.hdf5 import read_tree, told_with_path
from nengo_hybrid.targets import load_target

WHAT = "Lava-DL network"
# Threshold, bias and synaptic input are aligned with the voltage by so many bits.
SHIFT = 6
VMAX = 2**23 - 1
UNITY = 4096
MAX_THRESHOLD = 2**18
MAX_BIAS = 2**12
# What each kind of layer says; a name that is not here would be dropped.
SAID = {
    "input": {"weight", "bias"},
    "flatten": set(),
    "dense": {"inFeatures", "outFeatures", "weight", "bias", "delay"},
    "conv": {
        "inChannels",
        "outChannels",
        "kernelSize",
        "stride",
        "padding",
        "dilation",
        "groups",
        "weight",
        "bias",
        "delay",
    },
}
SAID["dense_rec"] = SAID["dense"] | {"weight_rec"}
NEURONS = ("CUBA", "LOIHI")
# The last four are for training alone.
NEURON_SAID = {
    "type",
    "iDecay",
    "vDecay",
    "vThMant",
    "refDelay",
    "gradedSpike",
    "wgtExp",
    "scaleRho",
    "tauRho",
    "theta",
}
# What a chip's CUBA-LIF has not, with the value at which it need not.
PLAIN = {"refDelay": 1, "gradedSpike": 0, "wgtExp": 0}
# A dense layer without neurons integrates; lava-dl gives it a threshold out of reach.
INTEGRATOR = {"iDecay": 0, "vDecay": UNITY, "vThMant": 2**17}
INSTEAD = {
    "average": "it is a read-out: average the spikes of the layer before, and load "
    "with n_layers={number}",
    "pool": "lava-dl's own reader refuses it too; train with strided convolutions",
}


@dataclass(frozen=True)
class Neurons:
    """
    Parameters of the neurons of a layer, as a file has them.

    Arrays have shape (n_neurons,); the current loses ``decay_u`` 4096ths in a step.
    """

    decay_u: np.ndarray
    decay_v: np.ndarray
    vth: np.ndarray


def load_lava(path, *, target="loihi1", n_layers=None):
    """
    Load a network that Lava-DL exported: dense and convolutional CUBA-LIF layers.

    Its spikes are those of lava-nc's fixed-point models, bit for bit. A layer is a
    population, named by its kind and number; spikes come in over "input". The neurons
    of an input layer are driven by values, and stay on the host: `load_lava_input`.

    Parameters
    ----------
    path : path-like
    target : str or Target
        Whose cores the layers are cut for.
    n_layers : int, optional
        Load the first of the file's layers alone.

    Returns
    -------
    QuantizedGraph
        With a probe on the voltage of the last layer if its neurons cannot spike.

    Raises
    ------
    InterchangeError
        If the file is damaged or hostile, or has anything that the graph cannot carry:
        sigma-delta, resonating and graded neurons, delays, other kinds of layers.
    CompatError
        If h5py is not installed.
    """
    target = load_target(target) if isinstance(target, str) else target
    with told_with_path(path, WHAT):
        described = read_layers(path, n_layers)
        n_inputs, layers = _interpret(described)
        blocks, axons = to_blocks(layers, n_inputs, target, vmin=-VMAX, vmax=VMAX)
    lines = SpikeInput("input", "input", n_inputs, axons)
    return QuantizedGraph(
        target=target.name,
        host=SpikingGraph(1.0, (Population("input", n_inputs, "input"),), (), ""),
        host_reasons={"input": "its spikes come from the host"},
        chip_steps=1,
        latency_steps=0,
        inputs=(lines,),
        blocks=blocks,
        output=layers[-1].name,
        errors={layer.name: 0.0 for layer in layers},
        probes=_probes(blocks, layers[-1]),
    )


def _probes(blocks, last):
    """Probe voltages of the last layer, if that is how it is read."""
    if np.any(last.vth < VMAX):
        return ()
    parts = tuple(
        (b, np.arange(block.n_compartments))
        for b, block in enumerate(blocks)
        if block.population == last.name
    )
    return (Probe(f"voltage of {last.name}", "voltage", parts),)


def read_layers(path, n_layers=None):
    """
    Read the layers of a file, in their order; the first of them alone, if so said.

    Returns
    -------
    list of dict
        What the file says of each, with "who" for messages.
    """
    found = read_tree(path).get("layer")
    if not isinstance(found, dict) or not found:
        raise InterchangeError("it needs a group 'layer' with layers, and has none")
    if set(found) != {str(i) for i in range(len(found))}:
        names = ", ".join(map(repr, sorted(found)[:5]))
        raise InterchangeError(
            f"its {len(found)} layers need the names 0 to {len(found) - 1}, got {names}"
        )
    return [_checked_layer(i, found[str(i)]) for i in range(len(found))[:n_layers]]


def _checked_layer(number, layer):
    """Refuse a layer of a kind, or with a name, that nothing is known of."""
    if not isinstance(layer, dict) or "type" not in layer or "shape" not in layer:
        raise InterchangeError(f"layer {number} needs a type and a shape")
    kind = str(np.ravel(layer["type"])[0]) if np.size(layer["type"]) == 1 else "?"
    who = f"layer {number} ({kind})"
    if kind not in SAID:
        advice = INSTEAD.get(kind, "train without it").format(number=number)
        raise InterchangeError(
            f"{who} needs to be {', '.join(SAID)}, and cannot be carried; {advice}"
        )
    unknown = sorted(set(layer) - SAID[kind] - {"type", "shape", "neuron"})
    if unknown:
        raise InterchangeError(f"{who} has {unknown[0]!r}, which would be lost")
    shape = tuple(int(n) for n in np.ravel(whole(layer["shape"], who, "shape")))
    if min(shape, default=0) < 1:
        raise InterchangeError(f"{who} needs a shape of sizes, got {shape}")
    return layer | {"type": kind, "shape": shape, "who": who}


def _interpret(described):
    """
    Make layers of what a file says.

    Returns
    -------
    n_inputs : int
    layers : list of Layer
    """
    shape, source, n_inputs, layers = None, "input", None, []
    for number, layer in enumerate(described):
        kind, who = layer["type"], layer["who"]
        if kind == "input":
            if number:
                raise InterchangeError(f"{who} needs to be the first layer")
            shape = layer["shape"]
            continue
        if kind == "flatten":
            shape = shape if shape is None else (math.prod(shape),)
            continue
        _refuse_delays(layer)
        matrices, n_pre, shape = read_matrices(layer, shape)
        matrices = [matrix * 2**SHIFT for matrix in matrices]
        n_inputs = n_pre if n_inputs is None else n_inputs
        name = f"{kind} {number}"
        weights = dict(zip((source, name), matrices, strict=False))
        neurons = read_neurons(layer, math.prod(shape), shape)
        bias = spread(layer.get("bias", 0), shape, who, "bias", -MAX_BIAS, MAX_BIAS - 1)
        layers.append(
            Layer(
                name=name,
                weights=weights,
                # The chip adds 1 to this decay.
                decay_u=neurons.decay_u - 1,
                decay_v=neurons.decay_v,
                vth=neurons.vth << SHIFT,
                bias=bias << SHIFT,
            )
        )
        source = name
    if not layers:
        raise InterchangeError("it needs a dense or conv layer, and has none")
    return n_inputs, layers


def _refuse_delays(layer):
    delay = np.ravel(layer.get("delay", 0))
    if np.any(delay):
        raise InterchangeError(
            f"{layer['who']} has delays of up to {delay.max():g} steps; a spike of the "
            "graph arrives in the next step. Train without delays, or take "
            "load_lava_graded"
        )


def read_matrices(layer, shape):
    """
    Return the weights of a layer, from outside and from itself, and its shapes.

    Returns
    -------
    list of csr_array
    n_pre : int
    shape : tuple of int
    """
    who = layer["who"]
    if "weight" not in layer:
        raise InterchangeError(f"{who} needs a weight, and has none")
    if layer["type"] == "conv":
        return _convolution(layer, shape)
    n_neurons = math.prod(layer["shape"])
    found = []
    for name in ("weight", "weight_rec"):
        if name in layer:
            values = whole(layer[name], who, name)
            if values.size == 0 or values.size % n_neurons or values.ndim > 2:
                raise InterchangeError(
                    f"{who} needs a {name} of {n_neurons} rows, got {values.shape}"
                )
            found.append(values.reshape(n_neurons, -1))
    _check_weights(np.hstack(found), who)
    n_pre = found[0].shape[1]
    if shape is not None and shape != (n_pre,) and math.prod(shape[1:]) != 1:
        raise InterchangeError(
            f"{who} needs a flatten layer before it, got an input of shape {shape}"
        )
    if shape is not None and math.prod(shape) != n_pre:
        raise InterchangeError(
            f"{who} has weights for {n_pre} inputs; the layer before has "
            f"{math.prod(shape)}"
        )
    if found[1:] and found[1].shape != (n_neurons, n_neurons):
        raise InterchangeError(
            f"{who} needs a weight_rec of shape {(n_neurons, n_neurons)}, got "
            f"{found[1].shape}"
        )
    return [_dense(values) for values in found], n_pre, (n_neurons,)


def _dense(values):
    """Return a matrix of which every entry is stored."""
    rows, columns = np.indices(values.shape).reshape(2, -1)
    entries = (values.ravel().astype(np.int32), (rows, columns))
    return sparse.coo_array(entries, shape=values.shape).tocsr()


def _convolution(layer, shape):
    who = layer["who"]
    if shape is None or len(shape) != 3:
        raise InterchangeError(
            f"{who} needs an input of channels, height and width, got {shape}; the "
            "file needs an input layer with its shape"
        )
    kernel = whole(layer["weight"], who, "weight")
    if kernel.ndim == 5 and kernel.shape[4] == 1:
        kernel = kernel[..., 0]
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise InterchangeError(
            f"{who} needs a weight of 4 dimensions, got {kernel.shape}"
        )
    _check_weights(kernel, who)
    steps = {
        name: _pair(layer.get(name, default), who, name)
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    }
    groups = int(single(layer.get("groups", 1), who, "groups"))
    kernel = kernel.astype(np.int32)
    matrix, output = convolution_matrix(kernel, shape, groups=groups, **steps)
    if output != layer["shape"]:
        raise InterchangeError(
            f"{who} gives the shape {output}, and says {layer['shape']}"
        )
    return [matrix], math.prod(shape), output


def _check_weights(weights, who):
    """Refuse weights that lava-nc would cut to what a synapse can store."""
    least, most = int(weights.min()), int(weights.max())
    low = 0 if least >= 0 else -255 if most <= 0 else -256
    high = 255 if least >= 0 else 0 if most <= 0 else 254
    if least < low or most > high:
        raise InterchangeError(
            f"{who} has weights from {least} to {most}; synapses of 8 bits hold "
            f"{low} to {high}. Export the network with lava-dl's quantization"
        )


def read_neurons(layer, n_neurons, shape):
    """Read the parameters of a layer's CUBA-LIF neurons; see `Neurons`."""
    who, said = layer["who"], layer.get("neuron", INTEGRATOR)
    if not isinstance(said, dict):
        raise InterchangeError(f"{who} needs a group of neuron parameters")
    kind = said.get("type", NEURONS[0])
    if kind not in NEURONS:
        raise InterchangeError(
            f"{who} has neurons of type {str(kind)[:20]!r}; needed "
            f"{' or '.join(NEURONS)}. Sigma-delta neurons send values, which the "
            "graph's spikes do not carry: load_lava_graded reads them"
        )
    for name, plain in PLAIN.items():
        if np.any(np.ravel(said.get(name, plain)) != plain):
            raise InterchangeError(
                f"{who} needs {name}={plain} of its neurons, got {said[name]}"
            )
    unknown = sorted(set(said) - NEURON_SAID)
    if unknown:
        raise InterchangeError(
            f"{who} has neurons with {unknown[0]!r}, which would be lost"
        )
    bounds = {"iDecay": UNITY, "vDecay": UNITY, "vThMant": MAX_THRESHOLD}
    missing = [name for name in bounds if name not in said]
    if missing:
        raise InterchangeError(f"{who} needs {missing[0]} of its neurons, and has none")
    return Neurons(
        *(spread(said[name], shape, who, name, 0, bounds[name]) for name in bounds)
    )


def spread(values, shape, who, name, low, high):
    """Return whole numbers for each neuron of a layer; one, or by channel or neuron."""
    n_neurons = math.prod(shape)
    values = np.ravel(whole(values, who, name))
    if values.size not in (1, shape[0], n_neurons):
        raise InterchangeError(
            f"{who} needs a {name} for all, for each of {shape[0]} channels or "
            f"{n_neurons} neurons, got {values.size}"
        )
    if values.min() < low or values.max() > high:
        raise InterchangeError(
            f"{who} needs a {name} of {low} to {high:,}, got {values.min():,} to "
            f"{values.max():,}"
        )
    if values.size == shape[0]:
        return np.repeat(values, n_neurons // shape[0])
    return np.broadcast_to(values, n_neurons).copy()


def whole(values, who, name):
    """Return values as whole numbers; refuse others."""
    values = np.asarray(values)
    is_number = values.dtype.kind in "iufb"
    if not is_number or np.any(~np.isfinite(values)) or np.any(values % 1):
        got = "others" if is_number else values.dtype
        raise InterchangeError(
            f"{who} needs a {name} in whole numbers, got {got}; export the network "
            "with lava-dl's quantization"
        )
    if np.any(np.abs(values.astype(float)) > 2**31 - 1):
        raise InterchangeError(f"{who} has a {name} of more than 31 bits")
    return values.astype(np.int64)


def single(values, who, name):
    """Return the one whole number that there is; refuse more."""
    values = np.ravel(whole(values, who, name))
    if values.size != 1:
        raise InterchangeError(f"{who} needs one {name}, got {values.size}")
    return values[0]


def _pair(values, who, name):
    values = np.ravel(whole(values, who, name))
    if values.size not in (1, 2):
        raise InterchangeError(f"{who} needs one or two {name}, got {values.size}")
    return tuple(int(n) for n in np.broadcast_to(values, 2))
