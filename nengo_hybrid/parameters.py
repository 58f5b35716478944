"""The names of a network's objects, and the values that training changes."""

import warnings
from collections import Counter
from functools import partial
from itertools import count

import nengo
import numpy as np

from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.neurons import HybridSpiking

CONVOLUTIONS = (nengo.Convolution, nengo.transforms.ConvolutionTranspose)


def object_names(network):
    """
    Name every node, ensemble and connection by its path of labels.

    Parameters
    ----------
    network : nengo.Network

    Returns
    -------
    dict of nengo object to str
        Such as ``"lmu.hidden"``. Objects without a label are called by their kind
        and number (``"connection3"``); equal names get a number behind them.
    """
    names = {}
    _name_objects(network, "", names)
    seen = Counter(names.values())
    taken = set(seen)
    for obj, name in names.items():
        if seen[name] > 1:
            free = (f"{name}#{number}" for number in count())
            names[obj] = next(numbered for numbered in free if numbered not in taken)
            taken.add(names[obj])
    return names


def _name_objects(network, prefix, names):
    kinds = (network.nodes, network.ensembles, network.connections)
    for objects in kinds:
        for i, obj in enumerate(objects):
            label = obj.label or f"{type(obj).__name__.lower()}{i}"
            names[obj] = prefix + label
    for i, subnetwork in enumerate(network.networks):
        label = subnetwork.label or f"network{i}"
        _name_objects(subnetwork, f"{prefix}{label}.", names)


def copy_network(network):
    """Copy a network, without Nengo's warning on nodes that it copies itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'Node.size_out' is being")
        return network.copy(add_to_container=False)


def find_ensemble(network, name):
    """
    Return the ensemble of this name.

    Raises
    ------
    BuildError
        If there is none; the message lists the names.
    """
    found = {n: o for o, n in object_names(network).items()}
    ensemble = found.get(name)
    if not isinstance(ensemble, nengo.Ensemble):
        known = sorted(n for n, o in found.items() if isinstance(o, nengo.Ensemble))
        raise BuildError(
            f"the network has no ensemble {name!r}; it has {', '.join(known)}"
        )
    return ensemble


def with_parameters(network, parameters):
    """
    Return a copy of a network with the given values in it.

    Parameters
    ----------
    network : nengo.Network
        Left as it is.
    parameters : dict of str to array
        ``"<connection>.weights"`` of the shape of its transform or kernel, or
        (size_out, n_neurons) if an ensemble is decoded; ``"<ensemble>.gain"`` and
        ``".bias"`` of shape (n_neurons,), ``".encoders"`` of shape (n_neurons,
        dimensions), and ``".omega"``.

    Returns
    -------
    nengo.Network

    Raises
    ------
    BuildError
        If a name is not in the network, or its object cannot take the value.
    ShapeError
        If a value has not the shape that its object has.
    """
    network = copy_network(network)
    objects = {name: obj for obj, name in object_names(network).items()}
    for key, value in parameters.items():
        name, _, what = key.rpartition(".")
        kind, setter = _SETTERS.get(what, (None, None))
        if setter is None or not isinstance(objects.get(name), kind):
            raise BuildError(
                f"parameter {key!r} belongs to nothing in the network; it is of "
                "another network, or of another version of this one"
            )
        setter(objects[name], np.asarray(value), key)
    return network


def _set_weights(connection, value, key):
    size_out, transform = connection.size_out, connection.transform
    if isinstance(connection.pre_obj, nengo.Ensemble):
        _check_shape(key, value, (size_out, connection.pre_obj.n_neurons))
        connection.solver = nengo.solvers.NoSolver(value.T, weights=False)
        # The values stand for function, decoders and transform in one; what is
        # left for the function to say is the size of the result.
        connection.function = partial(_zeros, size_out)
        connection.transform = nengo.transforms.NoTransform(size_out)
        return
    if isinstance(transform, CONVOLUTIONS):
        _check_shape(key, value, transform.kernel_shape)
        connection.transform = _with_kernel(transform, value)
        return
    is_dense = isinstance(transform, nengo.Dense)
    needed = transform.init_shape if is_dense else (size_out, connection.size_mid)
    _check_shape(key, value, needed)
    connection.transform = value


def _with_kernel(transform, kernel):
    """Copy a convolution, which is read-only, with another kernel."""
    copy = object.__new__(type(transform))
    copy.__setstate__({**transform.__getstate__(), "init": kernel})
    return copy


def _zeros(size, _):
    return np.zeros(size)


def _set_bias(ensemble, value, key):
    _check_shape(key, value, (ensemble.n_neurons,))
    if ensemble.gain is None:
        raise BuildError(
            f"parameter {key!r} is for ensembles with gains of their own, since Nengo "
            "takes both or none; give its gain, too, before the bias"
        )
    ensemble.bias = value


def _set_gain(ensemble, value, key):
    _check_shape(key, value, (ensemble.n_neurons,))
    ensemble.gain = value


def _set_encoders(ensemble, value, key):
    _check_shape(key, value, (ensemble.n_neurons, ensemble.dimensions))
    ensemble.encoders, ensemble.normalize_encoders = value, False


def _set_omega(ensemble, value, key):
    _check_shape(key, value, ())
    if not isinstance(ensemble.neuron_type, HybridSpiking):
        raise BuildError(f"parameter {key!r} is for HybridSpiking neurons only")
    ensemble.neuron_type = ensemble.neuron_type.with_omega(float(value))


def _check_shape(key, value, needed):
    if value.shape != needed:
        raise ShapeError(
            f"parameter {key!r} needs shape {needed}, got {value.shape}; it is of "
            "another network, or of another version of this one"
        )


_SETTERS = {
    "weights": (nengo.Connection, _set_weights),
    "gain": (nengo.Ensemble, _set_gain),
    "bias": (nengo.Ensemble, _set_bias),
    "encoders": (nengo.Ensemble, _set_encoders),
    "omega": (nengo.Ensemble, _set_omega),
}


def trained_objects(network):
    """
    List what training may change: biases of ensembles, and weights of connections.

    As NengoDL has it: all, but for what a ``trainable`` setting in the configuration
    of its network, or of one around it, excludes; the nearest counts.

    Parameters
    ----------
    network : nengo.Network

    Returns
    -------
    list of nengo.Ensemble and nengo.Connection
    """
    return list(_walk_trained(network, ()))


def _walk_trained(network, configs):
    configs = (*configs, network.config)
    for ensemble in network.ensembles:
        own = _setting(configs, ensemble.neurons)
        if (_setting(configs, ensemble) if own is None else own) is not False:
            yield ensemble
    for connection in network.connections:
        has_weights = not isinstance(
            connection.transform, nengo.transforms.NoTransform
        ) or isinstance(connection.pre_obj, nengo.Ensemble)
        if has_weights and _setting(configs, connection) is not False:
            yield connection
    for subnetwork in network.networks:
        yield from _walk_trained(subnetwork, configs)


def _setting(configs, obj):
    """Return the nearest ``trainable`` of an object, None if it has none."""
    found = None
    for config in configs:
        try:
            value = getattr(config[obj], "trainable", None)
        except nengo.exceptions.ConfigError:
            continue
        found = found if value is None else value
    return found
