"""
What the nodes of a NIR file say, each as one `Node`.

Source: nir 1.0.8, ``serialization.py`` and ``ir``; files of before 1.0 lack what has a
default there.
"""

import math
from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graphs import Convolution, Dynamics
from nengo_hybrid.interchange.convolution import convolution_matrix, output_sizes

CONVOLUTION = {"weight", "bias", "stride", "padding", "dilation", "groups"}
NEURONS = {
    "LIF": {"tau", "r", "v_leak", "v_threshold"},
    "CubaLIF": {"tau_mem", "tau_syn", "r", "v_leak", "v_threshold"},
    "IF": {"r", "v_threshold"},
}
NEEDED = {
    "Input": {"shape"},
    "Output": {"shape"},
    "Affine": {"weight", "bias"},
    "Linear": {"weight"},
    "Scale": {"scale"},
    "Conv1d": CONVOLUTION,
    "Conv2d": CONVOLUTION,
    "Flatten": set(),
    "Delay": {"delay"},
    **NEURONS,
}
OPTIONAL = {
    "Conv1d": {"input_shape"},
    "Conv2d": {"input_shape"},
    "Flatten": {"start_dim", "end_dim", "input_type"},
    "LIF": {"v_reset"},
    "CubaLIF": {"v_reset", "w_in"},
    "IF": {"v_reset"},
}
RESETS = ("value", "subtract")


@dataclass(frozen=True)
class Node:
    """
    One node of a file.

    Attributes
    ----------
    name, kind : str
    shape_in, shape : tuple of int
        Of what comes in, and of what goes out.
    weights : (n_out, n_in) array or None
        Of nodes that compute, None for those that pass on what comes in.
    bias : (n_out,) array or None
    delay : int
        In steps.
    dynamics : Dynamics or None
    convolution : Convolution or None
        What the weights were made of.
    """

    name: str
    kind: str
    shape_in: tuple
    shape: tuple
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    delay: int = 0
    dynamics: Dynamics | None = None
    convolution: Convolution | None = None

    @property
    def is_sum(self):
        """Whether it does nothing but to add up what comes in: a scale of ones."""
        return self.kind == "Scale" and self.weights is None


def read_nodes(said, before, *, dt, reset):
    """
    Read all nodes of a file.

    Parameters
    ----------
    said : dict of str to dict
        What the file says of each, by name.
    before : dict of str to list of str
        The nodes whose output a node gets.
    dt : float
    reset : str
        "value" or "subtract".

    Returns
    -------
    dict of str to Node

    Raises
    ------
    InterchangeError
        If a node is of a kind, or says something, that a graph cannot carry.
    """
    if reset not in RESETS:
        raise InterchangeError(f"reset has to be 'value' or 'subtract', got {reset!r}")
    for name, node in said.items():
        _check_names(name, node)
    nodes = {}

    def shape_before(name, seen=()):
        """Find the shape that a node gets, through those that do not say their own."""
        for pre in before[name]:
            if pre not in seen:
                shape = _own_shape(said[pre]) or _shape_after(
                    said[pre], shape_before(pre, (*seen, pre))
                )
                if shape is not None:
                    return shape
        return None

    for name, node in said.items():
        shape = shape_before(name)
        nodes[name] = _read_node(name, node, shape, dt=dt, reset=reset)
    return nodes


def _check_names(name, node):
    """Refuse a node of another kind, or that has less or more than is known."""
    kind = node.get("type") if isinstance(node, dict) else None
    if not isinstance(kind, str) or kind not in NEEDED:
        raise InterchangeError(
            f"node {name!r} needs to be {', '.join(NEEDED)}; got "
            f"{str(kind)[:20]!r}, which a graph cannot carry"
        )
    missing = sorted(NEEDED[kind] - set(node))
    if missing:
        raise InterchangeError(f"{kind} {name!r} needs {missing[0]!r}, and has none")
    known = NEEDED[kind] | OPTIONAL.get(kind, set()) | {"type", "metadata"}
    unknown = sorted(set(node) - known)
    if unknown:
        raise InterchangeError(
            f"{kind} {name!r} has {unknown[0]!r}, which would be lost"
        )


def _own_shape(node):
    """Return the shape that a node gives, if it says so itself."""
    kind = node["type"]
    if kind in ("Input", "Output"):
        return tuple(int(n) for n in np.ravel(node["shape"]))
    if kind in ("Affine", "Linear"):
        return np.shape(node["weight"])[:1]
    if kind in ("Scale", "Delay"):
        return np.shape(node[kind.lower()])
    return np.shape(node["v_threshold"]) if kind in NEURONS else None


