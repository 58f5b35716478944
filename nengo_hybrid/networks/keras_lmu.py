"""
A trained KerasLMU model as a Nengo network.

A file is read with h5py and json alone: neither Keras nor TensorFlow is imported, and
nothing in the file is run. KerasLMU multiplies rows from the left, so that its arrays
are transposed here.

The file is longer than most, so that all that is known of KerasLMU is in one place.

Source: KerasLMU 0.3 to 0.9, ``keras_lmu/layers.py``.
"""

import contextlib
import io
import json
import pathlib
import zipfile
import zlib
from dataclasses import dataclass

import nengo
import numpy as np

from nengo_hybrid.exceptions import (
    BuildError,
    CompatError,
    DataError,
    HybridError,
    ShapeError,
)
from nengo_hybrid.networks.lmu import LMU
from nengo_hybrid.networks.memory import check_at_least_one, lmu_matrices
from nengo_hybrid.neurons import HybridSpiking, Identity

# With tau_ref=1 a neuron's rate is the bare function, whatever the time step.
ACTIVATIONS = {
    "linear": Identity(),
    "relu": nengo.RectifiedLinear(),
    "sigmoid": nengo.Sigmoid(tau_ref=1.0),
    "tanh": nengo.Tanh(tau_ref=1.0),
}
HIDDEN_CELLS = ("SimpleRNNCell", "Dense")
PARTS = {"memory": "memory", "hidden": "hidden cell", "output": "Dense layer"}
LMUS = ("LMU", "LMUFeedforward", "LMUFFT", "LMUCell")
# What the network cannot do, with the value at which it need not.
PLAIN_OPTIONS = {
    "discretizer": "zoh",
    "dropout": 0,
    "recurrent_dropout": 0,
    "conv_mode": "fft",
    "go_backwards": False,
    "stateful": False,
    "return_state": False,
}
# Groups that hold the layers: of Keras 3, of Keras 2.13, of Keras 2 and of .h5.
ROOTS = ("layers", "_layer_checkpoint_dependencies", "model_weights")
ARCHIVED = ("config.json", "model.weights.h5")
MATRIX_TOLERANCE = 1e-4
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class _Described:
    """Sizes and options of a model, and the names of its arrays by part."""

    order: int
    theta_steps: float
    memory_d: int
    size_in: int | None
    n_hidden: int
    input_to_hidden: bool
    hidden_to_memory: bool
    activation: str
    output_activation: str
    names: dict


def load_keras_lmu(
    path,
    *,
    omega=None,
    order=None,
    theta_steps=None,
    size_in=None,
    activation=None,
    label="keras_lmu",
    seed=None,
    add_to_container=None,
):
    """
    Load a trained KerasLMU model: one LMU layer, then one Dense layer.

    Each step computes what KerasLMU does, with the file's kernels in place of the
    ``W``, and gives the output in every step; a model without ``return_sequences``
    gives the last one alone ::

        u_t = W_u [x_t, h_{t-1}] + b_u + W_r m_{t-1}
        m_t = A m_{t-1} + B u_t
        h_t = f(W_h [m_t, x_t] + b_h + W_hh h_{t-1})
        y_t = W_y h_t + b_y

    Parameters
    ----------
    path : path-like
        A ``.keras`` archive, the ``.h5`` file of a whole model, or a ``.weights.h5``
        file, as Keras 2 and 3 save them.
    omega : float or None
        With it the hidden layer is hybrid-spiking, see `HybridSpiking`; with None its
        neurons send rates.
    order : int
        Legendre coefficients. Like the next three, for files of weights alone, which
        have no configuration; the read-out is then taken as linear, and A and B as
        discretized with "zoh".
    theta_steps : float
        Window of the memory, in steps, which KerasLMU calls ``theta``. Without need
        if theta was trained: its trained value is in the file.
    size_in : int
        Input dimensions; 1 by default.
    activation : str
        Of the hidden layer: linear, relu, sigmoid or tanh (the default).
    label, seed, add_to_container
        As in `nengo.Network`.

    Returns
    -------
    nengo.Network
        With attributes ``input`` (a node), ``lmu`` (an `LMU`), ``output`` (an
        ensemble), and ``probe`` (on its neurons). It runs in time steps of 1.

    Raises
    ------
    DataError
        If the file is missing, damaged or something else, or has values that are not
        finite.
    ShapeError
        If an array does not have the shape that the configuration asks for.
    BuildError
        If there is no LMU, or anything that the network would not compute; or if the
        file's A or B is not that of `lmu_matrices`, by more than 1e-4 of the largest
        entry. KerasLMU stored them until 0.3.1; since then they follow from order and
        theta, and there is nothing to compare.
    CompatError
        If h5py is not installed.
    """
    sizes = {"order": order, "theta_steps": theta_steps}
    sizes |= {"size_in": size_in, "activation": activation}
    with _told_with_path(path):
        config, arrays = _read_file(pathlib.Path(path))
        described, weights = _interpret(config, arrays, sizes)
    with nengo.Network(label, seed, add_to_container) as network:
        _build_lmu(network, described, weights, omega)
        _build_output(network, described, weights)
    return network


