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

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.graph import Probe
from nengo_hybrid.interchange import integrate_and_fire, load_lava
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


def in_steps(name):
    """Read what lava-dl has of a layer, as (n_steps, n), channels first."""
    values = np.load(PILOTNET / f"{name}.npy")
    return values.T.reshape(values.shape[-1], -1)