def _shape_after(node, shape):
    """Return the shape that a convolution or a Flatten makes of another."""
    if node["type"] == "Flatten":
        return None if shape is None else _flattened(node, shape)
    shape = _convolved_shape(node, shape)
    if shape is None:
        return None
    kernel = np.shape(node["weight"])
    steps = _steps(node, len(kernel) - 2, "a convolution")
    steps.pop("groups")
    return kernel[:1] + output_sizes(shape[1:], kernel[2:], **steps)


def _convolved_shape(node, shape):
    """Return what a convolution gets: what it says, or what comes in."""
    said = node.get("input_shape")
    if said is None:
        return shape
    channels = np.shape(node["weight"])[1] * int(np.ravel(node["groups"])[0])
    return (channels, *(int(n) for n in np.ravel(said)))


def _flattened(node, shape):
    """
    Return a shape with some dimensions in one.

    A Flatten of before 1.0 says its dimensions with that of the batch in front, which
    is not in the shape; either way the order of the values stays.
    """
    first, last = (int(node.get(k, d)) for k, d in (("start_dim", 1), ("end_dim", -1)))
    last = last % len(shape) if last < 0 else min(last, len(shape) - 1)
    first = min(first, last)
    middle = math.prod(shape[first : last + 1])
    return (*shape[:first], middle, *shape[last + 1 :])


def _read_node(name, node, shape, *, dt, reset):
    kind, who = node["type"], f"{node['type']} {name!r}"
    if kind in ("Input", "Output"):
        shape = tuple(int(n) for n in np.ravel(_numbers(node["shape"], who, "shape")))
        if min(shape, default=1) < 1:
            raise InterchangeError(f"{who} needs a shape of sizes, got {shape}")
        return Node(name, kind, shape, shape)
    if kind in NEURONS:
        dynamics, shape = _read_neurons(node, who, dt, reset)
        return Node(name, kind, shape, shape, dynamics=dynamics)
    if kind in ("Affine", "Linear"):
        weights = _numbers(node["weight"], who, "weight")
        if weights.ndim != 2 or 0 in weights.shape:
            raise InterchangeError(
                f"{who} needs a weight of 2 dimensions, got {weights.shape}"
            )
        bias = _read_bias(node, who, len(weights))
        return Node(name, kind, weights.shape[1:], weights.shape[:1], weights, bias)
    if kind == "Scale":
        scale = _numbers(node["scale"], who, "scale")
        check_dense((scale.size, scale.size), who)
        weights = None if np.all(scale == 1) else np.diag(scale.ravel())
        return Node(name, kind, scale.shape, scale.shape, weights)
    if kind == "Delay":
        steps, shape = _read_delay(node, who, dt)
        return Node(name, kind, shape, shape, delay=steps)
    if shape is None and "input_shape" not in node:
        raise InterchangeError(
            f"{who} needs an input of a known shape; the nodes before it say none"
        )
    if kind == "Flatten":
        return Node(name, kind, shape, _flattened(node, shape))
    return _read_convolution(name, node, shape)


def _read_convolution(name, node, shape):
    kind, who = node["type"], f"{node['type']} {name!r}"
    n_dims = int(kind[4])
    kernel = _numbers(node["weight"], who, "weight")
    if kernel.ndim != n_dims + 2 or 0 in kernel.shape:
        raise InterchangeError(
            f"{who} needs a weight of {n_dims + 2} dimensions, got {kernel.shape}"
        )
    shape, steps = _convolved_shape(node, shape), _steps(node, n_dims, who)
    convolution = Convolution(kernel, shape, **steps)
    try:
        matrix, after = convolution_matrix(**vars(convolution))
    except InterchangeError as error:
        raise InterchangeError(f"{who} does not fit: {error}") from error
    check_dense(matrix.shape, who)
    bias = _read_bias(node, who, len(kernel))
    bias = None if bias is None else np.repeat(bias, math.prod(after[1:]))
    weights = matrix.toarray()
    return Node(name, kind, shape, after, weights, bias, convolution=convolution)


def check_dense(shape, who, most=2**27):
    """Refuse a matrix of more entries than a graph can reasonably hold."""
    if math.prod(shape) > most:
        raise InterchangeError(
            f"{who} is a matrix of {shape[0]:,} x {shape[1]:,} weights; a graph holds "
            f"matrices whole, of at most {most:,}"
        )