@contextlib.contextmanager
def _told_with_path(path):
    """Say of every error which file it is about."""
    start = f"cannot load a KerasLMU model from {str(path)!r}:"
    try:
        yield
    except HybridError as error:
        raise type(error)(f"{start} {error}") from error
    except DAMAGE as error:
        raise DataError(
            f"{start} it is cut off or damaged ({type(error).__name__}); save it again"
        ) from error


def _read_file(path):
    """
    Read what is in a file of Keras.

    Returns
    -------
    config : dict or None
    arrays : dict of tuple of str to array
        By the path in the file, from the layer's name on.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{error.strerror}; name a file that Keras saved (.keras, .h5 or "
            ".weights.h5)"
        ) from error
    if not content.startswith(b"PK"):
        return _read_hdf5(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        missing = [name for name in ARCHIVED if name not in archive.namelist()]
        if missing:
            raise DataError(f"the archive has no {missing[0]}; Keras puts one there")
        config = json.loads(archive.read(ARCHIVED[0]))
        return config, _read_hdf5(archive.read(ARCHIVED[1]))[1]


def _read_hdf5(content):
    """Read an HDF5 file of weights, with a configuration or None."""
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise DataError(
            "it is neither HDF5 nor an archive of Keras; save the model with "
            "model.save('model.keras')"
        )
    h5py, arrays = _import_h5py(), {}
    with h5py.File(io.BytesIO(content), "r") as file:
        config = file.attrs.get("model_config")
        has_layers_on_top = "layer_names" in file.attrs

        def collect(name, item):
            parts = tuple(name.split("/"))
            is_layer = has_layers_on_top or parts[0] in ROOTS
            if is_layer and isinstance(item, h5py.Dataset):
                arrays[parts[not has_layers_on_top :]] = _read_values(name, item)

        # Links, to other files too, are not followed.
        file.visititems(collect)
    if not arrays:
        raise DataError("it has no layers with weights; name a file that Keras saved")
    return None if config is None else json.loads(config), arrays


def _import_h5py():
    try:
        import h5py
    except ImportError as error:
        raise CompatError(
            "h5py is needed to read it and not installed; run pip install h5py"
        ) from error
    return h5py


def _read_values(name, dataset):
    """Read an array whose values are all in the file, as float64."""
    if dataset.dtype.kind != "f":
        raise DataError(
            f"array {name!r} needs floating-point numbers, got {dataset.dtype}; save "
            "the model before it is quantized"
        )
    n_stored = 0 if dataset.external else dataset.id.get_storage_size()
    if n_stored != dataset.nbytes:
        raise DataError(
            f"array {name!r} needs {dataset.nbytes} bytes, got {n_stored}; save the "
            "model without compression"
        )
    values = np.asarray(dataset[()], dtype=float)
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad:
        raise DataError(
            f"array {name!r} has {n_bad} values that are NaN or infinite; its training "
            "diverged: save an earlier epoch"
        )
    return values


def _interpret(config, arrays, sizes):
    """
    Find out what a model computes, and name its arrays.

    Returns
    -------
    described : _Described
    weights : dict of (str, str) to array
        By part ("memory", "hidden" or "output") and name.
    """
    if config is None:
        parts = _sort_parts(arrays, None)
        described = _describe_shapes(parts, sizes)
    else:
        given = [name for name, value in sizes.items() if value is not None]
        if given:
            raise BuildError(f"it has a configuration of its own; leave out {given[0]}")
        with _told_as_configuration():
            described, hidden_name = _describe_config(config)
        parts = _sort_parts(arrays, hidden_name)
    weights = {
        (part, name): values
        for part, names in described.names.items()
        for name, values in _name_arrays(part, parts[part], names).items()
    }
    matrices = _take_matrices(weights, parts["delay"])
    described = _settle(described, weights)
    _check_shapes(described, weights)
    ours = lmu_matrices(described.order, described.theta_steps)
    for name, theirs in matrices.items():
        _check_matrix(name, theirs.T, ours["AB".index(name)])
    return described, weights


@contextlib.contextmanager
def _told_as_configuration():
    """Say of what is not where Keras puts it that the configuration is another's."""
    try:
        yield
    except HybridError:
        raise
    except (LookupError, TypeError, AttributeError) as error:
        raise DataError(
            "its configuration is not that of a KerasLMU model "
            f"({type(error).__name__}: {error}); save it again"
        ) from error


