"""KerasLMU's files: what is read from them, what it computes, what is refused."""

import io
import json
import subprocess
import sys
import zipfile

import nengo
import numpy as np
import pytest

from nengo_hybrid.exceptions import BuildError, CompatError, DataError, ShapeError
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU
from nengo_hybrid.networks.keras_lmu import load_keras_lmu
from nengo_hybrid.neurons import HybridSpiking

h5py = pytest.importorskip("h5py")

ORDER, THETA, N_HIDDEN, N_OUT = 4, 6, 3, 2
# Like Keras: the order in which it numbers what KerasLMU names.
MEMORY = ("kernel", "bias", "theta_inv", "recurrent_kernel", "A", "B")
HIDDEN = ("kernel", "recurrent_kernel", "bias")
VARIANTS = {
    "feedforward": {},
    "recurrent": {"size_in": 2, "memory_d": 3, "feedback": True, "bias": True},
    "dense": {"cell": "Dense", "activation": "relu", "theta_inv": 1 / 5},
}


def make_model(
    *,
    size_in=1,
    memory_d=1,
    feedback=False,
    bias=False,
    cell="SimpleRNNCell",
    activation="tanh",
    theta_inv=None,
):
    """Return arrays by (part, name), and the LMU's and the hidden cell's options."""
    rng = np.random.RandomState(0)
    shapes = {
        ("memory", "kernel"): (size_in + N_HIDDEN * feedback, memory_d),
        ("hidden", "kernel"): (memory_d * ORDER + size_in, N_HIDDEN),
        ("hidden", "bias"): (N_HIDDEN,),
        ("output", "kernel"): (N_HIDDEN, N_OUT),
        ("output", "bias"): (N_OUT,),
    }
    if feedback:
        shapes["memory", "recurrent_kernel"] = (memory_d * ORDER, memory_d)
    if bias:
        shapes["memory", "bias"] = (memory_d,)
    if cell == "SimpleRNNCell":
        shapes["hidden", "recurrent_kernel"] = (N_HIDDEN, N_HIDDEN)
    arrays = {
        key: rng.normal(scale=0.5, size=shape).astype(np.float32)
        for key, shape in shapes.items()
    }
    if theta_inv is not None:
        arrays["memory", "theta_inv"] = np.float32(theta_inv)
    hidden = {"name": "cell", "units": N_HIDDEN, "activation": activation}
    hidden |= {"use_bias": True, "dropout": 0.0}
    lmu = {"name": "lmu", "memory_d": memory_d, "order": ORDER, "theta": THETA}
    lmu |= {"hidden_cell": {"class_name": cell, "config": hidden}, "use_bias": bias}
    lmu |= {"hidden_to_memory": feedback, "memory_to_memory": feedback}
    lmu |= {"input_to_hidden": True, "trainable_theta": theta_inv is not None}
    lmu |= {"kernel_initializer": "ones", "discretizer": "zoh", "dropout": 0}
    return arrays, lmu, hidden


def make_config(lmu, *more, kind="keras-lmu>LMU"):
    """Return the configuration of a model: an input, the LMU, then ``more`` layers."""
    dense = {"name": "dense", "units": N_OUT, "activation": "linear", "use_bias": True}
    layers = [("InputLayer", {"name": "input"}), (kind, lmu)]
    layers += list(more or [("Dense", dense)])
    layers = [{"class_name": kind, "config": options} for kind, options in layers]
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers}}


def write_numbered(file, arrays, root="layers", inside="layer"):
    """Write arrays as Keras 3 does (and 2.13, with another root): by numbers."""
    places = {
        "memory": (f"{root}/lmu/{inside}/vars", MEMORY),
        "hidden": (f"{root}/lmu/hidden_cell/vars", HIDDEN),
        "output": (f"{root}/dense/vars", ("kernel", "bias")),
    }
    for part, (place, names) in places.items():
        there = [name for name in names if (part, name) in arrays]
        for number, name in enumerate(there):
            file[f"{place}/{number}"] = arrays[part, name]
    file["optimizer/vars/0"] = np.int64(7)


