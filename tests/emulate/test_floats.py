"""The chip in floats: by hand, and on integers against the emulator."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import emulate
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graphs import Noise, Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_loihi, unrounded
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

LOIHI1 = load_target("loihi1")


def spiking(name, n, activation="RectifiedLinear", *, omega=1.0, bias=0.0):
    bias, zeros = np.broadcast_to(np.asarray(bias, dtype=float), n), np.zeros(n)
    return Population(
        name, n, activation, omega=omega, bias=bias, initial_voltage=zeros
    )


def chain(weights, *, bias=0.0):
    """Return x -> r -> out, where r is injected, one line per sign."""
    n_out, n_in = np.shape(weights)
    return SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", n_in, "input"),
            spiking("r", n_in, "Identity"),
            spiking("out", n_out, bias=bias),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(n_in)),
            Projection("r_to_out", "r", "out", np.array(weights, float)),
        ),
        output="out",
    )


def random_graph(rng, sizes):
    """Quantize r -> h -> out with a way past h, leaks, and refractory periods."""
    n_in, n_hidden, n_out = sizes
    shape = {"h": n_hidden, "out": n_out}
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", n_in, "input"),
            spiking("r", n_in, "Identity", omega=3.0),
            spiking("h", n_hidden, bias=rng.uniform(-0.1, 0.3, n_hidden)),
            spiking("out", n_out, omega=2.0),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(n_in)),
            Projection("r_to_h", "r", "h", rng.normal(size=(n_hidden, n_in))),
            Projection("r_to_out", "r", "out", rng.normal(size=(n_out, n_in))),
            Projection("h_to_out", "h", "out", rng.normal(size=(n_out, n_hidden))),
        ),
        output="out",
    )
    quantized = to_loihi(graph, chip_steps=2)
    blocks = tuple(
        dataclasses.replace(
            block,
            decay_u=rng.integers(2000, 4096, shape[block.name]).astype(np.int32),
            decay_v=rng.integers(0, 2000, shape[block.name]).astype(np.int32),
            refract_delay=rng.integers(1, 4, shape[block.name]).astype(np.int32),
            vmin=-(2**14) + 1,
        )
        for block in quantized.blocks
    )
    return dataclasses.replace(quantized, blocks=blocks)


def random_run(seed, sizes=(3, 6, 3)):
    """Return a graph, and what the host injects into it."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, sizes)
    return graph, {"r": rng.integers(-3, 4, (3, 20, sizes[0]))}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4)),
)
def test_on_integers_it_is_the_emulator(seed, sizes):
    graph, counts = random_run(seed, sizes)
    wanted = emulate.run(graph, place(graph, LOIHI1), counts)
    found, _ = emulate.run_floats(graph, emulate.whole_numbers(graph), counts)
    assert found.backend == "floats"
    for name, population in wanted.populations.items():
        for what in ("spikes", "updates_active", "updates_inactive"):
            ours, theirs = (
                getattr(p, what) for p in (found.populations[name], population)
            )
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{name} {what}")


def test_the_compared_networks_spike_and_truncate():
    graph, counts = random_run(0)
    numbers = emulate.whole_numbers(graph)
    trace, _ = emulate.run_floats(graph, numbers, counts)
    for name in ("h", "out"):
        assert 0.05 < trace.populations[name].spikes.mean() < 0.95
    # Without truncation the voltages differ, if by little.
    found = [
        emulate.run_floats(g, n, c)[0].output_spikes
        for g, c in (random_run(seed) for seed in range(30))
        for n in (
            emulate.whole_numbers(g),
            dataclasses.replace(emulate.whole_numbers(g), truncates=False),
        )
    ]
    pairs = zip(found[::2], found[1::2], strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "to_zero, spikes, above",
    # 0.75 a step: 0.75 | 1.5 | 0.75 | 1.5 against 0.75 | 1.5 | 1.25 | 1.0, and 1.0 is
    # not above the threshold; it is once the next 0.75 are there.
    [
        (True, [0, 0, 1, 0, 1, 0, 1], 1.5),
        (False, [0, 0, 1, 1, 0, 1, 1], 0.5 + 0.25 + 0.75 + 0.5),
    ],
)
def test_resets_by_hand(to_zero, spikes, above):
    graph = chain([[0.75]])
    quantized = to_loihi(graph, chip_steps=1)
    numbers = dataclasses.replace(
        unrounded(graph, chip_steps=1), resets_to_zero=to_zero
    )
    counts = {"r": np.ones((1, 6, 1), int)}
    trace, drive = emulate.run_floats(quantized, numbers, counts)
    assert trace.output_spikes[0, :, 0].tolist() == spikes
    assert drive.spikes.tolist() == [sum(spikes)]
    assert drive.above.tolist() == [pytest.approx(above)]
    assert drive.wanted.tolist() == [0]
    assert drive.below.tolist() == [0]


def test_what_drives_by_hand():
    # 2.5 thresholds and two spikes on the line at once: 5, of which 4 are above. Then
    # -2.5 from rest, all of it cut. Another sample only adds its own.
    graph = chain([[2.5]])
    quantized, numbers = to_loihi(graph, chip_steps=1), unrounded(graph, chip_steps=1)
    one = [[[2], [-1], [0]]]
    _, drive = emulate.run_floats(quantized, numbers, {"r": np.array(one)})
    assert [values.tolist() for values in drive] == [
        [1],
        [1],
        [pytest.approx(4)],
        [pytest.approx(2.5)],
    ]
    _, both = emulate.run_floats(quantized, numbers, {"r": np.array(one * 2)})
    np.testing.assert_allclose(both, 2 * np.array(drive))


def test_units_do_not_matter():
    graph, counts = random_run(1)
    whole = dataclasses.replace(emulate.whole_numbers(graph), truncates=False)
    units = ("vth", "bias", "vmin", "vmax", "input_gain")
    # A power of two, so that no float is rounded.
    scaled = {name: getattr(whole, name) / 1024 for name in units}
    found, _ = emulate.run_floats(graph, dataclasses.replace(whole, **scaled), counts)
    wanted, _ = emulate.run_floats(graph, whole, counts)
    np.testing.assert_array_equal(found.output_spikes, wanted.output_spikes)


def test_noise_is_refused():
    graph, counts = random_run(2)
    noise = Noise(np.ones(6, bool), exponent=6, offset=0, at_membrane=False)
    blocks = dataclasses.replace(graph.blocks[0], noise=noise), *graph.blocks[1:]
    graph = dataclasses.replace(graph, blocks=blocks)
    message = (
        "run_floats needs a graph without learning and noise on the chip, got one with "
        "noise; run it on the emulator"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(message)}$"):
        emulate.run_floats(graph, emulate.whole_numbers(graph), counts)