def _describe_config(config):
    """Return what a configuration says, and what it calls the hidden cell."""
    lmu, readout = _find_layers(config)
    cell = lmu["cell"]["config"] if "cell" in lmu else lmu
    kind = "None" if cell["hidden_cell"] is None else _class_name(cell["hidden_cell"])
    if kind not in HIDDEN_CELLS:
        raise BuildError(
            f"it needs a hidden cell of {' or '.join(HIDDEN_CELLS)}, got {kind}; train "
            "it with one of these"
        )
    hidden = cell["hidden_cell"]["config"]
    for options in (lmu, cell, hidden, readout):
        _check_options(options)
    for options, name in ((cell, "order"), (cell, "memory_d"), (hidden, "units")):
        check_at_least_one(name, options[name], whole=True)
    is_recurrent = kind == "SimpleRNNCell"
    memory = {
        "kernel": cell.get("kernel_initializer", "") is not None,
        "bias": cell.get("use_bias", False),
        "theta_inv": cell.get("trainable_theta", False),
        "recurrent_kernel": cell.get("memory_to_memory", False),
    }
    return _Described(
        order=cell["order"],
        theta_steps=cell["theta"],
        memory_d=cell["memory_d"],
        size_in=None,
        n_hidden=hidden["units"],
        input_to_hidden=cell.get("input_to_hidden", False),
        hidden_to_memory=cell.get("hidden_to_memory", False),
        activation=_activation(hidden["activation"], "hidden"),
        output_activation=_activation(readout["activation"], "output"),
        names={
            "memory": tuple(name for name, is_there in memory.items() if is_there),
            "hidden": _layer_names(hidden, is_recurrent),
            "output": _layer_names(readout, False),
        },
    ), hidden["name"]


def _find_layers(config):
    """Return the configurations of the LMU and of the Dense layer behind it."""
    layers = []
    for layer in config["config"]["layers"]:
        if len(layer.get("inbound_nodes", ())) > 1:
            raise BuildError(
                f"it needs layers that are used once, got {layer['config']['name']!r} "
                "used more often; save a model of one branch"
            )
        if _class_name(layer) != "InputLayer":
            layers.append((_class_name(layer), layer["config"]))
    kinds = [
        _class_name(options["cell"]) if kind == "RNN" else kind
        for kind, options in layers
    ]
    n_lmus = sum(kind in LMUS for kind in kinds)
    if n_lmus != 1:
        found = ", ".join(kinds) or "none"
        raise BuildError(
            f"it needs one LMU layer, got {n_lmus}; its layers are {found}"
        )
    if kinds[0] not in LMUS or kinds[1:] != ["Dense"]:
        raise BuildError(
            "it needs an LMU layer and one Dense layer behind it, got "
            f"{', '.join(kinds)}; take the others out, and save it again"
        )
    return [options for _, options in layers]