def write_named(file, arrays, root="model_weights/", end=":0"):
    """Write arrays as Keras 2 does (and .h5 of Keras 3, without an end): by names."""
    places = {
        "memory": "lmu/lmu/lmu_cell",
        "hidden": "lmu/lmu/lmu_cell/cell",
        "output": "dense/dense",
    }
    for (part, name), values in arrays.items():
        file[f"{root}{places[part]}/{name}{end}"] = values


def write_keras(path, arrays, config, **places):
    """Write a .keras archive."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        write_numbered(file, arrays, **places)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", content.getvalue())


def write_h5(path, arrays, config, **places):
    """Write the .h5 file of a whole model."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        write_named(file, arrays, **places)


def with_matrices(arrays):
    """Add A and B in float32, transposed, as KerasLMU 0.3 stored them."""
    memory = LMU(ORDER, THETA)
    stored = {"A": memory.A.T, "B": memory.B.T}
    return arrays | {("memory", n): m.astype(np.float32) for n, m in stored.items()}


WRITERS = {
    "keras3.keras": write_keras,
    "cell.keras": lambda *a: write_keras(*a, inside="layer/cell"),
    "keras2.keras": lambda *a: write_keras(*a, root="_layer_checkpoint_dependencies"),
    "keras3.h5": lambda *a: write_h5(*a, end=""),
    "keras2.h5": write_h5,
}


