"""What is checked before a simulator starts to work."""

import numbers

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_hybrid.exceptions import EmulateError, ShapeError


def check_arguments(network, target, minibatch_size):
    """Check what a simulator is made with; a `ValidationError` says what is wrong."""
    if network is None:
        raise ValidationError("network parameter must not be None", attr="network")
    if target not in (None, "sim"):
        raise ValidationError(
            f"must be 'sim' or None, got {target!r}; NengoLoihi's own simulator "
            "runs boards ('loihi') and networks in floats ('simreal')",
            attr="target",
        )
    if minibatch_size is not None and not _is_whole(minibatch_size, at_least=1):
        raise ValidationError(
            f"must be a whole number of at least 1, or None, got {minibatch_size!r}",
            attr="minibatch_size",
        )


def check_time(time_in_seconds):
    """Check a time to run for; a `ValidationError` says what is wrong."""
    if not np.isfinite(time_in_seconds) or time_in_seconds < 0:
        raise ValidationError(
            f"must be positive, in seconds; got {time_in_seconds}",
            attr="time_in_seconds",
        )


def check_steps(steps):
    """Check a number of steps to run; an `EmulateError` says what is wrong."""
    if not _is_whole(steps, at_least=0):
        raise EmulateError(f"steps has to be a whole number, at least 0, got {steps}")


def _is_whole(value, *, at_least):
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and value >= at_least


def check_data(data, steps, minibatch_size, network):
    """
    Check what nodes are to give instead of their constant output.

    Parameters
    ----------
    data : dict of nengo.Node to array
        Of shape (n_steps, size), or (minibatch_size, n_steps, size).
    steps : int
    minibatch_size : int or None
    network : nengo.Network
        That the nodes have to be in.

    Returns
    -------
    dict of nengo.Node to (n_samples, n_steps, size) array

    Raises
    ------
    EmulateError
        If an object is no node with a constant output, or a number is not finite.
    ShapeError
        If an array has another shape.
    """
    checked = {}
    for node, values in data.items():
        is_constant = isinstance(node, nengo.Node) and isinstance(
            node.output, np.ndarray
        )
        if not is_constant or node not in network.all_nodes:
            raise EmulateError(
                f"data is for nodes with a constant output, such as "
                f"nengo.Node(np.zeros(size)); {node} is none of this network"
            )
        values = np.asarray(values, dtype=float)
        wanted = (steps, node.size_out)
        wanted = (minibatch_size, *wanted) if minibatch_size else wanted
        if values.shape != wanted:
            raise ShapeError(f"{node} needs data of shape {wanted}, got {values.shape}")
        if not np.all(np.isfinite(values)):
            raise EmulateError(f"{node} needs finite numbers, got NaN or infinity")
        checked[node] = values if minibatch_size else values[None]
    return checked