def _class_name(layer):
    """Return a layer's type, without the package that Keras registered it for."""
    return layer["class_name"].rsplit(">", 1)[-1]


def _check_options(options):
    for name, plain in PLAIN_OPTIONS.items():
        if options.get(name, plain) != plain:
            raise BuildError(
                f"layer {options['name']!r} needs {name}={plain!r}, got "
                f"{options[name]!r}, which the network would not have; set it, and "
                "save the model again"
            )


def _activation(name, part):
    name = name if isinstance(name, str) else _class_name(name)
    if name not in ACTIVATIONS:
        advice = "; leave it to the loss (from_logits=True)" * (name == "softmax")
        raise BuildError(
            f"its {PARTS[part]} needs an activation of {', '.join(ACTIVATIONS)}; got "
            f"{name!r}{advice}"
        )
    return name


def _layer_names(options, is_recurrent):
    """Name the arrays of a Dense layer or SimpleRNNCell, in the order of Keras."""
    names = ("kernel", *["recurrent_kernel"] * is_recurrent)
    return (*names, "bias") if options["use_bias"] else names


def _sort_parts(arrays, hidden_name):
    """
    Sort arrays by what they belong to.

    KerasLMU 0.3 has a second memory, "delay", from which it takes the impulse response
    of the first; it lies deeper in the file.

    Returns
    -------
    dict of str to (list of (str, array))
        For "memory", "hidden", "output" and "delay": names, or the numbers that Keras 3
        has in their place, and values.
    """
    hidden = [path for path in arrays if _is_hidden(path, hidden_name)]
    lmus = sorted({path[0] for path in hidden})
    others = sorted({path[0] for path in arrays} - set(lmus))
    for kind, found in (("LMU", lmus), ("Dense", others)):
        if len(found) != 1:
            raise BuildError(
                f"it needs weights of one {kind} layer, got {len(found)}; its layers "
                f"with weights are {', '.join(lmus + others)}"
            )
    rest = [path for path in arrays if path[0] == lmus[0] and path not in hidden]
    depth = min(map(len, rest), default=0)
    paths = {
        "memory": [path for path in rest if len(path) == depth],
        "hidden": hidden,
        "output": [path for path in arrays if path[0] == others[0]],
        "delay": [path for path in rest if len(path) > depth],
    }
    return {
        part: [
            (path[-1].split(":")[0], arrays[path]) for path in sorted(found, key=_key)
        ]
        for part, found in paths.items()
    }


def _key(path):
    """Sort paths that end in numbers by these: 10 comes behind 9."""
    return (*path[:-1], path[-1].rjust(9, "0"))


def _is_hidden(path, hidden_name):
    if "hidden_cell" in path:
        return True
    owner = path[-2] if len(path) > 2 else ""
    if hidden_name is not None:
        return owner == hidden_name
    return len(path) > 3 and owner.startswith(("simple_rnn_cell", "dense"))


def _describe_shapes(parts, sizes):
    """Describe a model without a configuration, by shapes and what the user says."""
    names = {part: _guess_names(parts[part]) for part in PARTS}
    kernel = _name_arrays("memory", parts["memory"], names["memory"]).get("kernel")
    hidden = _name_arrays("hidden", parts["hidden"], names["hidden"]).get("kernel")
    if kernel is None or hidden is None or kernel.ndim != 2 or hidden.ndim != 2:
        raise DataError(
            "it has no configuration, and no kernels of two dimensions; save the model "
            "with model.save('model.keras')"
        )
    for name in ("order", "theta_steps"):
        is_trained = name == "theta_steps" and "theta_inv" in names["memory"]
        if sizes[name] is None and not is_trained:
            raise BuildError(f"it has weights and no configuration; pass {name}")
    check_at_least_one("order", sizes["order"], whole=True)
    size_in = 1 if sizes["size_in"] is None else sizes["size_in"]
    check_at_least_one("size_in", size_in, whole=True)
    memory_d = kernel.shape[1]
    return _Described(
        order=sizes["order"],
        theta_steps=sizes["theta_steps"],
        memory_d=memory_d,
        size_in=size_in,
        n_hidden=hidden.shape[1],
        input_to_hidden=hidden.shape[0] > memory_d * sizes["order"],
        hidden_to_memory=kernel.shape[0] > size_in,
        activation=_activation(str(sizes["activation"] or "tanh"), "hidden"),
        output_activation="linear",
        names=names,
    )