def run(network, x):
    """Return the output of the last step, (n_out,), for an input of (n_steps, size)."""
    network.input.output = lambda t: x[round(t) - 1]
    with nengo.Simulator(network, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(len(x))
    return sim.data[network.probe][-1]


def forward(arrays, lmu, x):
    """Compute what KerasLMU does, a row at a time, from its own source."""
    memory = LMU(ORDER, 1 / arrays.get(("memory", "theta_inv"), 1 / THETA))
    get = {key: np.asarray(values, dtype=float) for key, values in arrays.items()}.get
    activation = lmu["hidden_cell"]["config"]["activation"]
    f = {"tanh": np.tanh, "relu": lambda current: np.maximum(current, 0)}[activation]
    m, h = np.zeros((lmu["memory_d"], ORDER)), np.zeros(N_HIDDEN)
    for row in x:
        source = np.concatenate([row, h]) if lmu["hidden_to_memory"] else row
        u = source @ get(("memory", "kernel")) + get(("memory", "bias"), 0.0)
        if lmu["memory_to_memory"]:
            u = u + m.ravel() @ get(("memory", "recurrent_kernel"))
        m = m @ memory.A.T + u[:, None] @ memory.B.T
        current = np.concatenate([m.ravel(), row]) @ get(("hidden", "kernel"))
        current = current + get(("hidden", "bias"))
        if ("hidden", "recurrent_kernel") in arrays:
            current = current + h @ get(("hidden", "recurrent_kernel"))
        h = f(current)
    return h @ get(("output", "kernel")) + get(("output", "bias"))


def sequence(size_in, n_steps=9):
    return np.random.RandomState(1).uniform(-1, 1, (n_steps, size_in))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("layout", WRITERS)
def test_output_equals_the_forward_pass_by_hand(tmp_path, layout, variant):
    arrays, lmu, _ = make_model(**VARIANTS[variant])
    path = tmp_path / layout
    WRITERS[layout](path, arrays, make_config(lmu))
    x = sequence(VARIANTS[variant].get("size_in", 1))
    expected = forward(arrays, lmu, x)
    np.testing.assert_allclose(run(load_keras_lmu(path), x), expected, atol=1e-12)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("write", [write_numbered, write_named])
def test_weights_alone_need_what_is_not_in_them(tmp_path, write, variant):
    arrays, lmu, hidden = make_model(**VARIANTS[variant])
    hidden["name"] = "simple_rnn_cell"
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        if write is write_named:
            file.attrs["layer_names"] = ["lmu", "dense"]
            write_named(file, arrays, root="")
            file.move("lmu/lmu/lmu_cell/cell", "lmu/lmu/lmu_cell/simple_rnn_cell")
        else:
            write_numbered(file, arrays)
    x = sequence(VARIANTS[variant].get("size_in", 1))
    network = load_keras_lmu(
        path,
        order=ORDER,
        theta_steps=THETA if variant != "dense" else None,
        size_in=x.shape[1],
        activation=hidden["activation"],
    )
    np.testing.assert_allclose(run(network, x), forward(arrays, lmu, x), atol=1e-12)


def test_a_cell_in_a_layer_of_keras_is_an_lmu(tmp_path):
    arrays, lmu, _ = make_model()
    cell = {"class_name": "LMUCell", "config": lmu}
    options = {"name": "rnn", "cell": cell, "go_backwards": False}
    path = tmp_path / "model.h5"
    write_h5(path, arrays, make_config(options, kind="RNN"))
    x = sequence(1)
    np.testing.assert_allclose(
        run(load_keras_lmu(path), x), forward(arrays, lmu, x), atol=1e-12
    )


@pytest.mark.parametrize("feedback, memory_d", [(False, 2), (True, 2 + N_HIDDEN)])
def test_without_a_kernel_the_input_is_the_memorys(tmp_path, feedback, memory_d):
    arrays, lmu, _ = make_model(size_in=2, memory_d=memory_d, feedback=feedback)
    del arrays["memory", "kernel"]
    lmu["kernel_initializer"] = None
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    x = sequence(2)
    arrays["memory", "kernel"] = np.eye(memory_d)
    np.testing.assert_allclose(
        run(load_keras_lmu(path), x), forward(arrays, lmu, x), atol=1e-12
    )


def test_hidden_layer_is_hybrid_spiking_on_demand(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    x = sequence(1)
    network = load_keras_lmu(path, omega=1e7, seed=0)
    assert network.lmu.hidden.ensemble.neuron_type == HybridSpiking(
        nengo.Tanh(tau_ref=1.0), omega=1e7
    )
    # A count more or less is 1e-7, and A and the hidden layer hold on to it.
    np.testing.assert_allclose(run(network, x), forward(arrays, lmu, x), atol=1e-5)
    coarse = run(load_keras_lmu(path, omega=1, seed=0), x)
    assert np.abs(coarse - forward(arrays, lmu, x)).max() > 1e-2


def test_lowered_neurons_have_the_bare_activation_function(tmp_path):
    # Nengo's Tanh multiplies by 1 / tau_ref, 400 by default.
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    for omega in (None, 4.0):
        graph = to_graph(load_keras_lmu(path, omega=omega))
        (hidden,) = [p for p in graph.populations if p.activation == "Tanh"]
        assert (hidden.amplitude, hidden.omega) == (1.0, omega)


def test_stored_matrices_are_compared_with_ours(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.h5"
    write_h5(path, with_matrices(arrays), make_config(lmu))
    x = sequence(1)
    np.testing.assert_allclose(
        run(load_keras_lmu(path), x), forward(arrays, lmu, x), atol=1e-12
    )


def test_matrices_of_a_second_memory_are_compared_with_ours(tmp_path):
    # KerasLMU 0.3 has the impulse response from a memory of its own.
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.h5"
    stored = with_matrices(arrays)
    delay = "model_weights/lmu/lmu/lmu_cell/rnn/lmu_cell/"

    def write(kernel):
        write_h5(path, arrays, make_config(lmu))
        with h5py.File(path, "a") as file:
            file[f"{delay}kernel:0"] = np.full((1, 1), kernel, dtype=np.float32)
            for name in "AB":
                file[f"{delay}{name}:0"] = stored["memory", name]

    write(kernel=1)
    x = sequence(1)
    np.testing.assert_allclose(
        run(load_keras_lmu(path), x), forward(arrays, lmu, x), atol=1e-12
    )
    write(kernel=2)
    refuses(
        path,
        BuildError,
        "it needs a kernel of 1 in the memory that its impulse response is from, got "
        "another; it was changed after KerasLMU made it",
    )


def test_neither_keras_nor_tensorflow_is_imported(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    program = (
        "import sys; from nengo_hybrid.networks.keras_lmu import load_keras_lmu; "
        f"load_keras_lmu({str(path)!r}); "
        "assert not {'tensorflow', 'keras', 'tf_keras', 'keras_lmu'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def refuses(path, error_type, message, **settings):
    """Check the exact words in which a file is refused."""
    with pytest.raises(error_type) as found:
        load_keras_lmu(path, **settings)
    assert type(found.value) is error_type
    start = f"cannot load a KerasLMU model from {str(path)!r}: "
    assert str(found.value) == start + message


def test_a_file_that_is_not_there_is_refused(tmp_path):
    refuses(
        tmp_path / "none.keras",
        DataError,
        "No such file or directory; name a file that Keras saved (.keras, .h5 or "
        ".weights.h5)",
    )


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"import os")
    refuses(
        path,
        DataError,
        "it is neither HDF5 nor an archive of Keras; save the model with "
        "model.save('model.keras')",
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    refuses(
        path, DataError, "the archive has no model.weights.h5; Keras puts one there"
    )
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    refuses(
        path,
        DataError,
        "it has no layers with weights; name a file that Keras saved",
    )


@pytest.mark.parametrize(
    "layout, reason", [("keras2.h5", "OSError"), ("keras3.keras", "BadZipFile")]
)
def test_a_file_that_is_cut_off_is_refused(tmp_path, layout, reason):
    arrays, lmu, _ = make_model()
    path = tmp_path / layout
    WRITERS[layout](path, arrays, make_config(lmu))
    path.write_bytes(path.read_bytes()[:-500])
    refuses(path, DataError, f"it is cut off or damaged ({reason}); save it again")


def test_h5py_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.h5"
    write_h5(path, arrays, make_config(lmu))
    monkeypatch.setitem(sys.modules, "h5py", None)
    refuses(
        path,
        CompatError,
        "h5py is needed to read it and not installed; run pip install h5py",
    )


ODD_ARRAYS = [
    (
        ("hidden", "kernel"),
        np.full((5, 3), np.nan, dtype=np.float32),
        DataError,
        "array 'model_weights/lmu/lmu/lmu_cell/cell/kernel:0' has 15 values that are "
        "NaN or infinite; its training diverged: save an earlier epoch",
    ),
    (
        ("output", "kernel"),
        np.zeros((3, 2), dtype=np.int8),
        DataError,
        "array 'model_weights/dense/dense/kernel:0' needs floating-point numbers, got "
        "int8; save the model before it is quantized",
    ),
    (
        ("hidden", "recurrent_kernel"),
        np.zeros((3, 4)),
        ShapeError,
        "the recurrent_kernel of its hidden cell needs the shape (3, 3), got (3, 4)",
    ),
    (
        ("output", "kernel"),
        np.zeros((4, 2)),
        ShapeError,
        "the kernel of its Dense layer needs the shape (3, 2), got (4, 2)",
    ),
    (
        ("output", "gamma"),
        np.zeros(2),
        DataError,
        "its Dense layer needs the arrays kernel, bias; got bias, gamma, kernel; it "
        "was saved by another version of KerasLMU, or changed",
    ),
    (
        ("memory", "A"),
        np.zeros((5, 5)),
        ShapeError,
        "its A needs the shape (4, 4), got (5, 5)",
    ),
]


@pytest.mark.parametrize("key, values, error_type, message", ODD_ARRAYS)
def test_odd_arrays_are_refused(tmp_path, key, values, error_type, message):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.h5"
    write_h5(path, arrays | {key: values}, make_config(lmu))
    refuses(path, error_type, message)


def test_an_array_that_is_not_all_there_is_refused(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.h5"
    write_h5(path, arrays, make_config(lmu))
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense/dense"]
        del group["bias:0"]
        group.create_dataset("bias:0", shape=(2,), dtype="f4")
    refuses(
        path,
        DataError,
        "array 'model_weights/dense/dense/bias:0' needs 8 bytes, got 0; save the model "
        "without compression",
    )


def test_links_to_other_files_are_not_followed(tmp_path):
    arrays, lmu, _ = make_model()
    path, other = tmp_path / "model.h5", tmp_path / "other.h5"
    write_h5(other, arrays, make_config(lmu))
    del arrays["output", "bias"]
    write_h5(path, arrays, make_config(lmu))
    place = "model_weights/dense/dense/bias:0"
    with h5py.File(path, "a") as file:
        file[place] = h5py.ExternalLink(other, place)
    refuses(
        path,
        DataError,
        "its Dense layer needs the arrays kernel, bias; got kernel; it was saved by "
        "another version of KerasLMU, or changed",
    )


def test_a_matrix_that_is_not_ours_is_refused(tmp_path):
    arrays, lmu, _ = make_model()
    arrays = with_matrices(arrays)
    largest = np.abs(LMU(ORDER, THETA).A).max()
    arrays["memory", "A"] = arrays["memory", "A"].astype(float)
    arrays["memory", "A"][3, 1] += 0.25 * largest  # theirs is transposed
    path = tmp_path / "model.h5"
    write_h5(path, arrays, make_config(lmu))
    refuses(
        path,
        BuildError,
        "its A needs to be that of lmu_matrices to 1e-04 of the largest entry, got "
        "0.25 at row 1, column 3; the file's order or theta is not the one it was "
        "trained with",
    )


ODD_OPTIONS = [
    ("lmu", "discretizer", "euler", "layer 'lmu' needs discretizer='zoh', got 'euler'"),
    ("lmu", "dropout", 0.1, "layer 'lmu' needs dropout=0, got 0.1"),
    ("hidden", "dropout", 0.5, "layer 'cell' needs dropout=0, got 0.5"),
    ("lmu", "stateful", True, "layer 'lmu' needs stateful=False, got True"),
]


@pytest.mark.parametrize("owner, name, value, message", ODD_OPTIONS)
def test_options_that_the_network_has_not_are_refused(
    tmp_path, owner, name, value, message
):
    arrays, lmu, hidden = make_model()
    {"lmu": lmu, "hidden": hidden}[owner][name] = value
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        BuildError,
        f"{message}, which the network would not have; set it, and save the model "
        "again",
    )


@pytest.mark.parametrize("kind", ["LSTMCell", "None"])
def test_other_hidden_cells_are_refused(tmp_path, kind):
    arrays, lmu, hidden = make_model()
    cell = {"class_name": kind, "config": hidden}
    lmu["hidden_cell"] = None if kind == "None" else cell
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        BuildError,
        f"it needs a hidden cell of SimpleRNNCell or Dense, got {kind}; train it with "
        "one of these",
    )


def test_other_activations_are_refused(tmp_path):
    arrays, lmu, hidden = make_model()
    path = tmp_path / "model.keras"
    dense = {"name": "dense", "units": N_OUT, "activation": "softmax", "use_bias": True}
    write_keras(path, arrays, make_config(lmu, ("Dense", dense)))
    refuses(
        path,
        BuildError,
        "its Dense layer needs an activation of linear, relu, sigmoid, tanh; got "
        "'softmax'; leave it to the loss (from_logits=True)",
    )
    hidden["activation"] = {"class_name": "function", "config": "mine"}
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        BuildError,
        "its hidden cell needs an activation of linear, relu, sigmoid, tanh; got "
        "'function'",
    )


def test_other_layers_are_refused(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.keras"
    dense = ("Dense", {"name": "dense"})
    norm = ("LayerNormalization", {"name": "norm"})
    write_keras(path, arrays, make_config(lmu, norm, dense))
    refuses(
        path,
        BuildError,
        "it needs an LMU layer and one Dense layer behind it, got LMU, "
        "LayerNormalization, Dense; take the others out, and save it again",
    )
    write_keras(path, arrays, make_config(lmu, ("keras-lmu>LMU", lmu), dense))
    refuses(
        path,
        BuildError,
        "it needs one LMU layer, got 2; its layers are LMU, LMU, Dense",
    )
    write_keras(path, arrays, make_config({"name": "gru"}, kind="GRU"))
    refuses(
        path, BuildError, "it needs one LMU layer, got 0; its layers are GRU, Dense"
    )


def test_a_layer_that_is_used_twice_is_refused(tmp_path):
    arrays, lmu, _ = make_model()
    config = make_config(lmu)
    config["config"]["layers"][1]["inbound_nodes"] = [[["a", 0, 0]], [["b", 0, 0]]]
    path = tmp_path / "model.keras"
    write_keras(path, arrays, config)
    refuses(
        path,
        BuildError,
        "it needs layers that are used once, got 'lmu' used more often; save a model "
        "of one branch",
    )


def test_a_configuration_of_something_else_is_refused(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.keras"
    del lmu["order"]
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        DataError,
        "its configuration is not that of a KerasLMU model (KeyError: 'order'); save "
        "it again",
    )
    write_keras(path, arrays, make_config(lmu | {"order": "many"}))
    refuses(
        path,
        BuildError,
        "LMU needs order to be a whole number of at least 1, got 'many'",
    )


def test_weights_without_an_lmu_are_refused(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 2))
    refuses(
        path,
        BuildError,
        "it needs weights of one LMU layer, got 0; its layers with weights are dense",
        order=ORDER,
        theta_steps=THETA,
    )


def test_sizes_are_asked_for_where_they_are_not_in_the_file_alone(tmp_path):
    arrays, lmu, _ = make_model()
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        write_numbered(file, arrays)
    refuses(path, BuildError, "it has weights and no configuration; pass order")
    refuses(
        path,
        BuildError,
        "it has weights and no configuration; pass theta_steps",
        order=ORDER,
    )
    refuses(
        path,
        ShapeError,
        "the kernel of its hidden cell needs the shape (4, 3), got (5, 3)",
        order=3,
        theta_steps=THETA,
    )
    with h5py.File(path, "a") as file:
        file["layers/lmu/layer/vars/1"] = np.zeros((2, 2, 2))
    refuses(
        path,
        DataError,
        "it has no configuration, and an array of shape (2, 2, 2) that is not known; "
        "save the model with model.save('model.keras')",
        order=ORDER,
        theta_steps=THETA,
    )
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        BuildError,
        "it has a configuration of its own; leave out order",
        order=ORDER,
    )


def test_a_memory_without_a_kernel_needs_inputs_of_its_size(tmp_path):
    arrays, lmu, _ = make_model(size_in=2, memory_d=3)
    del arrays["memory", "kernel"]
    lmu["kernel_initializer"] = None
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    refuses(
        path,
        ShapeError,
        "its memory has no kernel and needs memory_d=3 dimensions to enter it, got 2",
    )


def test_a_theta_trained_to_nothing_is_refused(tmp_path):
    arrays, lmu, _ = make_model(theta_inv=0.0)
    path = tmp_path / "model.keras"
    write_keras(path, arrays, make_config(lmu))
    refuses(path, BuildError, "it needs a theta_inv above 0, got 0.0")
