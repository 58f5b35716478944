"""Our files of NIR in nir's own hands, and nir's in ours, where nir is installed."""

import numpy as np
import pytest

from nengo_hybrid import load_nir, save_nir
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.graphs import Dynamics, Population, Projection, SpikingGraph, digest

nir = pytest.importorskip("nir")

DT = 1e-3


def test_nir_reads_what_we_write(tmp_path):
    rng = np.random.default_rng(0)
    ones = np.ones(3)
    cuba = Dynamics(
        threshold=ones,
        resistance=2 * ones,
        reset=0.5 * ones,
        tau_mem=4e-3 * ones,
        leak=0.1 * ones,
        tau_syn=2e-3 * ones,
        w_in=3 * ones,
    )
    graph = SpikingGraph(
        DT,
        (
            Population("x", 2, "input"),
            Population("a", 3, "CubaLIF", bias=rng.normal(size=3), dynamics=cuba),
            Population("sum", 3, "linear"),
            Population("b", 3, "IF", dynamics=Dynamics(ones / 999, ones, 0 * ones)),
        ),
        (
            Projection("w", "x", "a", rng.normal(size=(3, 2))),
            Projection("own", "a", "a", rng.normal(size=(3, 3)), delay=1),
            Projection("a to sum", "a", "sum", np.eye(3)),
            Projection("late", "sum", "b", rng.normal(size=(3, 3)), delay=2),
        ),
        "b",
    )
    found = nir.read(save_nir(graph, tmp_path / "ours.nir"))
    kinds = {name: type(node).__name__ for name, node in found.nodes.items()}
    assert kinds == {
        "x": "Input",
        "a": "CubaLIF",
        "sum": "Scale",
        "b": "IF",
        "w": "Affine",
        "own": "Linear",
        "late": "Linear",
        "late delay": "Delay",
        "output": "Output",
    }
    assert found.nodes["w"].bias.tolist() == graph.population("a").bias.tolist()
    assert found.nodes["late delay"].delay.tolist() == [2e-3] * 3
    for name, ours in (("tau_syn", "tau_syn"), ("v_reset", "reset"), ("w_in", "w_in")):
        theirs = getattr(found.nodes["a"], name)
        assert theirs.tolist() == getattr(cuba, ours).tolist()
    # And what it writes of that is the same to us, but for the note of the step.
    found.metadata.clear()
    nir.write(tmp_path / "theirs.nir", found)
    again = load_nir(tmp_path / "theirs.nir", dt=DT)
    x = (rng.random((2, 50, 2)) < 0.5).astype(float)
    ours, theirs = run_neurons(graph, x), run_neurons(again, x)
    assert ours["b"].any()
    for name in ("a", "sum", "b"):
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_we_read_what_nir_writes(tmp_path):
    rng = np.random.default_rng(0)
    shape, n = (3, 4, 5), 60
    net = nir.NIRGraph.from_list(
        nir.Input({"input": np.array([2, 8, 5])}),
        nir.Conv2d(
            input_shape=(8, 5),
            weight=rng.normal(size=(3, 2, 3, 3)),
            stride=(2, 1),
            padding=(1, 1),
            dilation=1,
            groups=1,
            bias=rng.normal(size=3),
        ),
        nir.IF(r=np.ones(shape), v_threshold=np.full(shape, 0.003)),
        nir.Flatten({"input": np.array(shape)}, start_dim=0),
        nir.Linear(rng.normal(size=(4, n))),
        nir.LIF(
            tau=np.full(4, 5e-3),
            r=np.ones(4),
            v_leak=np.zeros(4),
            v_threshold=np.full(4, 0.2),
        ),
        nir.Output({"output": np.array([4])}),
    )
    nir.write(tmp_path / "theirs.nir", net)
    graph = load_nir(tmp_path / "theirs.nir", dt=DT)
    assert {p.name: (p.n_neurons, p.activation) for p in graph.populations} == {
        "input": (80, "input"),
        "if": (60, "IF"),
        "lif": (4, "LIF"),
    }
    found = run_neurons(graph, rng.random((1, 20, 80)))
    assert found["if"].any() and found["lif"].any()
    # Written by us it is the same to nir, shapes and all, and to us again.
    again = nir.read(save_nir(graph, tmp_path / "ours.nir"))
    kinds = {name: type(node).__name__ for name, node in again.nodes.items()}
    assert kinds == {
        "input": "Input",
        "conv2d": "Conv2d",
        "if": "IF",
        "linear flat": "Flatten",
        "linear": "Linear",
        "lif": "LIF",
        "output": "Output",
    }
    theirs, ours = net.nodes["conv2d"], again.nodes["conv2d"]
    for name in ("weight", "bias", "stride", "padding", "input_shape"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))
    assert digest(load_nir(tmp_path / "ours.nir")) == digest(graph)
    nir.write(tmp_path / "again.nir", again)
    assert digest(load_nir(tmp_path / "again.nir")) == digest(graph)


@pytest.mark.parametrize(
    "kernel, channels, groups, is_read",
    [((3, 3), 2, 1, True), ((3, 2), 2, 1, False), ((3, 3), 2, 2, False)],
)
def test_nir_takes_kernels_for_square_and_groups_for_one(
    tmp_path, kernel, channels, groups, is_read
):
    # nir 1.0.8 takes the first size of a kernel for all, and leaves groups out.
    shape = (2, 8 - kernel[0] + 1, 5 - kernel[1] + 1)
    weight = np.ones((2, channels // groups, *kernel))
    conv = {"stride": 1, "padding": 0, "dilation": 1, "bias": np.zeros(2)}
    nodes = {
        "x": nir.Input({"input": np.array([channels, 8, 5])}),
        "conv": nir.Conv2d((8, 5), weight, groups=groups, **conv),
        "if": nir.IF(r=np.ones(shape), v_threshold=np.ones(shape)),
        "y": nir.Output({"output": np.array(shape)}),
    }
    edges = list(zip(nodes, [*nodes][1:], strict=False))
    net = nir.NIRGraph(nodes, edges, type_check=False)
    nir.write(tmp_path / "theirs.nir", net)
    path = save_nir(load_nir(tmp_path / "theirs.nir", dt=DT), tmp_path / "ours.nir")
    for file in (path, tmp_path / "theirs.nir"):
        if is_read:
            nir.read(file)
        else:
            with pytest.raises(ValueError, match="type mismatch"):
                nir.read(file)
    found = nir.read(path, type_check=False).nodes["conv"]
    assert found.groups == groups and np.array_equal(found.weight, weight)