def _guess_names(arrays):
    """Name numbered arrays by their dimensions; others have their names."""
    left = {0: ["theta_inv"], 1: ["bias"], 2: ["kernel", "recurrent_kernel"]}
    names = []
    for name, values in arrays:
        if name.isdigit() and not left.get(values.ndim):
            raise DataError(
                f"it has no configuration, and an array of shape {values.shape} that "
                "is not known; save the model with model.save('model.keras')"
            )
        names.append(left[values.ndim].pop(0) if name.isdigit() else name)
    return tuple(name for name in names if name not in "AB")


def _name_arrays(part, arrays, names):
    """Give arrays that are numbered their names; refuse one too many or too few."""
    found = [name for name, _ in arrays]
    if all(name.isdigit() for name in found):
        has_matrices = len(found) == len(names) + 2
        found = [*names, *"AB"] if has_matrices else list(names)
    expected = {*names, *(set("AB") if part == "memory" else ())}
    is_complete = len(found) == len(arrays) and set(names) <= set(found)
    if not is_complete or not set(found) <= expected:
        got = ", ".join(name for name, _ in arrays) or "none"
        raise DataError(
            f"its {PARTS[part]} needs the arrays {', '.join(names)}; got {got}; it was "
            "saved by another version of KerasLMU, or changed"
        )
    return dict(zip(found, (values for _, values in arrays), strict=True))


def _take_matrices(weights, delay):
    """Take A and B out of the weights, or from the second memory of KerasLMU 0.3."""
    matrices = {
        name: weights.pop(("memory", name))
        for name in "AB"
        if ("memory", name) in weights
    }
    if not delay:
        return matrices
    delay = _name_arrays("memory", delay, ("kernel",))
    if not np.all(delay.pop("kernel") == 1):
        raise BuildError(
            "it needs a kernel of 1 in the memory that its impulse response is from, "
            "got another; it was changed after KerasLMU made it"
        )
    return delay


def _settle(described, weights):
    """Fill in what follows from the weights: the input's size and a trained theta."""
    values = vars(described).copy()
    memory_size = described.memory_d * described.order
    if described.size_in is None:
        if described.input_to_hidden:
            size_in = weights["hidden", "kernel"].shape[0] - memory_size
        else:
            kernel = weights.get(("memory", "kernel"), np.eye(described.memory_d))
            size_in = kernel.shape[0] - _n_fed_back(described)
        # What is below 1 does not fit the shapes, which are checked next.
        values["size_in"] = max(size_in, 1)
    theta_inv = weights.pop(("memory", "theta_inv"), None)
    if theta_inv is not None:
        if theta_inv.shape != () or theta_inv <= 0:
            raise BuildError(f"it needs a theta_inv above 0, got {theta_inv}")
        values["theta_steps"] = float(1 / theta_inv)
    return _Described(**values)


def _n_fed_back(described):
    """Return how many hidden neurons enter the memory."""
    return described.n_hidden * described.hidden_to_memory


def _check_shapes(described, weights):
    size_in, n_hidden = described.size_in, described.n_hidden
    memory_d = described.memory_d
    n_hidden_in = memory_d * described.order + size_in * described.input_to_hidden
    n_entering = size_in + _n_fed_back(described)
    n_outputs = weights["output", "kernel"].shape[-1:]
    wanted = {
        ("memory", "kernel"): (n_entering, memory_d),
        ("memory", "bias"): (memory_d,),
        ("memory", "recurrent_kernel"): (memory_d * described.order, memory_d),
        ("hidden", "kernel"): (n_hidden_in, n_hidden),
        ("hidden", "recurrent_kernel"): (n_hidden, n_hidden),
        ("hidden", "bias"): (n_hidden,),
        ("output", "kernel"): (n_hidden, *n_outputs),
        ("output", "bias"): n_outputs,
    }
    for (part, name), values in weights.items():
        if values.shape != wanted[part, name]:
            raise ShapeError(
                f"the {name} of its {PARTS[part]} needs the shape "
                f"{wanted[part, name]}, got {values.shape}"
            )
    if ("memory", "kernel") not in weights and n_entering != memory_d:
        raise ShapeError(
            f"its memory has no kernel and needs memory_d={memory_d} dimensions to "
            f"enter it, got {n_entering}"
        )


