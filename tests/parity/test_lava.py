"""
Lava's networks on our emulator against lava-nc's fixed-point models, and lava-dl's.

Lava was archived, and runs on Python 3.10 alone. The tests use the environment that
``NENGO_HYBRID_LAVA`` names, or ``.venv-lava`` beside the package (``make parity`` makes
it where there is a python3.10), and run `lava_peer.py` there.
"""

import json
import os
import pathlib
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from nengo_hybrid.emulate import Emulator, GradedRun, run_graded
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graphs import (
    PROGRAMS,
    GradedGraph,
    GradedPopulation,
    GradedProjection,
    Probe,
    Widths,
)
from nengo_hybrid.interchange import (
    integrate_and_fire,
    load_lava,
    load_lava_graded,
)
from nengo_hybrid.targets import load_target

h5py = pytest.importorskip("h5py")

HERE = pathlib.Path(__file__).parent
FOLDER = pathlib.Path(
    os.environ.get("NENGO_HYBRID_LAVA", HERE.parents[1] / ".venv-lava")
)
PYTHON = FOLDER / "bin" / "python"
DATA = pathlib.Path(os.environ.get("NENGO_HYBRID_DATA", "."))
MNIST = DATA.parent / "reference" / "data" / "lavadl_mnist.net"
SITE = FOLDER / "lib" / "python3.10" / "site-packages"
PILOTNET = SITE / "tests" / "lava" / "lib" / "dl" / "netx" / "gts" / "pilotnet_lif"
N_NETWORKS, N_STEPS = 50, 60
NEEDED = {"networks": "lava.magma", "file": "lava.lib.dl.netx"}


def has(module):
    """Tell whether the environment has a module."""
    if not PYTHON.exists():
        return False
    question = f"import importlib.util as u; assert u.find_spec({module!r})"
    run = [str(PYTHON), "-c", question]
    return subprocess.run(run, capture_output=True, check=False).returncode == 0