def _steps(node, n_dims, who):
    """Return stride, padding, dilation and groups of a convolution."""
    found = {}
    for name in ("stride", "dilation", "padding"):
        value = node[name]
        if isinstance(value, str):
            value = _named_padding(value, found, np.shape(node["weight"])[2:], who)
        values = np.ravel(_numbers(value, who, name))
        if values.size not in (1, n_dims) or np.any(values % 1):
            raise InterchangeError(
                f"{who} needs a {name} of {n_dims} whole numbers, got {values.tolist()}"
            )
        found[name] = tuple(int(n) for n in np.broadcast_to(values, n_dims))
    groups = np.ravel(_numbers(node["groups"], who, "groups"))
    if groups.size != 1 or groups[0] % 1:
        raise InterchangeError(f"{who} needs whole groups, got {groups.tolist()}")
    return found | {"groups": int(groups[0])}


def _named_padding(name, steps, sizes, who):
    """Return the padding that PyTorch calls "valid" or "same"."""
    if name not in ("valid", "same"):
        raise InterchangeError(
            f"{who} needs a padding of numbers, 'valid' or 'same'; got {name[:20]!r}"
        )
    if name == "valid":
        return np.zeros(len(sizes))
    total = [d * (k - 1) for d, k in zip(steps["dilation"], sizes, strict=True)]
    if max(steps["stride"]) > 1 or np.any(np.array(total) % 2):
        raise InterchangeError(
            f"{who} needs a stride of 1 and kernels of odd size for padding 'same', "
            f"got strides {steps['stride']} and sizes {sizes}"
        )
    return np.array(total) // 2


def _read_bias(node, who, n):
    if "bias" not in node:
        return None
    bias = _numbers(node["bias"], who, "bias")
    if bias.size != n:
        raise InterchangeError(f"{who} needs a bias of {n} values, got {bias.shape}")
    return bias.ravel()


def _read_delay(node, who, dt):
    """Return a delay in steps, and its shape."""
    delay = _numbers(node["delay"], who, "delay")
    steps = np.round(delay / dt)
    if delay.size == 0 or np.any(delay < 0):
        raise InterchangeError(f"{who} needs delays of at least 0")
    if np.any(np.abs(steps * dt - delay) > 1e-6 * dt) or steps.max() > 10**6:
        raise InterchangeError(
            f"{who} needs whole steps of dt={dt:g} as its delay, got "
            f"{delay.max():g} s; choose another dt"
        )
    if np.ptp(steps):
        raise InterchangeError(
            f"{who} has delays from {delay.min():g} to {delay.max():g} s; a projection "
            "of a graph has one"
        )
    return int(steps.flat[0]), delay.shape


def _read_neurons(node, who, dt, reset):
    """Return the dynamics of neurons, and their shape."""
    names = NEURONS[node["type"]]
    threshold = _numbers(node["v_threshold"], who, "v_threshold")
    shape, found = threshold.shape, {}
    for name in sorted(names | OPTIONAL[node["type"]]):
        default = 1.0 if name == "w_in" else 0.0
        values = _numbers(node.get(name, default), who, name)
        if values.shape not in (shape, ()) or (name in names and values.shape != shape):
            raise InterchangeError(
                f"{who} needs a {name} of shape {shape}, as its v_threshold has; got "
                f"{values.shape}"
            )
        found[name] = np.broadcast_to(values, shape).ravel().copy()
    for name, values in found.items():
        # Files in 32 bits have time constants that are a little less than meant.
        if name.startswith("tau") and np.any(values < dt * (1 - 1e-6)):
            raise InterchangeError(
                f"{who} has a {name} of {values.min():g} s, and a step of dt={dt:g} s "
                "has to be at most that; choose a smaller dt"
            )
    return Dynamics(
        threshold=found["v_threshold"],
        resistance=found["r"],
        reset=found["v_reset"] if reset == "value" else None,
        tau_mem=found.get("tau_mem", found.get("tau")),
        leak=found.get("v_leak"),
        tau_syn=found.get("tau_syn"),
        w_in=found.get("w_in"),
    ), shape


def _numbers(values, who, name):
    """Return values that are finite numbers, as they are; refuse others."""
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise InterchangeError(f"{who} needs a {name} of numbers, got {values.dtype}")
    if not np.isfinite(values).all():
        raise InterchangeError(f"{who} has a {name} that is NaN or infinite")
    return values