def _check_matrix(name, theirs, ours):
    """Compare a stored A or B with ours, relative to our largest entry."""
    if theirs.shape != ours.shape:
        raise ShapeError(f"its {name} needs the shape {ours.shape}, got {theirs.shape}")
    error = np.abs(theirs - ours) / np.abs(ours).max()
    row, column = np.unravel_index(error.argmax(), error.shape)
    if error.max() > MATRIX_TOLERANCE:
        raise BuildError(
            f"its {name} needs to be that of lmu_matrices to {MATRIX_TOLERANCE:.0e} of "
            f"the largest entry, got {error.max():.2g} at row {row}, column {column}; "
            "the file's order or theta is not the one it was trained with"
        )


def _build_lmu(network, described, weights, omega):
    """Add the input and the LMU with the file's values."""
    base = ACTIVATIONS[described.activation]
    size_in, memory_size = described.size_in, described.memory_d * described.order
    network.input = nengo.Node(np.zeros(size_in), label="x")
    network.lmu = lmu = LMU(
        described.order,
        described.theta_steps,
        size_in=described.memory_d,
        n_hidden=described.n_hidden,
        hidden_type=base if omega is None else HybridSpiking(base, omega=omega),
        hidden_to_hidden=("hidden", "recurrent_kernel") in weights,
        hidden_to_memory=described.hidden_to_memory,
        memory_to_memory=("memory", "recurrent_kernel") in weights,
    )
    no_kernel = np.eye(described.memory_d)
    from_input, from_hidden = np.split(
        weights.get(("memory", "kernel"), no_kernel), [size_in]
    )
    from_memory, skip = np.split(weights["hidden", "kernel"], [memory_size])
    values = {
        "memory_to_hidden": from_memory,
        "hidden_to_hidden": weights.get(("hidden", "recurrent_kernel")),
        "hidden_to_memory": from_hidden,
        "memory_to_memory": weights.get(("memory", "recurrent_kernel")),
    }
    for connection in lmu.connections:
        if connection.label in values:
            connection.transform = values[connection.label].T
    if ("hidden", "bias") in weights:
        lmu.hidden.ensemble.bias = weights["hidden", "bias"]
    _connect_input(network, from_input, weights.get(("memory", "bias")))
    if described.input_to_hidden:
        # From the input as it comes; the LMU's own would be what enters the memory.
        _connect(network.input, lmu.hidden, skip, "input_to_hidden")


def _connect_input(network, kernel, bias):
    """Connect the input to the memory, through linear neurons if there is a bias."""
    post = network.lmu.input
    if bias is not None:
        post = _neurons(Identity(), bias, "memory_bias")
        nengo.Connection(post, network.lmu.input, synapse=None, label="bias_to_lmu")
    _connect(network.input, post, kernel, "x_to_lmu")


def _build_output(network, described, weights):
    """Add the Dense layer and a probe on it."""
    kernel = weights["output", "kernel"]
    bias = weights.get(("output", "bias"), np.zeros(kernel.shape[1]))
    neurons = _neurons(ACTIVATIONS[described.output_activation], bias, "output")
    network.output = neurons.ensemble
    _connect(network.lmu.hidden, neurons, kernel, "hidden_to_output")
    network.probe = nengo.Probe(neurons, label="answer")


def _neurons(neuron_type, bias, label):
    """Return the neurons of a new ensemble with one current each, plus a bias."""
    ensemble = nengo.Ensemble(
        len(bias),
        1,
        neuron_type=neuron_type,
        gain=np.ones(len(bias)),
        bias=bias,
        label=label,
    )
    return ensemble.neurons


def _connect(pre, post, kernel, label):
    """Connect with a kernel of Keras, (n_pre, n_post)."""
    nengo.Connection(pre, post, transform=kernel.T, synapse=None, label=label)