def run_peer(mode, *arguments):
    """Run the program in Lava's environment, or skip the test."""
    if not has(NEEDED[mode]):
        pytest.skip(
            f"{FOLDER} has no {NEEDED[mode]}; make it with python3.10 -m venv, and see "
            "tests/parity/requirements-lava.txt for what to install there"
        )
    run = subprocess.run(
        [str(PYTHON), str(HERE / "lava_peer.py"), mode, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def random_network(seed):
    """
    Draw one to three layers, each recurrent or not.

    Returns
    -------
    list of dict
        As lava-dl's files name what a layer has.
    """
    rng = np.random.default_rng(seed)
    layers, n_pre = [], int(rng.integers(1, 20))
    for _ in range(rng.integers(1, 4)):
        n = int(rng.integers(1, 20))
        low, high = [(-256, 254), (0, 254), (-254, 0)][rng.integers(3)]
        # One in four at its largest, to come near to where registers end.
        size = rng.choice([0.1, 0.3, 1.0], p=[0.5, 0.25, 0.25])
        layer = {
            "weight": draw_weights(rng, (n, n_pre), low * size, high * size),
            "bias": rng.integers(-40, 60, n),
            # From a current of one step to one that never ends; 4096 is all of it.
            "iDecay": int(rng.choice([1, 2, 410, 4095, 4096, rng.integers(1, 4096)])),
            "vDecay": int(rng.choice([0, 1, 128, 4096, rng.integers(4096)])),
            "vThMant": int(rng.choice([0, 1, 64, rng.integers(1, 2000)])),
        }
        if rng.random() < 0.5:
            # Below what makes a current that never ends leave its register.
            layer["weight_rec"] = draw_weights(rng, (n, n), -60, 40)
        layers.append(layer)
        n_pre = n
    return layers


def draw_weights(rng, shape, low, high):
    """Draw even weights, as lava-dl exports them."""
    return 2 * rng.integers(int(low) // 2, int(high) // 2 + 1, shape)


def write_net(path, layers):
    """Write layers as lava-dl exports them."""
    with h5py.File(path, "w") as file:
        for i, layer in enumerate(layers):
            group = file.create_group(f"layer/{i}")
            kind = "dense_rec" if "weight_rec" in layer else "dense"
            group.create_dataset("type", (1,), "S10", [kind.encode()])
            group["shape"] = np.array([len(layer["weight"])])
            for name in ("weight", "weight_rec", "bias"):
                if name in layer:
                    group[name] = layer[name].astype(np.float32)
            group["neuron/type"] = "CUBA"
            group["neuron/refDelay"] = 1
            for name in ("iDecay", "vDecay", "vThMant"):
                group[f"neuron/{name}"] = layer[name]


def described(layers):
    """Say what the peer is to build: iDecay includes the chip's own 1."""
    return {
        "n_steps": N_STEPS,
        "layers": [
            {
                "n": len(layer["weight"]),
                "du": layer["iDecay"] - 1,
                "dv": layer["vDecay"],
                "vth": layer["vThMant"],
                "exp": 0,
                "from": ["input" if i == 0 else i - 1] + [i] * ("weight_rec" in layer),
            }
            for i, layer in enumerate(layers)
        ],
    }


def peer_arrays(name, layers, spikes):
    """Return the arrays of one network, as the peer reads them."""
    arrays = {f"{name}/input": spikes.T.astype(float)}
    for i, layer in enumerate(layers):
        arrays[f"{name}/{i}/bias"] = layer["bias"]
        pre = "input" if i == 0 else i - 1
        arrays[f"{name}/{i}/from {pre}"] = layer["weight"]
        if "weight_rec" in layer:
            arrays[f"{name}/{i}/from {i}"] = layer["weight_rec"]
    return arrays


def run_ours(path, spikes, target="loihi1"):
    """Return spikes, currents and voltages of every layer, (n_steps, n) each."""
    graph = load_lava(path, target=target)
    names = list(dict.fromkeys(block.population for block in graph.blocks))
    probes = tuple(
        Probe(
            f"{variable} {name}",
            variable,
            tuple(
                (b, np.arange(block.n_compartments))
                for b, block in enumerate(graph.blocks)
                if block.population == name
            ),
        )
        for name in names
        for variable in ("spiked", "current", "voltage")
    )
    emulator = Emulator(replace(graph, probes=probes), 1, on_overflow="raise")
    found = emulator.run(spikes[None].astype(np.int16)).probes
    return [
        tuple(part[0] for part in found[i : i + 3]) for i in range(0, len(found), 3)
    ]


@pytest.mark.parity
def test_random_networks_do_what_lava_nc_does(tmp_path):
    networks, arrays, ours = {}, {}, {}
    for seed in range(N_NETWORKS):
        layers = random_network(seed)
        n_inputs = layers[0]["weight"].shape[1]
        rng = np.random.default_rng([seed, 1])
        spikes = rng.random((N_STEPS, n_inputs)) < rng.uniform(0.02, 0.6)
        write_net(tmp_path / f"{seed}.net", layers)
        ours[seed] = run_ours(tmp_path / f"{seed}.net", spikes)
        networks[str(seed)] = described(layers)
        arrays |= peer_arrays(seed, layers, spikes)
    np.savez(tmp_path / "in.npz", described=json.dumps(networks), **arrays)
    run_peer("networks", tmp_path / "in.npz", tmp_path / "out.npz")
    n_spikes = 0
    with np.load(tmp_path / "out.npz") as theirs:
        for seed, layers in ours.items():
            for i, values in enumerate(layers):
                for what, found in zip("suv", values, strict=True):
                    wanted = theirs[f"{seed}/{i}/{what}"]
                    np.testing.assert_array_equal(
                        found, wanted, err_msg=f"network {seed}, layer {i}, {what}"
                    )
                n_spikes += values[0].sum()
    assert n_spikes > 10_000


def graded_graph(parts):
    """Make a chain of populations, each of which hears the one before a step late."""
    source = GradedPopulation("in", parts[0][1], "input", {}, {}, 24, np.ones(1))
    populations, projections, widths = [source], [], Widths.of(load_target("loihi2"))
    for i, (program, _, parameters, ways) in enumerate(parts):
        n = len(ways[0][1])
        given = {
            name: np.broadcast_to(parameters[name], n).astype(np.int32)
            for name in PROGRAMS[program].parameters
        }
        rest = {name: np.zeros(n, np.int32) for name in PROGRAMS[program].registers}
        name = f"layer {i}"
        populations.append(
            GradedPopulation(name, n, program, given, rest, 24, np.ones(n))
        )
        for j, (pre, weights, exponent) in enumerate(ways):
            pre = populations[-2].name if pre == "before" else name
            weights = weights.astype(np.int8)
            projections.append(
                GradedProjection(f"{i} {j}", pre, name, weights, exponent, delay=1)
            )
    return GradedGraph(
        "loihi2", tuple(populations), tuple(projections), name, {}, widths
    )


def run_programs(graph, x):
    """Return what each population behind the input sends, (n_steps, n) each."""
    run, names = GradedRun(graph), [p.name for p in graph.populations[1:]]
    _, values = next(run.pieces(run.checked_input(x[None]), record=names))
    return [values[name][0] for name in names]


def as_programs(layers):
    """Make a graph of CUBA-LIF programs of the layers of a file."""
    parts = []
    for layer in layers:
        # Even weights of 9 bits, in units of 64.
        ways = [("before", layer["weight"] // 2, 7)]
        if "weight_rec" in layer:
            ways.append(("itself", layer["weight_rec"] // 2, 7))
        parameters = {
            "bias": layer["bias"] << 6,
            "threshold": layer["vThMant"] << 6,
            "minimum": 1 - 2**23,
            "decay_u": layer["iDecay"] - 1,
            "decay_v": layer["vDecay"],
            "refractory": 0,
        }
        parts.append(("cuba lif", layer["weight"].shape[1], parameters, ways))
    return graded_graph(parts)


@pytest.mark.parity
def test_the_lif_program_does_what_lava_nc_does(tmp_path):
    networks, arrays, ours, n_left = {}, {}, {}, 0
    for seed in range(N_NETWORKS):
        layers = random_network(seed)
        rng = np.random.default_rng([seed, 1])
        n_inputs = layers[0]["weight"].shape[1]
        spikes = rng.random((N_STEPS, n_inputs)) < rng.uniform(0.02, 0.6)
        try:
            ours[seed] = run_programs(as_programs(layers), spikes.astype(float))
        except EmulateError as error:
            # Lava cuts voltages there.
            assert "sum or state" in str(error)
            n_left += 1
            continue
        networks[str(seed)] = described(layers)
        arrays |= peer_arrays(seed, layers, spikes)
    assert n_left < N_NETWORKS // 4
    np.savez(tmp_path / "in.npz", described=json.dumps(networks), **arrays)
    run_peer("networks", tmp_path / "in.npz", tmp_path / "out.npz")
    n_spikes = 0
    with np.load(tmp_path / "out.npz") as theirs:
        for seed, layers in ours.items():
            for i, found in enumerate(layers):
                wanted = theirs[f"{seed}/{i}/s"]
                message = f"network {seed}, layer {i}"
                np.testing.assert_array_equal(found, wanted, err_msg=message)
                n_spikes += found.sum()
    assert n_spikes > 5_000


@pytest.mark.parity
def test_the_sigma_delta_program_does_what_lava_nc_does(tmp_path):
    networks, arrays, ours = {}, {}, {}
    for seed in range(N_NETWORKS):
        rng, parts = np.random.default_rng([seed, 2]), []
        exponents = {
            "spike_exp": int(rng.integers(4)),
            "state_exp": int(rng.integers(7)),
        }
        shift = sum(exponents.values())
        sizes = rng.integers(1, 12, rng.integers(2, 5))
        x = rng.integers(-9, 10, (N_STEPS, sizes[0])) << exponents["spike_exp"]
        x *= rng.random(x.shape) < 0.3
        arrays[f"{seed}/input"] = x.T.astype(float)
        said = []
        for i, (n_pre, n) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            weights = 2 * rng.integers(-8, 12, (n, n_pre))
            bias, vth = rng.integers(-20, 20, n), int(rng.integers(1, 40))
            is_last = i == len(sizes) - 2 and rng.random() < 0.5
            before = "input" if i == 0 else i - 1
            arrays |= {f"{seed}/{i}/bias": bias, f"{seed}/{i}/from {before}": weights}
            said.append(
                {
                    "kind": "sigma" if is_last else "sigma-delta",
                    "n": int(n),
                    "vth": vth,
                    "exp": 0,
                    "message_bits": 24,
                    "from": [before],
                    **exponents,
                }
            )
            parameters = {
                "bias": bias << shift,
                "threshold": vth << shift,
                "shift": exponents["state_exp"],
            }
            ways = [("before", weights // 2, 1)]
            parts.append((said[-1]["kind"], n_pre, parameters, ways))
        networks[str(seed)] = {"n_steps": N_STEPS, "layers": said}
        ours[seed] = run_programs(graded_graph(parts), x.astype(float))
    np.savez(tmp_path / "in.npz", described=json.dumps(networks), **arrays)
    run_peer("networks", tmp_path / "in.npz", tmp_path / "out.npz")
    n_sent, n_silent = 0, 0
    with np.load(tmp_path / "out.npz") as theirs:
        for seed, layers in ours.items():
            for i, found in enumerate(layers):
                wanted = theirs[f"{seed}/{i}/s"]
                message = f"network {seed}, layer {i}"
                np.testing.assert_array_equal(found, wanted, err_msg=message)
                n_sent += np.count_nonzero(found)
                n_silent += np.count_nonzero(found == 0)
    assert n_sent > 5_000 and n_silent > 5_000


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(3))
def test_a_file_is_what_lava_dl_reads_in_it(tmp_path, seed):
    layers, path = random_network(seed), tmp_path / "some.net"
    write_net(path, layers)
    rng = np.random.default_rng([seed, 2])
    spikes = rng.random((N_STEPS, layers[0]["weight"].shape[1])) < 0.3
    assert_lava_dl_does_the_same(path, spikes, tmp_path)


@pytest.mark.parity
@pytest.mark.skipif(not MNIST.exists(), reason=f"{MNIST} is not there")
def test_a_trained_network_does_what_it_does_in_lava_dl(tmp_path):
    with np.load(MNIST.parents[2] / "data" / "mnist.npz") as file:
        x = file["x_test"][:1].reshape(1, 784) / 255
    assert_lava_dl_does_the_same(MNIST, integrate_and_fire(x, 32)[0], tmp_path)


def assert_lava_dl_does_the_same(path, spikes, folder):
    np.savez(folder / "in.npz", spikes=spikes.T.astype(float))
    run_peer("file", path, folder / "in.npz", folder / "out.npz")
    with np.load(folder / "out.npz") as theirs:
        wanted = theirs["spikes"].T
    found = run_ours(path, spikes)[-1][0]
    assert found.any()
    # What Lava's sink sees in a step was sent in it.
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parity
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 9])
def test_layers_give_the_currents_that_lava_dl_checks_chips_by(tmp_path, number):
    """
    Compare each layer of PilotNet with what lava-dl's own tests expect of Loihi.

    The layer alone, on the spikes of the layer before: its currents in 24 steps are
    what its weights make of them. Voltages and spikes are not compared, as each layer
    was set back at a step of its own.
    """
    if not PILOTNET.exists():
        pytest.skip(f"{FOLDER} has no tests of lava-dl 0.6.0")
    names = {
        **{i: f"conv-{i - 1}" for i in range(1, 6)},
        7: "fc-0",
        8: "fc-1",
        9: "fc-2",
    }
    spikes = in_steps("input" if number == 1 else names[number - 1 - (number == 7)])
    with (
        h5py.File(PILOTNET / "network.net") as file,
        h5py.File(tmp_path / "one.net", "w") as alone,
    ):
        if number <= 5:
            before = file["layer"][str(number - 1)]
            alone["layer/0/type"], alone["layer/0/shape"] = "input", before["shape"][()]
        file.copy(f"layer/{number}", alone, f"layer/{int(number <= 5)}")
    limits = load_target("loihi1").limits
    large = replace(limits["compartments_per_core"], value=24_000)
    roomy = dict.fromkeys(limits, None) | {"compartments_per_core": large}
    target = replace(load_target("loihi1"), limits=roomy)
    currents = run_ours(tmp_path / "one.net", spikes, target=target)[0][1]
    np.testing.assert_array_equal(currents, in_steps(f"{names[number]}-u"))


@pytest.mark.parity
def test_pilotnet_of_sigma_delta_neurons_gives_what_lava_dl_expects():
    """Nine layers, four of them convolutions, and an image in the first step."""
    folder = ground_truth("pilotnet_sdnn")
    graph = load_lava_graded(folder / "network.net")
    image, wanted = (np.load(folder / f"{n}.npy") for n in ("input", "output"))
    n_steps = wanted.shape[-1]
    x = np.zeros((1, n_steps, image.size))
    # Lava's shapes are the other way around: width, height, channels.
    x[0, 0] = image[..., 0].T.ravel()
    found = run_graded(graph, x).output[0].T

    assert np.count_nonzero(wanted) == n_steps - 1
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parity
def test_a_network_with_delays_spikes_as_lava_dl_expects():
    """Three layers, with delays of 0 to 62 by neuron."""
    folder, n_steps = ground_truth("ntidigits"), 600
    graph = load_lava_graded(folder / "ntidigits.net", n_layers=5)
    spikes, wanted = (np.load(folder / f"{n}.npy") for n in ("input", "output"))
    found = run_graded(graph, spikes.T[None, :n_steps]).output[0].T

    assert max(p.delay for p in graph.projections) == 63
    assert wanted[:, :n_steps].sum() > 500
    # Lava's source sends a step late.
    np.testing.assert_array_equal(found[:, :-1], wanted[:, 1:n_steps])


def ground_truth(name):
    """Return the folder of a network with what lava-dl's own tests expect of it."""
    folder = PILOTNET.parent / name
    if not folder.exists():
        pytest.skip(f"{FOLDER} has no tests of lava-dl 0.6.0")
    return folder


def in_steps(name):
    """Read what lava-dl has of a layer, as (n_steps, n), channels first."""
    values = np.load(PILOTNET / f"{name}.npy")
    return values.T.reshape(values.shape[-1], -1)
