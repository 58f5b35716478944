"""
From graded spikes to spikes of one bit: a staggered population for each neuron.

By Hermite's identity, ``sum over j of floor(s + j/p) = floor(p s)``: p neurons of a
p-th of the drive, whose voltages start at ``(v + j) / p``, send in every step together
what one neuron sends that starts at v.
"""

import nengo
import numpy as np

from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.neurons import HybridSpiking, Identity, Staggered
from nengo_hybrid.parameters import copy_network, find_ensemble, object_names


def to_one_bit(network, sizes):
    """
    Replace graded spikes by those of staggered populations.

    The network that comes back does the same, step by step, with more neurons: what
    p neurons send together is what the one sent. Each of them sends -1, 0 or 1 as long
    as the one would not send more than p.

    Parameters
    ----------
    network : nengo.Network
        Left as it is.
    sizes : dict of str to (n_neurons,) int array
        Neurons to put in the place of each, by ensemble: the largest count that it
        sends.

    Returns
    -------
    nengo.Network

    Raises
    ------
    BuildError
        If an ensemble is unknown, is not hybrid-spiking on `nengo.RectifiedLinear` or
        `Identity` (which alone do a p-th at a p-th of the current), has no gains and
        biases of its own, or is connected through encoders or decoders.
    ShapeError
        If there is not a size of at least 1 for each neuron.
    """
    network = copy_network(network)
    names = object_names(network)
    found = {find_ensemble(network, name): sizes[name] for name in sizes}
    for ensemble, size in found.items():
        found[ensemble] = _checked_sizes(ensemble, size, names[ensemble])
    for connection in network.all_connections:
        _check_connection(connection, found, names)
    weights = {c: _widened(c, found) for c in network.all_connections}
    for ensemble, size in found.items():
        _widen(ensemble, size)
    for connection, transform in weights.items():
        if transform is not None:
            connection.transform = transform
    return network


def _checked_sizes(ensemble, sizes, name):
    sizes = np.asarray(sizes)
    is_whole = np.issubdtype(sizes.dtype, np.integer)
    if sizes.shape != (ensemble.n_neurons,) or not is_whole or np.any(sizes < 1):
        raise ShapeError(
            f"to_one_bit needs a whole size of at least 1 for each of the "
            f"{ensemble.n_neurons} neurons of {name!r}, got {sizes.tolist()}"
        )
    neuron_type = ensemble.neuron_type
    is_hybrid = isinstance(neuron_type, HybridSpiking)
    base = type(neuron_type.base_type) if is_hybrid else type(neuron_type)
    if not is_hybrid or base not in (nengo.RectifiedLinear, Identity):
        raise BuildError(
            f"to_one_bit needs HybridSpiking neurons on RectifiedLinear or Identity in "
            f"{name!r}, got {base.__name__}; leave it out"
        )
    given = (ensemble.gain, ensemble.bias)
    if not all(isinstance(values, np.ndarray) for values in given):
        raise BuildError(
            f"to_one_bit needs gains and biases in {name!r}, which Nengo has yet to "
            "draw; set gain and bias"
        )
    return sizes


def _check_connection(connection, found, names):
    """Refuse a connection of a widened ensemble that is not from neuron to neuron."""
    for end in (connection.pre_obj, connection.post_obj):
        if end in found:
            raise BuildError(
                f"to_one_bit needs connections with the neurons of {names[end]!r}, got "
                f"{names[connection]!r} through its encoders or decoders"
            )
    ends = connection.pre_obj, connection.post_obj
    if all(_sizes(end, found) is None for end in ends):
        return
    slices = connection.pre_slice, connection.post_slice
    if any(part != slice(None) for part in slices):
        raise BuildError(
            f"to_one_bit needs {names[connection]!r} to join whole populations, got a "
            "part of one; give it zero weights for the others"
        )
    is_dense = isinstance(connection.transform, nengo.transforms.Dense)
    if not is_dense or not isinstance(connection.transform.init, np.ndarray):
        raise BuildError(
            f"to_one_bit needs {names[connection]!r} to have dense weights, not "
            "yet to be drawn; train the network first, or set its transform"
        )


def _sizes(end, found):
    """Return the sizes at an end of a connection, None if nothing is widened."""
    return found.get(getattr(end, "ensemble", None))


def _widened(connection, found):
    """Return the weights between widened ends; None if neither is."""
    pre = _sizes(connection.pre_obj, found)
    post = _sizes(connection.post_obj, found)
    if pre is None and post is None:
        return None
    weights = np.asarray(connection.transform.init, dtype=float)
    if weights.ndim < 2:
        weights = weights * np.eye(connection.size_mid)
    weights = weights if pre is None else np.repeat(weights, pre, axis=1)
    return weights if post is None else np.repeat(weights, post, axis=0)


def _widen(ensemble, sizes):
    """Give an ensemble the neurons of its staggered populations."""
    gain = np.repeat(ensemble.gain / sizes, sizes)
    bias = np.repeat(ensemble.bias / sizes, sizes)
    neuron_type = ensemble.neuron_type
    # Read-only once it is set; this is a copy that nobody else has.
    nengo.Ensemble.n_neurons.data[ensemble] = len(gain)
    ensemble.gain, ensemble.bias = gain, bias
    ensemble.neuron_type = HybridSpiking(
        neuron_type.base_type,
        omega=neuron_type.omega,
        amplitude=neuron_type.amplitude,
        initial_state={"voltage": Staggered(sizes)},
    )
